//! What a server can answer: N04, N08, and every size, type and pace.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use gitlab_stand_in::{Endpoint, Fault, StandIn, What, When};

use super::{is_one_line_at_most, token_of};
use crate::faults::move_token_endpoint;
use crate::support::{Finished, HELPER, Sandbox, eventually, run};

/// Far more than the daemon needs, in KiB, and less than what is sent to it.
const MUCH_MEMORY: u64 = 40 << 10;

/// The most that a daemon ever had in memory, in KiB.
fn peak_memory(sandbox: &Sandbox) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", sandbox.daemon_pid())).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells");
    peak.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn body(text: impl Into<Vec<u8>>) -> What {
    What::Body(text.into())
}

/// Bodies that nobody should believe.
fn bodies() -> Vec<(&'static str, What)> {
    let status = |code, text: &str| What::Status { code, headers: Vec::new(), body: text.into() };
    let escapes = "\\u001b[2J\\u202e\\n";
    vec![
        ("huge", body(vec![b' '; 16 << 20])),
        ("huge text", body(format!(r#"{{"access_token":"{}"}}"#, "x".repeat(8 << 20)))),
        ("deep lists", body("[".repeat(1 << 20))),
        ("deep objects", body(r#"{"a":"#.repeat(10_000))),
        ("binary", body(vec![0xff, 0, 0x1b, b'[', b'2', b'J'])),
        ("a list", body("[1,2,3]")),
        ("a number", body("1e999")),
        ("null", body("null")),
        (
            "wrong types",
            body(r#"{"id":"7","username":["x"],"access_token":7,"scopes":"api","expires_in":"soon","active":1}"#),
        ),
        (
            "escapes",
            body(format!(
                r#"{{"id":7,"username":"{escapes}","name":"{escapes}","error":"{escapes}","message":"{escapes}",
                    "scopes":["{escapes}"],"access_token":"{escapes}","token_type":"{escapes}","version":"{escapes}"}}"#
            )),
        ),
        ("a command for a name", body(r#"{"id":7,"username":"$(touch x)","name":"`touch x`"}"#)),
        ("a path for a name", body(r#"{"id":0,"username":"../../x","name":""}"#)),
        ("numbers out of range", body(r#"{"id":-1,"username":"x","expires_in":1e300,"resource_owner_id":-7}"#)),
        ("escapes in words", status(403, "\u{1b}[2J\u{202e}\rhost=evil.example\n\npassword=x")),
        ("a status of no kind", status(599, "\u{7}")),
        ("a teapot", status(418, "{}")),
        ("nothing", What::Empty),
        ("a page", What::Html),
    ]
}

/// Whatever a person is told has no escapes and no token.
#[track_caller]
fn harmless(shown: &str, told: &Finished, token: &str) {
    let harmful = |c: char| (c.is_control() && c != '\n' && c != '\t') || ('\u{202a}'..='\u{202e}').contains(&c);
    let said = format!("{}{}", told.stdout, told.stderr);
    assert!(!said.contains(harmful) && said.len() < 10_000, "{shown}: {told:?}");
    assert!(!said.contains(token), "{shown}: {told:?}");
    assert!(told.code.is_some_and(|code| code <= 6), "{shown}: {told:?}");
    assert!(told.took < Duration::from_secs(25), "{shown}: {told:?}");
}

#[test]
fn nothing_that_a_server_says_about_tokens_users_and_projects_does_harm() {
    let endpoints = [Endpoint::TokenInfo, Endpoint::User, Endpoint::PersonalToken, Endpoint::Api, Endpoint::Git];
    std::thread::scope(|scope| {
        for part in bodies().chunks(5).map(<[_]>::to_vec) {
            scope.spawn(move || {
                let sandbox = Sandbox::linked();
                let token = sandbox.token();
                let pid = sandbox.daemon_pid();
                for (name, what) in part {
                    for on in endpoints {
                        sandbox.gitlab.fault(Fault { on, when: When::Before, what: what.clone(), times: None });
                    }
                    for words in [&["status", "--check"][..], &["repos"], &["doctor", &sandbox.project("group/app")]] {
                        harmless(&format!("{name} {words:?}"), &sandbox.verb(words.iter().copied()), &token);
                    }
                    sandbox.gitlab.clear_faults();
                    assert_eq!(token_of(&sandbox.get()), token, "{name}");
                }
                assert_eq!(sandbox.daemon_pid(), pid, "{}", sandbox.log());
                let peak = peak_memory(&sandbox);
                assert!(peak < 3 * MUCH_MEMORY, "{peak} KiB");
            });
        }
    });
}

#[test]
fn nothing_that_a_server_says_to_a_link_does_harm() {
    let endpoints = [Endpoint::TokenInfo, Endpoint::User, Endpoint::PersonalToken];
    std::thread::scope(|scope| {
        for part in bodies().chunks(5).map(<[_]>::to_vec) {
            scope.spawn(move || {
                let sandbox = Sandbox::new();
                let token = sandbox.gitlab.add_pat("alice", "api", None).token;
                for (name, what) in part {
                    for on in endpoints {
                        sandbox.gitlab.fault(Fault { on, when: When::Before, what: what.clone(), times: None });
                    }
                    let mut link = sandbox.command(HELPER);
                    link.args(["link", sandbox.gitlab.url(), "--token-stdin", "--no-configure"]);
                    harmless(name, &run::finish(link, &token), &token);
                    let flags = [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--device", "--timeout", "1"];
                    for on in [Endpoint::AuthorizeDevice, Endpoint::Token] {
                        sandbox.gitlab.fault(Fault { on, when: When::Before, what: what.clone(), times: None });
                        let told = sandbox.verb(["link"].into_iter().chain(flags));
                        harmless(&format!("{name} {on:?}"), &told, &token);
                        assert_ne!(told.code, Some(0), "{name} {on:?}");
                    }
                    sandbox.gitlab.clear_faults();
                    for path in sandbox.state_files(".json") {
                        let file = path.file_name().and_then(|name| name.to_str()).expect("text");
                        assert!(file.starts_with(&sandbox.slug()), "{name}: {file}");
                    }
                    sandbox.verb(["unlink", "--all", "--local"]);
                }
            });
        }
    });
}

/// Row N04.
#[test]
fn an_end_that_can_not_be_is_not_told_to_git() {
    // Nothing, milliseconds since 1970, and what no number holds.
    for told in ["0", "-1", "-7200", "1795478400000", "9223372036854775807", "18446744073709551615", "null"] {
        let sandbox = Sandbox::linked();
        sandbox.age_token(7200, 0);
        let answer =
            format!(r#"{{"access_token":"new","token_type":"Bearer","expires_in":{told},"refresh_token":"r"}}"#);
        sandbox.gitlab.fault(Fault::once(Endpoint::Token, body(answer)));
        sandbox.gitlab.fault(Fault {
            on: Endpoint::TokenInfo,
            when: When::Before,
            what: body(format!(r#"{{"expires_in":{told},"resource_owner_id":1}}"#)),
            times: None,
        });
        let answer = sandbox.get();
        // A negative number is no RFC 6749, so that answer counts for nothing.
        if told.starts_with('-') {
            assert_eq!(answer.attribute("password"), None, "{told}: {answer:?}");
        } else {
            assert_eq!(answer.token(), "new", "{told}: {answer:?}");
            assert_eq!(answer.attribute("password_expiry_utc"), None, "{told}: {answer:?}");
        }
    }
}

/// Row N08.
#[test]
fn a_redirect_to_another_host_takes_no_token_there() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    let evil = StandIn::builder().start();
    let to = format!("{}/group/app.git/info/refs?service=git-upload-pack", evil.url());
    for code in [301, 302, 303, 307, 308] {
        let what = What::Status { code, headers: vec![("Location".into(), to.clone())], body: String::new() };
        sandbox.gitlab.fault(Fault::once(Endpoint::Git, what));
        let failed = sandbox.git(["ls-remote", &sandbox.project("group/app")]);
        assert_ne!(failed.code, Some(0), "{code}: {failed:?}");
        assert!(!failed.stderr.contains(&token), "{code}: {failed:?}");
    }
    let seen = evil.requests();
    assert!(seen.len() >= 5, "git went there");
    assert!(seen.iter().all(|request| request.credentials.is_empty()), "{seen:?}");
}

/// Answers whoever comes in this way, for as long as the test runs.
fn server(way: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/oauth/token", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.expect("somebody");
                let _ = stream.read(&mut [0; 4096]); // the request, or its beginning
                way(stream);
            });
        }
    });
    url
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

fn endless_body(mut stream: TcpStream) {
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let _ = stream.write_all(CHUNKED);
    while stream.write_all(&chunk).is_ok() {}
}

fn endless_headers(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
    while stream.write_all(b"X-More: and more\r\n").is_ok() {}
}

fn endless_header(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
    while stream.write_all(&[b'x'; 0x1000]).is_ok() {}
}

fn endless_continue(mut stream: TcpStream) {
    let hints = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n".repeat(100);
    while stream.write_all(&hints).is_ok() {}
}

fn chunk_of_a_size_that_is_none(mut stream: TcpStream) {
    let _ = stream.write_all(&[CHUNKED, b"fffffffffffffffff\r\n{}"].concat());
}

fn less_than_was_said(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n{\"access_token\":\"a\"");
}

fn two_lengths(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 200\r\n\r\n{}");
}

fn no_http(mut stream: TcpStream) {
    let _ = stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\npassword=x\r\n");
}

fn slow_drip(mut stream: TcpStream) {
    let _ = stream.write_all(CHUNKED);
    while stream.write_all(b"1\r\n \r\n").is_ok() {
        std::thread::sleep(Duration::from_millis(100)); // the pace is what is tested
    }
}

#[test]
fn an_answer_without_an_end_costs_seconds_and_no_memory() {
    type Way = fn(TcpStream);
    let ways: [(&str, Way); 9] = [
        ("endless body", endless_body),
        ("endless headers", endless_headers),
        ("endless header", endless_header),
        ("endless 1xx", endless_continue),
        ("a chunk of no size", chunk_of_a_size_that_is_none),
        ("less than was said", less_than_was_said),
        ("two lengths", two_lengths),
        ("no HTTP", no_http),
        ("slow drip", slow_drip),
    ];
    std::thread::scope(|scope| {
        for (name, way) in ways {
            scope.spawn(move || {
                let sandbox = Sandbox::linked();
                sandbox.age_token(7200, 0);
                move_token_endpoint(&sandbox, &server(way));
                let refused = sandbox.get();
                assert_eq!((refused.code, refused.stdout.as_str()), (Some(0), "quit=1\n"), "{name}: {refused:?}");
                assert!(is_one_line_at_most(&refused.stderr) && !refused.stderr.is_empty(), "{name}: {refused:?}");
                assert!(refused.took < Duration::from_secs(10), "{name}: {refused:?}");
                let peak = peak_memory(&sandbox);
                assert!(peak < MUCH_MEMORY, "{name}: {peak} KiB");
                // Nothing was lost with it.
                sandbox.kill_daemon();
                move_token_endpoint(&sandbox, &format!("{}/oauth/token", sandbox.gitlab.url()));
                eventually("it is renewed", || sandbox.get().attribute("password").is_some());
            });
        }
    });
}
