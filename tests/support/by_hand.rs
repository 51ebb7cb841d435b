//! What comes to the listener of a link without a browser: requests written by hand.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Host and port of the loopback listener that an authorization address names.
pub fn callback(address: &str) -> String {
    let encoded = value(address, "redirect_uri");
    encoded.replace("%3A", ":").replace("%2F", "/").trim_start_matches("http://").trim_end_matches('/').to_owned()
}

/// The value of a query's key.
pub fn value<'a>(address: &'a str, key: &str) -> &'a str {
    let query = address.split_once('?').expect("a query").1;
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')).expect("the key")
}

/// Sends a request, and returns the answer.
pub fn http(to: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(to).expect("somebody listens");
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Asks for a path as a browser does.
pub fn get(to: &str, path: &str) -> String {
    http(to, &format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n"))
}

/// Where an answer sends the browser.
#[track_caller]
pub fn location(answer: &str) -> &str {
    let found = answer.lines().find_map(|line| line.strip_prefix("location: "));
    found.unwrap_or_else(|| panic!("no location: {answer}"))
}
