//! An address that a person copied from a browser which could not open it: we visit it in the
//! browser's place.
//!
//! The browser was sent to the daemon's listener on this machine's loopback address, and stands
//! on another machine. Here the listener can be reached, and it takes the address as it would
//! have from the browser: only with the right path and state.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Loopback answers at once or never.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// The listener answers when the link is done, which may take as long as a keyring's prompt, or
/// another four minutes.
const ANSWER_WITHIN: Duration = Duration::from_secs(250);

/// The listener's pages have 2 KB.
const MAX_ANSWER: u64 = 64 * 1024;

/// What the listener made of the address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Visited {
    /// It took it; the daemon tells the rest.
    Taken,
    /// It took it, and there is one more page to open.
    Onward(String),
    /// It waits for another one.
    Stranger,
}

/// The request for the listener: authority, and path with query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Return {
    authority: String,
    target: String,
}

impl Return {
    /// Finds it in what was pasted, whatever a browser or a chat program did to it. The text of an
    /// error says what is wrong.
    pub(super) fn parse(pasted: &str, redirect_uri: &str) -> Result<Self, &'static str> {
        let pasted = pasted.trim().trim_matches(['<', '>', '"', '\'', '`']);
        if pasted.contains("/oauth/authorize?") {
            return Err("this is the address to open; paste the one that the browser shows after you agreed");
        }
        let expected = redirect_uri.strip_prefix("http://").unwrap_or(redirect_uri);
        let (authority, path) = expected.split_at(expected.find('/').unwrap_or(expected.len()));
        let path = if path.is_empty() { "/" } else { path };
        let (before, query) = pasted.split_once('?').ok_or("there is no code in it; paste the whole address")?;
        let before = before.strip_prefix("http://").unwrap_or(before).trim_end_matches('/');
        if !before.is_empty() && before != format!("{authority}{path}").trim_end_matches('/') {
            return Err("this is not the address that the browser was sent to; paste the newest one");
        }
        let query = query.split('#').next().unwrap_or_default();
        let has = |name: &str| query.split('&').any(|pair| pair.split_once('=').is_some_and(|(key, _)| key == name));
        if !has("state") || !(has("code") || has("error")) {
            return Err("a part of it is missing; paste the whole address");
        }
        if !query.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("it was broken on the way; paste the whole address, on one line");
        }
        Ok(Self { authority: authority.to_owned(), target: format!("{path}?{query}") })
    }

    /// Visits the listener.
    pub(super) fn visit(&self) -> io::Result<Visited> {
        let named = self.authority.replace("localhost", "127.0.0.1");
        let has_port = named.rsplit(']').next().is_some_and(|end| end.contains(':'));
        let named = if has_port { named } else { format!("{named}:80") };
        let address: SocketAddr = named.parse().map_err(io::Error::other)?;
        let mut stream = TcpStream::connect_timeout(&address, CONNECT_WITHIN)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        let Self { authority, target } = self;
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
        Ok(self.read(&answer))
    }

    fn read(&self, answer: &str) -> Visited {
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        let status = head.split(' ').nth(1).unwrap_or_default();
        let location = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
        });
        match (status, location) {
            // Its own pages are named by their paths.
            ("303", Some(url)) if url.contains("://") => Visited::Onward(url),
            // What it does not take it sends away to where nothing is.
            ("303", Some(url)) if !self.target.starts_with(&format!("{url}?")) => Visited::Taken,
            _ => Visited::Stranger,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIRECT_URI: &str = "http://127.0.0.1:4321";

    #[test]
    fn an_address_is_found_however_it_was_copied() {
        let expected = Return { authority: "127.0.0.1:4321".into(), target: "/?code=abc&state=xyz".into() };
        for pasted in [
            "http://127.0.0.1:4321/?code=abc&state=xyz",
            "http://127.0.0.1:4321?code=abc&state=xyz\n",
            "  127.0.0.1:4321/?code=abc&state=xyz ",
            "<http://127.0.0.1:4321/?code=abc&state=xyz>",
            "\"http://127.0.0.1:4321/?code=abc&state=xyz#\"",
            "?code=abc&state=xyz",
        ] {
            assert_eq!(Return::parse(pasted, REDIRECT_URI).as_ref(), Ok(&expected), "{pasted}");
        }
        let denied = Return::parse("http://127.0.0.1:4321/?error=access_denied&state=xyz", REDIRECT_URI);
        assert!(denied.is_ok());
        let with_path = Return::parse("http://127.0.0.1:9/callback?code=a&state=b", "http://127.0.0.1:9/callback");
        assert_eq!(with_path.expect("whole").target, "/callback?code=a&state=b");
    }

    #[test]
    fn what_is_no_such_address_is_told_apart() {
        for (pasted, part) in [
            ("", "no code"),
            ("hello", "no code"),
            ("https://gitlab.example/oauth/authorize?client_id=1&state=2", "the address to open"),
            ("http://127.0.0.1:4321/?code=abc", "missing"),
            ("http://127.0.0.1:4321/?state=xyz", "missing"),
            ("http://127.0.0.1:9999/?code=abc&state=xyz", "newest"),
            ("https://evil.example/?code=abc&state=xyz", "newest"),
            ("http://127.0.0.1:4321/?code=abc&state=x z", "broken"),
            ("http://127.0.0.1:4321/?code=abc&state=x\r\nHost: evil", "broken"),
        ] {
            let why = Return::parse(pasted, REDIRECT_URI).expect_err(pasted);
            assert!(why.contains(part), "{pasted}: {why}");
        }
    }

    #[test]
    fn the_listeners_answers_are_told_apart() {
        let sent = Return::parse("?code=a&state=b", REDIRECT_URI).expect("whole");
        let answer = |location: &str| sent.read(&format!("HTTP/1.1 303 See Other\r\nlocation: {location}\r\n\r\n<p>"));
        let onward = "https://gitlab.example/oauth/authorize?client_id=1";
        assert_eq!(answer(onward), Visited::Onward(onward.into()));
        assert_eq!(answer("/c2VjcmV0"), Visited::Taken);
        assert_eq!(answer("/"), Visited::Stranger);
        assert_eq!(sent.read("HTTP/1.1 404 Not Found\r\n\r\n"), Visited::Stranger);
        assert_eq!(sent.read(""), Visited::Stranger);
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_pasted_breaks_out_of_the_request_line(pasted in ".*") {
            if let Ok(found) = Return::parse(&pasted, REDIRECT_URI) {
                proptest::prop_assert!(found.target.bytes().all(|b| b.is_ascii_graphic()));
                proptest::prop_assert_eq!(found.authority, "127.0.0.1:4321");
            }
        }
    }
}
