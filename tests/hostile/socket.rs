//! What can be said to the daemon's socket by a program of this user, or through one that was lent.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::token_of;
use crate::support::{PATIENCE, Sandbox, eventually};

/// Says something, piece by piece, and returns what is answered until the end.
fn say(sandbox: &Sandbox, pieces: &[&[u8]]) -> String {
    let mut stream = UnixStream::connect(sandbox.state_socket()).expect("a daemon");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    for piece in pieces {
        let _ = stream.write_all(piece); // it may hang up before the end
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer); // it may hang up before it was heard
    String::from_utf8(answer).expect("text")
}

impl Sandbox {
    /// Where the daemon listens, without asking it.
    fn state_socket(&self) -> std::path::PathBuf {
        let entries =
            std::fs::read_dir(self.state()).expect("a directory").map(|entry| entry.expect("readable").path());
        let ours =
            |path: &std::path::PathBuf| path.file_name().is_some_and(|it| it.to_string_lossy().starts_with("run-"));
        entries.into_iter().find(ours).expect("it is there").join("socket")
    }
}

/// Whether every line of an answer is one that could be parsed again.
#[track_caller]
fn is_well_formed(shown: &str, answer: &str) {
    let harmful = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    // Of a value that a person is not shown as it is, only the line's end is special.
    let mut messages = answer.lines().filter(|line| line.starts_with("message="));
    assert!(!messages.any(|message| message.contains(harmful)), "{shown}: {answer:?}");
    assert!(!answer.contains(['\r', '\0']), "{shown}: {answer:?}");
    assert!(answer.lines().all(|line| line.is_empty() || line.contains('=')), "{shown}: {answer:?}");
    assert!(matches!(answer, "" | "\n") || answer.ends_with("\n\n"), "{shown}: {answer:?}");
}

#[test]
fn whatever_is_asked_with_whatever_values_the_answer_is_well_formed_and_keeps_secrets() {
    let sandbox = Sandbox::linked();
    let (token, refresh, pid) = (sandbox.token(), sandbox.refresh_token(), sandbox.daemon_pid());
    let url = sandbox.gitlab.url().to_owned();
    let actions = ["get", "store", "erase", "use", "repos", "status", "probe", "project", "link", "unlink", "x", ""];
    let keys = [
        "host",
        "protocol",
        "account",
        "path",
        "username",
        "password",
        "min_life",
        "limit",
        "group",
        "min_access",
        "timeout",
        "flow",
        "store",
        "client_id",
        "scopes",
        "environment[]",
        "url",
        "check",
        "local",
    ];
    let long = "x".repeat(60_000);
    let values = [
        "",
        "\u{1b}[2J\u{202e}",
        "../../etc/passwd",
        "-1",
        "99999999999999999999",
        "$(id)",
        "a b",
        "\u{2028}",
        "[::1",
        "ftp://x",
        &long,
    ];
    for action in actions {
        let mut asked = Vec::new();
        for key in keys {
            for value in values {
                // Nobody is to be asked anything, and nothing is to be revoked.
                let host = if key == "host" { String::new() } else { "host=nowhere.invalid\n".into() };
                let host = if action == "unlink" {
                    format!("{host}local=1\n").replacen("local=1\n", if key == "local" { "" } else { "local=1\n" }, 1)
                } else {
                    host
                };
                asked.push(format!("action={action}\n{host}{key}={value}\n\n"));
            }
        }
        if action == "unlink" {
            asked.retain(|it| !it.contains("host=\n") && it.contains("nowhere.invalid"));
        }
        if action == "probe" || action == "project" {
            asked.truncate(40); // each looks for a host that is not there
        }
        for request in asked {
            let shown = &request[..request.len().min(100)];
            let answer = say(&sandbox, &[request.as_bytes()]);
            is_well_formed(shown, &answer);
            assert!(!answer.contains(&token) && !answer.contains(&refresh), "{shown}: {answer}");
        }
    }
    assert_eq!(sandbox.daemon_pid(), pid, "{}", sandbox.log());
    let shown = sandbox.status().to_string();
    assert!(shown.contains(&url) && !sandbox.log().contains(&refresh), "{shown}");
    assert_eq!(token_of(&sandbox.get()), token);
}

#[test]
fn requests_in_pieces_too_long_or_two_at_once_are_each_answered_once() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    let get = format!("action=get\n{}\n", sandbox.question());
    let bytes: Vec<&[u8]> = get.as_bytes().chunks(1).collect();
    assert_eq!(say(&sandbox, &bytes).matches(&token).count(), 1, "byte by byte");
    assert_eq!(say(&sandbox, &[get.as_bytes(), get.as_bytes()]).matches(&token).count(), 1, "the second is not heard");
    assert_eq!(say(&sandbox, &[get.as_bytes(), &[b'x'; 100_000]]).matches(&token).count(), 1, "nor is what follows");
    for (name, flood) in [
        ("a line", vec![b'x'; 1 << 20]),
        ("keys", (0..60_000).flat_map(|number| format!("k{number}=\n").into_bytes()).collect()),
        ("a list", b"a[]=b\n".repeat(60_000)),
    ] {
        let answer = say(&sandbox, &[b"action=get\n", &flood, b"\n\n"]);
        assert!(!answer.contains(&token), "{name}");
        is_well_formed(name, &answer);
    }
    assert_eq!(token_of(&sandbox.get()), token);
}

#[test]
fn errands_without_end_leave_git_its_place() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    // Links that wait for nobody, and more of them than the daemon has places.
    let link = format!("action=link\nhost={}\nclient_id={}\nflow=web\n\n", sandbox.gitlab.url(), sandbox.client_id);
    let open = || {
        let mut stream = UnixStream::connect(sandbox.state_socket()).expect("a daemon");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.write_all(link.as_bytes()).expect("written");
        stream
    };
    let mut links: Vec<UnixStream> = (0..600).map(|_| open()).collect();
    let mut refused = String::new();
    links.last_mut().expect("there are some").read_to_string(&mut refused).expect("text");
    assert!(refused.contains("error=failed") && refused.contains("too many other commands"), "{refused}");
    for _ in 0..10 {
        let answer = sandbox.get();
        assert!(token_of(&answer) == token && answer.took < Duration::from_secs(5), "{answer:?}");
    }
    sandbox.verb(["status"]).succeeded();
    // When they are over, there is room again.
    drop(links);
    eventually("a link begins", || {
        let mut stream = open();
        let mut first = [0; 5];
        stream.read_exact(&mut first).is_ok() && first != *b"error"
    });
}

#[test]
fn whoever_does_not_listen_to_the_answer_keeps_nobody_waiting() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    let deaf: Vec<UnixStream> = (0..100)
        .map(|number| {
            let mut stream = UnixStream::connect(sandbox.state_socket()).expect("a daemon");
            let action = ["get", "status", "repos", "link"][number % 4];
            let request = format!("action={action}\n{}\n", sandbox.question());
            stream.write_all(request.as_bytes()).expect("written");
            stream
        })
        .collect();
    let answer = sandbox.get();
    assert_eq!(token_of(&answer), token);
    assert!(answer.took < Duration::from_secs(3), "{answer:?}");
    drop(deaf);
    assert_eq!(token_of(&sandbox.get()), token);
}
