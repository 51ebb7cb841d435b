//! The listener that the browser comes back to: it takes one browser, whoever else knocks; and no
//! code stays in an address bar.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use gitlab_stand_in::{Application, Endpoint, Fault, What};

use crate::support::by_hand::{callback, get, http, location, value};
use crate::support::{Sandbox, Started, eventually};

/// Begins a link: what runs, its address for the browser, and where that comes back to.
fn begin(sandbox: &Sandbox, words: &[&str]) -> (Started, String, String) {
    let common = [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes"];
    let (started, address) = sandbox.begin_link(common.into_iter().chain(words.iter().copied()));
    let to = callback(&address);
    (started, address, to)
}

/// The person consents, and the link succeeds.
#[track_caller]
fn consents(sandbox: &Sandbox, started: Started, address: &str) {
    let visit = sandbox.browser("alice").visit(address).expect("a visit");
    assert!(visit.ok && visit.text.contains("alice"), "{visit:?}");
    started.finish().succeeded();
}

fn is_closed(to: &str) -> bool {
    TcpStream::connect(to).is_err()
}

#[test]
fn strangers_do_not_end_the_wait() {
    let sandbox = Sandbox::new();
    let (started, address, to) = begin(&sandbox, &[]);
    let state = value(&address, "state");
    let port = to.rsplit_once(':').expect("a port").1;
    let ours = format!("/?code=x&state={state}");
    let asked = |line: &str, host: &str| http(&to, &format!("{line}\r\n{host}Connection: close\r\n\r\n"));
    // Another host is a name that somebody has pointed to this machine.
    for host in ["evil.example", &format!("localhost:{port}"), "127.0.0.1", &format!("127.0.0.1.evil.example:{port}")] {
        let answer = asked(&format!("GET {ours} HTTP/1.1"), &format!("Host: {host}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
    }
    let unnamed = asked(&format!("GET {ours} HTTP/1.0"), "");
    assert!(unnamed.starts_with("HTTP/1.0 421"), "{unnamed}");
    let host = format!("Host: {to}\r\n");
    for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = asked(&format!("{method} {ours} HTTP/1.1"), &host);
        assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("allow: GET\r\n"), "{method}: {answer}");
    }
    // A page of another site is told nothing that would let it ask or read more.
    let asks = format!("{host}Origin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n");
    let preflight = asked("OPTIONS / HTTP/1.1", &format!("{asks}Access-Control-Request-Private-Network: true\r\n"));
    assert!(preflight.starts_with("HTTP/1.1 405") && !preflight.contains("access-control"), "{preflight}");
    for (path, status) in [("/", "400"), (&*format!("/other?code=x&state={state}"), "404"), ("/favicon.ico", "204")] {
        let answer = get(&to, path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    for query in ["code=x&state=guess", "code=x", "error=access_denied", "", &format!("state={state}")] {
        let answer = get(&to, &format!("/?{query}"));
        assert!(answer.starts_with("HTTP/1.1 303") && location(&answer) == "/", "{query}: {answer}");
        assert!(answer.contains("Nobody waits for this page"), "{query}: {answer}");
    }
    consents(&sandbox, started, &address);
}

#[test]
fn what_is_no_http_does_not_end_the_wait() {
    let sandbox = Sandbox::new();
    let (started, address, to) = begin(&sandbox, &[]);
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20);
    let endless = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &b"x".repeat(200_000)].concat();
    for bytes in [
        b"nonsense\r\n\r\n".as_slice(),
        &hello,
        &[0; 1000],
        b"\xff\xfe\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &endless,
    ] {
        let mut stream = TcpStream::connect(&to).expect("somebody listens");
        let _ = stream.write_all(bytes); // it may be hung up on
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    }
    drop(TcpStream::connect(&to).expect("a port scanner"));
    consents(&sandbox, started, &address);
}

#[test]
fn other_local_users_can_not_keep_the_browser_out() {
    let sandbox = Sandbox::new();
    let (started, address, to) = begin(&sandbox, &[]);
    let half = |_| {
        let mut stream = TcpStream::connect(&to).expect("somebody listens");
        stream.write_all(b"GET /?code=x&state=y HTTP/1.1\r\nHost: ").expect("written");
        stream
    };
    // More than are served at a time: those who do not come to a point are shown the door.
    let _strangers: Vec<_> = (0..300).map(half).collect();
    consents(&sandbox, started, &address);
}

#[test]
fn it_listens_on_loopback_only() {
    let sandbox = Sandbox::new();
    let (_started, _, to) = begin(&sandbox, &[]);
    let port = to.strip_prefix("127.0.0.1:").expect("the address that GitLab knows");
    // All of 127 leads to this machine, and so to whoever listens at every address.
    assert!(!is_closed(&to) && is_closed(&format!("127.0.0.2:{port}")));
}

#[test]
fn a_page_that_is_fetched_for_nobody_uses_nothing_up() {
    let sandbox = Sandbox::new();
    let (started, address, to) = begin(&sandbox, &[]);
    let state = value(&address, "state");
    for purpose in ["Sec-Purpose: prefetch", "Sec-Purpose: prefetch;prerender", "Purpose: prefetch", "X-Moz: prefetch"]
    {
        let line =
            format!("GET /?code=x&state={state} HTTP/1.1\r\nHost: {to}\r\n{purpose}\r\nConnection: close\r\n\r\n");
        let answer = http(&to, &line);
        assert!(answer.starts_with("HTTP/1.1 503"), "{purpose}: {answer}");
    }
    consents(&sandbox, started, &address);
}

#[test]
fn every_answer_is_told_to_nobody_and_kept_nowhere() {
    let sandbox = Sandbox::new();
    let (_started, address, to) = begin(&sandbox, &[]);
    let answer = get(&to, &format!("/?error=access_denied&state={}", value(&address, "state")));
    let shown = get(&to, location(&answer));
    for answer in [&answer, &shown, &get(&to, "/"), &get(&to, "/favicon.ico"), &get(&to, "/elsewhere")] {
        for header in [
            "content-security-policy: default-src 'none'; style-src 'sha256-",
            "frame-ancestors 'none'",
            "cache-control: no-store\r\n",
            "referrer-policy: no-referrer\r\n",
            "x-content-type-options: nosniff\r\n",
            "cross-origin-opener-policy: same-origin\r\n",
        ] {
            assert!(answer.contains(header), "{header}: {answer}");
        }
        assert!(!answer.contains("unsafe") && !answer.contains("<script"), "{answer}");
    }
}

#[test]
fn a_code_leaves_the_address_and_the_terminal_does_not_wait_for_that() {
    let sandbox = Sandbox::new();
    let (started, address, to) = begin(&sandbox, &[]);
    // A browser of the year 1996 that follows nothing, and whose person said no.
    let line = format!("GET /?error=access_denied&state={} HTTP/1.0\r\nHost: {to}\r\n\r\n", value(&address, "state"));
    let answer = http(&to, &line);
    let came = Instant::now();
    started.finish().ended_with(4);
    assert!(came.elapsed() < Duration::from_secs(3), "the terminal has its answer");
    assert!(answer.starts_with("HTTP/1.0 303"), "{answer}");
    let page = answer.split_once("\r\n\r\n").expect("a body").1;
    assert!(page.contains("<h1>Not linked</h1>"), "the page is readable as it is: {answer}");
    let path = location(&answer);
    assert!(path.starts_with('/') && path.len() >= 22 && !path.contains('?'), "nobody guesses {path}");
    // Neither a glance at its headers nor somebody else takes the page away, nor its first reading.
    let glance = http(&to, &format!("HEAD {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n"));
    assert!(glance.starts_with("HTTP/1.1 405"), "{glance}");
    assert!(get(&to, "/guess").starts_with("HTTP/1.1 404"));
    for _ in 0..2 {
        let shown = get(&to, path);
        assert!(shown.starts_with("HTTP/1.1 200") && shown.ends_with(page), "{shown}");
    }
    eventually("the listener is closed", || is_closed(&to));
}

#[test]
fn a_page_that_is_loaded_again_shows_the_same() {
    let sandbox = Sandbox::new();
    let (started, address, to) = begin(&sandbox, &["--web"]);
    let asked = sandbox.gitlab.count(Endpoint::Token);
    sandbox.gitlab.fault(Fault::once(Endpoint::Token, What::Delay(Duration::from_secs(1))));
    let path = format!("/?code=x&state={}", value(&address, "state"));
    // The link takes its time, and an impatient person loads the page again.
    let impatient = {
        let mut stream = TcpStream::connect(&to).expect("somebody listens");
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {to}\r\n\r\n").as_bytes()).expect("written");
        assert!(sandbox.gitlab.wait_until(Duration::from_secs(10), |log| {
            log.iter().filter(|request| request.endpoint == Endpoint::Token).count() > asked
        }));
        drop(stream);
        get(&to, &path)
    };
    let again = get(&to, &path);
    let without_date =
        |answer: &str| answer.lines().filter(|line| !line.starts_with("date")).collect::<Vec<_>>().join("\n");
    assert!(impatient.starts_with("HTTP/1.1 303") && impatient.contains("Not linked"), "{impatient}");
    assert_eq!(without_date(&again), without_date(&impatient));
    assert!(get(&to, location(&again)).contains("Not linked"));
    started.finish().ended_with(6);
    assert_eq!(sandbox.gitlab.count(Endpoint::Token), asked + 1, "the code was used once");
}

#[test]
fn giving_up_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let (started, _, to) = begin(&sandbox, &[]);
    assert!(!is_closed(&to));
    drop(started); // Ctrl-C
    eventually("the listener is closed", || is_closed(&to));
    assert_eq!(sandbox.state_files("").len(), 0);
}

#[test]
fn who_comes_too_late_is_told_so() {
    let sandbox = Sandbox::new();
    let (started, address, _) = begin(&sandbox, &["--timeout", "1"]);
    started.finish().ended_with(4);
    let visit = sandbox.browser("alice").visit(&address).expect("a visit");
    assert!(visit.title.starts_with("Too late"), "{visit:?}");
    assert!(visit.text.contains("link") && !visit.url.contains('?'), "{visit:?}");
    sandbox.verb(["status"]).ended_with(3);
}

#[test]
fn a_port_of_the_persons_is_free_for_the_next_try() {
    let sandbox = Sandbox::new();
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
    let uri = format!("http://127.0.0.1:{port}/back");
    let application = Application { redirect_uris: vec![uri.clone()], ..Application::default() };
    let id = sandbox.gitlab.add_application(application).client_id;
    let url = sandbox.gitlab.url();
    sandbox.git(["config", "--global", &format!("credential.{url}.oauthRedirectURL"), &uri]).succeeded();
    sandbox.verb(["link", url, "--client-id", &id, "--timeout", "1"]).ended_with(4);
    // A consent that was denied: the listener stays for a moment, so that the browser sees its page.
    let (started, address) = sandbox.begin_link([url, "--client-id", &id]);
    sandbox.browser("alice").deny().visit(&address).expect("a visit");
    started.finish().ended_with(4);
    sandbox.link_as("alice", [url, "--client-id", &id, "--yes"]).succeeded();
}
