//! Whatever comes in, nothing is lost, and the answer is silence or one clear line. What git and
//! servers can say is in [`crate::hostile`], family by family.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use crate::support::{PATIENCE, Sandbox, make_private};

/// Row H14.
#[test]
fn an_answer_comes_while_stdin_stays_open() {
    let sandbox = Sandbox::linked();
    let mut command = sandbox.command(crate::support::HELPER);
    command.arg("get").stdin(std::process::Stdio::piped());
    let mut started = crate::support::Started::new(command);
    let mut stdin = started.child.stdin.take().expect("a pipe");
    stdin.write_all(format!("{}\n", sandbox.question()).as_bytes()).expect("written");
    assert!(started.finish().attribute("password").is_some());
    drop(stdin);
}

#[test]
fn garbage_on_the_socket_is_answered_and_the_daemon_lives() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    let socket = sandbox.socket();
    let say = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(&socket).expect("a daemon");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let _ = stream.write_all(bytes); // it may hang up before the end
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).expect("text")
    };
    for (garbage, code) in [
        (&b"nonsense\n\n"[..], "usage"),
        (b"action=\n\n", "unsupported"),
        (b"action=refresh_token\n\n", "unsupported"),
        (b"\x00\xff\n\n", "usage"),
        (b"a=b\na=b\n\n", "usage"),
        (b"", "unsupported"),
        (&b"x".repeat(200_000), "usage"),
        (b"action=link\nhost=not a host\n\n", "usage"),
        (b"action=link\nhost=h\nmin_life=x\nclient_id=y\n\n", "usage"),
        (b"action=unlink\nhost=ftp://x\n\n", "usage"),
    ] {
        let answer = say(garbage);
        let shown = String::from_utf8_lossy(&garbage[..garbage.len().min(40)]).into_owned();
        if garbage.len() < 100_000 {
            assert!(answer.contains(&format!("error={code}\n")), "{shown:?}: {answer:?}");
        }
        assert!(!answer.contains(&token));
    }
    // The protocol can be typed by hand.
    let typed = say(format!("action=get\n{}\n", sandbox.question()).as_bytes());
    assert!(typed.contains(&format!("password={token}\n")));
    assert_eq!(sandbox.token(), token);
}

#[test]
fn clients_that_say_nothing_keep_nobody_waiting_for_long() {
    let sandbox = Sandbox::linked();
    let socket = sandbox.socket();
    // More than the daemon serves at a time; whoever comes then waits until silent ones are let go.
    let silent: Vec<_> = (0..600).map_while(|_| UnixStream::connect(&socket).ok()).collect();
    assert!(silent.len() > 512, "{}", silent.len());
    let answer = sandbox.get();
    assert!(answer.attribute("password").is_some(), "{answer:?}");
    let mut first = &silent[0];
    first.set_read_timeout(Some(PATIENCE)).expect("set");
    assert_eq!(first.read(&mut [0; 16]).expect("it was hung up on"), 0);
}

/// Row N02.
#[test]
fn a_daemon_that_answers_nonsense_is_not_believed() {
    for answer in [
        &b"username=oauth2\npassword=a\rb\n\n"[..],
        b"username=oauth2\npassword=a\0b\n\n",
        "username=oauth2\npassword=t\u{f6}k\n\n".as_bytes(),
        b"password=half\n\n",
        b"username=oauth2\npassword=cut off",
        b"nonsense\n\n",
        &[b"username=oauth2\npassword=".to_vec(), b"x".repeat(100_000), b"\n\n".to_vec()].concat(),
    ] {
        let mut sandbox = Sandbox::new();
        let directory = sandbox.path("planted");
        make_private(&directory);
        let socket = directory.join("socket");
        let listener = UnixListener::bind(&socket).expect("a socket");
        sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
        // Every try is answered so, until the test says that it is over.
        let answers = std::thread::spawn({
            let answer = answer.to_vec();
            move || {
                let mut answered = 0;
                while let Ok((mut stream, _)) = listener.accept() {
                    let mut request = [0; 1024];
                    let count = stream.read(&mut request).unwrap_or(0);
                    if request[..count].starts_with(b"end") {
                        break;
                    }
                    let _ = stream.write_all(&answer); // it may hang up before the end
                    answered += 1;
                }
                answered
            }
        });
        let silent = sandbox.helper("get", "protocol=https\nhost=gitlab.example\n");
        UnixStream::connect(&socket).and_then(|mut stream| stream.write_all(b"end")).expect("it still listens");
        assert!(answers.join().expect("no panic") > 0);
        assert_eq!(silent.stdout, "", "{:?}: {silent:?}", String::from_utf8_lossy(&answer[..answer.len().min(40)]));
        assert!(silent.took < Duration::from_secs(5), "{silent:?}");
    }
}

#[test]
fn an_unreadable_state_file_is_named_and_left_alone() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    let good = fs::read(profile).expect("readable");
    for bad in [&b""[..], b"{", b"[]", b"\xff", br#"{"version":99,"secret":"of the future"}"#, &good[..good.len() / 2]]
    {
        fs::write(profile, bad).expect("written");
        let refused = sandbox.get().succeeded();
        assert_eq!(refused.stdout, "quit=1\n", "{refused:?}");
        assert!(refused.stderr.contains(".json"), "{refused:?}");
        let status = sandbox.verb(["status"]).ended_with(4);
        assert!(status.stderr.contains(".json"), "{status:?}");
        assert_eq!(fs::read(profile).expect("readable"), bad, "it is left as it is");
    }
    // Mended in its place, it is read again, by the same daemon.
    fs::write(profile, &good).expect("written");
    assert_eq!(sandbox.token(), token);
    // What a daemon holds it keeps, although the file can't be read any more.
    fs::write(profile, "{").expect("written");
    fs::write(sandbox.state().join("accounts/touched"), "").expect("written");
    assert_eq!(sandbox.token(), token);
}

#[test]
fn a_damaged_file_of_one_host_says_nothing_about_another() {
    let sandbox = Sandbox::linked();
    let accounts = sandbox.state().join("accounts");
    fs::write(accounts.join("https+gitlab.example.com+443~5.json"), "{").expect("written");
    for (host, named) in [("gitlab.example.com", true), ("gitlab.example", false), ("example.com", false)] {
        let answer = sandbox.helper("get", format!("protocol=https\nhost={host}\n")).succeeded();
        assert_eq!(answer.stderr.contains("~5.json"), named, "{host}: {answer:?}");
    }
    assert!(sandbox.get().attribute("password").is_some());
}

#[test]
fn a_half_written_store_is_named_and_left_alone() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let [tokens] = &sandbox.state_files(".tokens")[..] else { panic!("one account") };
    let good = fs::read(tokens).expect("readable");
    // What a crash in the middle of a save leaves beside it does no harm.
    fs::write(tokens.with_extension("tokens.new"), &good[..20]).expect("written");
    assert_eq!(sandbox.token(), token);
    for (bad, word) in [(&good[..good.len() / 2], "damaged"), (br#"{"version":99}"#, "newer version")] {
        sandbox.verb(["daemon", "stop"]).succeeded();
        fs::write(tokens, bad).expect("written");
        let refused = sandbox.get().succeeded();
        assert_eq!(refused.stdout, "quit=1\n");
        assert!(refused.stderr.contains(word), "{refused:?}");
        assert_eq!(fs::read(tokens).expect("readable"), bad);
    }
    fs::write(tokens, good).expect("written");
    assert_eq!(sandbox.token(), token, "and once it is mended it is read again");
    assert_eq!(sandbox.gitlab.token_requests(), 0);
}
