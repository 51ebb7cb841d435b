//! Faults (contract §2.4, §7).

use crate::support::{Desk, Scene};
use gitlab_stand_in::{Endpoint, Fault, What, When};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

const SOON: Duration = Duration::from_secs(10);

/// A raw request, and what the socket has to say to it.
fn raw(scene: &Scene) -> (Vec<u8>, Option<ErrorKind>) {
    let address = scene.gitlab.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    let token = scene.pair("api").access_token;
    write!(stream, "GET /oauth/token/info?access_token={token} HTTP/1.1\r\nHost: gitlab\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut bytes = Vec::new();
    let outcome = stream.read_to_end(&mut bytes);
    (bytes, outcome.err().map(|error| error.kind()))
}

/// Sends a refresh and leaves the answer to the socket.
fn send_refresh(scene: &Scene, refresh_token: &str) -> TcpStream {
    let form =
        [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("client_id", scene.client_id.as_str())];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let mut stream = TcpStream::connect(scene.gitlab.url().strip_prefix("http://").unwrap()).unwrap();
    write!(
        stream,
        "POST /oauth/token HTTP/1.1\r\nHost: gitlab\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream
}

#[test]
fn a_reset_is_a_reset_and_a_close_a_close() {
    let scene = Scene::new();
    scene.gitlab.fault(Fault::once(Endpoint::TokenInfo, What::Reset));
    assert_eq!(raw(&scene), (vec![], Some(ErrorKind::ConnectionReset)));
    scene.gitlab.fault(Fault::once(Endpoint::TokenInfo, What::Close));
    assert_eq!(raw(&scene), (vec![], None));
}

#[test]
fn a_truncated_answer_promises_more_than_it_holds() {
    let scene = Scene::new();
    let (whole, _) = raw(&scene);
    scene.gitlab.fault(Fault::once(Endpoint::TokenInfo, What::Truncate));
    let (cut, _) = raw(&scene);
    let split = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), body.to_owned())
    };
    let ((_, whole), (head, half)) = (split(&whole), split(&cut));
    assert!(head.contains(&format!("content-length: {}", whole.len())), "{head}");
    assert_eq!(half.len(), whole.len() / 2);
}

#[test]
fn rate_limits_and_outages_are_statuses_with_headers() {
    let scene = Scene::new();
    let headers = vec![("Retry-After".to_owned(), "7".to_owned())];
    let what = What::Status { code: 429, headers, body: "Retry later\n".to_owned() };
    scene.gitlab.fault(Fault { on: Endpoint::Any, when: When::Before, what, times: Some(2) });
    for reply in [scene.refresh("x"), scene.get("/api/v4/user", "x")] {
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (429, "7"));
        assert_eq!(reply.text(), "Retry later\n");
    }
    assert_eq!(scene.refresh("x").status, 400);
}

#[test]
fn odd_answers_are_delivered_as_ordered() {
    let scene = Scene::new();
    let answers = [What::Empty, What::Html, What::BrokenJson, What::Body(b"{\"a\":\"\x1b[2J\"}".to_vec())];
    for what in answers {
        scene.gitlab.fault(Fault::once(Endpoint::Token, what.clone()));
        let reply = scene.refresh("x");
        assert_eq!(reply.status, 200);
        match what {
            What::Empty => assert!(reply.body.is_empty()),
            What::Html => assert!(reply.header("content-type").starts_with("text/html")),
            What::Body(bytes) => assert_eq!(reply.body, bytes),
            _ => assert!(reply.json().is_null() && !reply.body.is_empty()),
        }
    }
}

#[test]
fn silence_lasts_and_can_be_waited_for() {
    let scene = Scene::new();
    let pair = scene.pair("api");
    let after = Fault { times: None, ..Fault::once_after(Endpoint::Token, What::Silence) };
    scene.gitlab.fault(after);
    let mut stream = send_refresh(&scene, &pair.refresh_token);
    assert!(scene.gitlab.wait_until(SOON, |log| log.iter().any(|request| request.who.is_some())));
    assert_eq!(scene.get("/oauth/token/info", &pair.access_token).status, 401, "processed, but unsaid");
    stream.set_nonblocking(true).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(scene.gitlab.requests()[0].status, None);
    scene.gitlab.clear_faults();
    assert_eq!(scene.refresh(&pair.refresh_token).status, 400);
}

#[test]
fn the_server_finishes_what_an_impatient_client_began() {
    let scene = Scene::new();
    let pair = scene.pair("api");
    for when in [When::Before, When::After] {
        let what = What::Delay(Duration::from_millis(50));
        scene.gitlab.fault(Fault { on: Endpoint::Token, when, what, times: Some(1) });
    }
    for answered in 1..=2 {
        let stream = send_refresh(&scene, &pair.refresh_token);
        assert!(scene.gitlab.wait_until(SOON, |log| log.len() == answered));
        drop(stream);
        let done = |log: &[gitlab_stand_in::Request]| log.iter().filter(|entry| entry.status.is_some()).count();
        assert!(scene.gitlab.wait_until(SOON, |log| done(log) == answered));
    }
    let statuses: Vec<_> = scene.gitlab.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(200), Some(400)]);
}

#[test]
fn waiting_for_what_never_comes_ends() {
    let scene = Scene::new();
    assert!(!scene.gitlab.wait_until(Duration::from_millis(1), |log| !log.is_empty()));
}

#[test]
fn a_delayed_answer_is_the_true_one() {
    let scene = Scene::new();
    scene.gitlab.fault(Fault::once(Endpoint::Token, What::Delay(Duration::from_millis(20))));
    assert_eq!(scene.refresh(&scene.pair("api").refresh_token).status, 200);
}

#[test]
fn git_feels_faults_too() {
    let scene = Scene::new();
    let desk = Desk::new();
    let remote = scene.remote("group/app.git", &scene.pair("api").access_token);
    let body = "Gitaly is resting".to_owned();
    scene.gitlab.fault(Fault::once(Endpoint::Git, What::Status { code: 503, headers: vec![], body }));
    assert!(!desk.git(&scene.gitlab, &["ls-remote", &remote]).status.success());
    // Git's first request is anonymous; this must hit the answers after it, too.
    scene.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Git, What::Truncate) });
    assert!(!desk.git(&scene.gitlab, &["ls-remote", &remote]).status.success());
    scene.gitlab.clear_faults();
    assert!(desk.git(&scene.gitlab, &["ls-remote", &remote]).status.success());
}

#[test]
fn a_push_whose_answer_is_lost_has_happened() {
    let scene = Scene::new();
    let desk = Desk::new();
    let remote = scene.remote("group/app.git", &scene.pair("api").access_token);
    desk.git_ok(&scene.gitlab, &["clone", "--quiet", &remote, "app"]);
    desk.git_ok(&scene.gitlab, &["-C", "app", "commit", "--quiet", "--allow-empty", "--message=Lost"]);
    // Two requests go before: the anonymous one, and the one that asks for the refs.
    for _ in 0..2 {
        scene.gitlab.fault(Fault::once(Endpoint::Git, What::Delay(Duration::ZERO)));
    }
    scene.gitlab.fault(Fault::once_after(Endpoint::Git, What::Close));
    assert!(!desk.git(&scene.gitlab, &["-C", "app", "push", "--quiet"]).status.success());
    let head = desk.git_ok(&scene.gitlab, &["-C", "app", "rev-parse", "HEAD"]);
    assert!(desk.git_ok(&scene.gitlab, &["ls-remote", &remote, "main"]).starts_with(head.trim()));
}

#[test]
fn the_log_holds_no_secrets() {
    let scene = Scene::new();
    let pair = scene.pair("api");
    scene.refresh(&pair.refresh_token);
    scene.get(&format!("/oauth/token/info?access_token={}", pair.access_token), "x");
    let callback = crate::support::Callback::listen();
    scene.code(&callback, &[]);
    let log = serde_json::to_string(&scene.gitlab.requests()).unwrap();
    for secret in scene.gitlab.secrets() {
        assert!(!log.contains(&secret));
    }
    assert!(log.contains("\"grant_type\":\"refresh_token\""));
}
