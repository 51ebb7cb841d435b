//! The program: a server for scripts, and a browser for clients to open.

use crate::support::{Callback, Scene};
use serde_json::Value;
use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gitlab-stand-in");

fn serve(args: &[&str]) -> (Child, Value) {
    let mut command = Command::new(PROGRAM);
    command.arg("serve").args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

#[test]
fn a_seeded_server_lives_as_long_as_its_script() {
    let (mut child, ready) = serve(&["--https", "--base-path", "/gitlab", "--seed", "--until-stdin-closes"]);
    assert!(ready["url"].as_str().unwrap().ends_with("/gitlab"));
    assert_eq!(ready["project"], "group/app");
    let callback = Callback::listen();
    let url = format!(
        "{}/oauth/authorize?client_id={}&redirect_uri={}&response_type=code&scope=openid",
        ready["url"].as_str().unwrap(),
        ready["client_id"].as_str().unwrap(),
        callback.uri
    );
    let ca = ready["ca"].as_str().unwrap();
    let browser = Command::new(PROGRAM).args(["browser", "--as", "alice", "--ca", ca, &url]).output().unwrap();
    assert!(browser.status.success(), "{}", String::from_utf8_lossy(&browser.stderr));
    assert_eq!(browser.stdout, b"All done\n");
    assert!(callback.take().contains_key("code"));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(!std::path::Path::new(ca).exists(), "its files are gone");
}

#[test]
fn a_token_may_live_for_seconds_only() {
    let (mut child, ready) = serve(&["--seed", "--token-lifetime", "7", "--until-stdin-closes"]);
    let body = format!(r#"{{"user": "alice", "client_id": {}, "scopes": "api"}}"#, ready["client_id"]);
    let pair = exchange(&ready["control"], "POST", "/tokens", "Content-Type: application/json", &body);
    let bearer = format!("Authorization: Bearer {}", pair["access_token"].as_str().unwrap());
    let info = exchange(&ready["url"], "GET", "/oauth/token/info", &bearer, "");
    assert!((1..=7).contains(&info["expires_in"].as_u64().unwrap()), "{info}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

/// Sends one request and reads its answer as JSON.
fn exchange(base: &Value, method: &str, path: &str, header: &str, body: &str) -> Value {
    let authority = base.as_str().unwrap().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\n{header}\r\nContent-Length: {length}");
    write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}").unwrap();
    let answer = io::read_to_string(stream).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn a_signal_ends_the_server_cleanly() {
    let (mut child, ready) = serve(&[]);
    assert!(ready["client_id"].is_null() && ready["ca"].is_null());
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success() && child.wait().unwrap().success());
}

#[test]
fn the_browser_fails_on_an_error_page() {
    let scene = Scene::new();
    let url = scene.authorize_url("http://evil.example", &[]);
    let browser = Command::new(PROGRAM).args(["browser", &url]).output().unwrap();
    assert!(!browser.status.success());
    assert_eq!(String::from_utf8(browser.stdout).unwrap(), "An error has occurred · GitLab\n");
    assert!(String::from_utf8(browser.stderr).unwrap().contains("The redirect URI included is not valid."));
}
