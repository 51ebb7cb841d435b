//! What reads bytes of others, for any bytes: the bodies of the fuzz targets in `contrib/fuzz`, which
//! are run here too, on made-up bytes and on all that was ever found (`contrib/fuzz/corpus`).
//!
//! None of this is in a program: it is built for tests and for cargo-fuzz alone.

use std::io;

use crate::credential::{Attributes, MAX_LINE, Malformed, Parser, printable};
use crate::helper::{self, Verb};
use crate::protocol::{Code, Failure, MAX_MESSAGE, frame};

pub use crate::daemon::fuzzing::{answers, git_config, state_files};

/// What reads some bytes, and panics if that did harm.
type Body = fn(&[u8]);

/// All targets, by the names of their directories in the corpus.
pub const TARGETS: [(&str, Body); 6] = [
    ("answers", answers),
    ("attributes", attributes),
    ("git_config", git_config),
    ("journal", journal),
    ("protocol", protocol),
    ("state_files", state_files),
];

/// The attribute parser: whole, in pieces, and again after writing.
pub fn attributes(bytes: &[u8]) {
    let limit = MAX_LINE + 4;
    let whole = parse(bytes, bytes.len().max(1), limit);
    let size = 1 + bytes.first().map_or(0, |&first| usize::from(first) % 7);
    assert_eq!(whole, parse(bytes, size, limit), "in pieces of {size}");
    let Ok(message) = whole else { return };
    let mut plain = Vec::new();
    for (key, value) in message.iter() {
        assert!(!key.is_empty() && key.len() + value.len() < MAX_LINE + 1);
        assert!(!key.contains(&b'=') && ![key, value].concat().iter().any(|b| matches!(b, b'\n' | b'\r' | 0)));
        assert!(!plain.contains(&key), "a plain key is there once");
        plain.extend(Some(key).filter(|key| !key.ends_with(b"[]")));
    }
    assert_eq!(parse(&frame(&message), 4096, usize::MAX), Ok(message), "what was written is read");
}

/// Reads one message from pieces of this size.
fn parse(bytes: &[u8], size: usize, limit: usize) -> Result<Attributes, Malformed> {
    let mut parser = Parser::new(limit);
    for piece in bytes.chunks(size) {
        if let Some(used) = parser.feed(piece)? {
            assert!(used <= piece.len());
            return Ok(parser.take());
        }
    }
    parser.finish()
}

/// The wire protocol: any bytes as a request to the daemon, as its answer to the helper, and as what
/// git asks the helper.
pub fn protocol(bytes: &[u8]) {
    let message = Attributes::read(bytes, MAX_MESSAGE);
    if let Ok(message) = &message {
        crate::daemon::fuzzing::request(message);
        if let Some(failure) = Failure::in_block(message) {
            assert_eq!(printable(&failure.message, usize::MAX), failure.message);
        }
        let question = b"protocol=https\nhost=h\n";
        let (code, told, said) = asked(Verb::Get, question, message);
        assert_eq!(code, 0);
        assert!(told.is_empty() || told.ends_with(b"\n"));
        for line in told.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            assert!(line.contains(&b'=') && line.iter().all(|b| b.is_ascii_graphic()), "{told:?}");
        }
        is_one_line(&said);
    }
    let answer = Attributes::new().with("username", "oauth2").with("password", "hunter2");
    let answer = Failure::new(Code::Failed, "no")
        .to_block()
        .iter()
        .fold(answer, |answer, (key, value)| answer.with(str::from_utf8(key).expect("ours"), value));
    for verb in [Verb::Get, Verb::Store, Verb::Erase] {
        let (code, told, said) = asked(verb, bytes, &answer);
        assert!(code <= 1 && (code == 0 || told.is_empty()));
        assert!(verb == Verb::Get || (told.is_empty() && said.is_empty()));
        is_one_line(&said);
    }
}

/// What the helper says that is asked this, by a daemon that answers so.
fn asked(verb: Verb, question: &[u8], answer: &Attributes) -> (u8, Vec<u8>, Vec<u8>) {
    let (mut told, mut said) = (Vec::new(), Vec::new());
    let code = helper::run_with(verb, b"", question, &mut told, &mut said, |request, _, _| {
        let read = Attributes::read(io::Cursor::new(frame(request)), MAX_MESSAGE * 32);
        assert_eq!(&read.expect("what was written is read"), request);
        Ok(Some(answer.clone()))
    });
    (code, told, said)
}

fn is_one_line(said: &[u8]) {
    let said = str::from_utf8(said).expect("text");
    assert!(said.lines().count() <= 1 && said.trim() == printable(said, usize::MAX), "{said:?}");
}

/// The journal, as `log` shows it.
pub fn journal(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for json in [false, true] {
        crate::cli::journal_shown(&text, json);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::path::Path;

    /// All inputs of a target that are kept, by their names.
    fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/fuzz/corpus").join(target);
        let entries = directory.read_dir().expect("it has a corpus").map(|entry| entry.expect("readable").path());
        entries.map(|path| (path.display().to_string(), std::fs::read(path).expect("readable"))).collect()
    }

    #[test]
    fn all_that_was_ever_found_stays_mended() {
        for (target, body) in TARGETS {
            let corpus = corpus(target);
            assert!(corpus.len() >= 5, "{target}");
            for (name, bytes) in corpus {
                println!("{name}"); // shown if this one fails
                body(&bytes);
                // Cut off anywhere, and with a byte of it changed: what a disk or a network makes of it.
                for at in (0..bytes.len()).step_by(1 + bytes.len() / 40) {
                    body(&bytes[..at]);
                    let mut changed = bytes.clone();
                    changed[at] ^= 1 << (at % 8);
                    body(&changed);
                }
            }
        }
    }

    /// Pieces of what is usual, in any order, between any bytes.
    fn any_input() -> impl Strategy<Value = Vec<u8>> {
        let known = [
            "protocol=https\n",
            "host=gitlab.example/base\n",
            "host=h\n",
            "path=base/x.git\n",
            "password=hunter2\n",
            "url=https://h/",
            "action=get\n",
            "error=failed\n",
            "message=",
            "capability[]=",
            "\n",
            "\n\n",
            "\r\n",
            "=",
            "\0",
            "[]=",
            "\u{1b}[2J",
            "{",
            "}",
            "[",
            "]",
            "\"",
            ":",
            ",",
            "null",
            "-1",
            "1e400",
            "18446744073709551616",
            "9223372036854775807",
            "{\"version\":1",
            "\"access_token\"",
            "\"expires_in\":",
            "\"id\":",
            "\"username\":",
            "\"at\":",
            "200\n",
            "401\n",
            "302\nlocation: ",
            "https://",
            "credential.https://gitlab.example.gitlabaccount\n",
            "http.proxy\n",
            "http.extraheader\nX: y\0",
            "hunter2^alice",
        ];
        let piece = prop_oneof![
            3 => proptest::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
            1 => vec(any::<u8>(), 0..20),
        ];
        vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_without_harm(bytes in any_input()) {
            for (_, body) in TARGETS {
                body(&bytes);
            }
        }
    }
}
