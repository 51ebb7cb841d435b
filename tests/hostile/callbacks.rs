//! What can come to the loopback listener in place of a browser's return. See also [`crate::listener`].

use std::time::Duration;

use crate::support::by_hand::{callback, get, http, value};
use crate::support::{Sandbox, Started};

fn begin(sandbox: &Sandbox) -> (Started, String, String) {
    let words = [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes", "--web"];
    let (started, address) = sandbox.begin_link(words);
    let to = callback(&address);
    (started, address, to)
}

/// What nobody should repeat.
const SCRIPT: &str = "<script>alert(1)</script>";

#[test]
fn whatever_a_stranger_brings_is_repeated_on_no_page_and_ends_no_wait() {
    let sandbox = Sandbox::new();
    let (started, address, to) = begin(&sandbox);
    let state = value(&address, "state").to_owned();
    let long = "x".repeat(50_000);
    let mut queries = vec!["&&&===".to_owned(), "%".into(), "code=%zz&state=%ff%fe".into(), format!("{long}={long}")];
    for name in ["code", "state", "error", "error_description", "scope"] {
        for worth in ["%3Cscript%3Ealert(1)%3C%2Fscript%3E", "%0d%0aSet-Cookie:%20x=y", "%00", "%1b%5b2J", &long] {
            queries.push(format!("{name}={worth}&state=guess&code=x"));
        }
    }
    // Nearly the one that is awaited.
    for state in
        [&state[1..], &state.to_uppercase(), &format!("{state}%00"), &format!("%20{state}"), &format!("{state}x")]
    {
        queries.push(format!("code=x&state={state}"));
    }
    for query in &queries {
        let answer = get(&to, &format!("/?{query}"));
        let shown = &query[..query.len().min(80)];
        assert!(answer.starts_with("HTTP/1.1 "), "{shown}: {answer}");
        assert!(!answer.contains(SCRIPT) && !answer.to_ascii_lowercase().contains("set-cookie"), "{shown}: {answer}");
        assert!(!answer.contains(['\0', '\u{1b}']) && answer.len() < 20_000, "{shown}: {answer}");
    }
    for target in ["http://evil.example/?code=x&state=y", "//evil.example/", "/..%2f..%2fetc/passwd", "*", "/\u{e9}"] {
        let answer = http(&to, &format!("GET {target} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 303"), "{target}: {answer}");
        assert!(!answer.contains("evil.example"), "{target}: {answer}");
    }
    let visit = sandbox.browser("alice").visit(&address).expect("a visit");
    assert!(visit.ok, "{visit:?}");
    started.finish().succeeded();
}

#[test]
fn a_code_that_is_none_ends_the_link_in_one_sentence() {
    let long = "x".repeat(30_000);
    for code in ["%00", "%0d%0a%1b%5b2J", "%ff", "", &long, "a%26client_id%3Devil"] {
        let sandbox = Sandbox::new();
        let (started, address, to) = begin(&sandbox);
        let state = value(&address, "state").to_owned();
        let request = format!("/?code={code}&state={state}");
        let page = std::thread::spawn(move || get(&to, &request));
        let finished = started.finish();
        page.join().expect("it is answered");
        assert!(finished.code.is_some_and(|code| (1..=6).contains(&code)), "{finished:?}");
        assert!(!finished.stderr.contains('\u{1b}') && finished.stderr.len() < 5_000, "{finished:?}");
        assert!(finished.took < Duration::from_secs(20), "{finished:?}");
        assert_eq!(sandbox.state_files("").len(), 0);
    }
}
