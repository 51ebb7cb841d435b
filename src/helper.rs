//! git's side: `get`, `store`, `erase` and `capability`, as gitcredentials(7) has them.
//!
//! git runs this on every fetch and push, so it is std only, starts no process when all is well,
//! and is careful in three ways: stdout carries attributes or nothing; a foreign host is silence;
//! whatever fails is one line on stderr.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::client::{self, CallError, Start};
use crate::credential::{Attributes, ReadError, printable};
use crate::protocol::{self, Failure, action, key};

/// git sends well under 4 KiB. A server can make it larger by sending `WWW-Authenticate` headers,
/// which come here as `wwwauth[]`; beyond this much it is an attack.
const MAX_REQUEST: usize = 1 << 20;

/// Nobody above us has a time limit: git, git-lfs, cargo and IDEs wait as long as we live.
const GET_WITHIN: Duration = Duration::from_secs(10);

/// The daemon takes a store or an erase without asking anyone, so this is for one that hangs.
const JUDGED_WITHIN: Duration = Duration::from_secs(3);

/// Seconds after which this process ends whatever it waits for, git included.
const LAST_RESORT: u32 = 12;

/// Names the account that this command and its children get, and no other.
pub const ACCOUNT_VARIABLE: &str = "GIT_CREDENTIAL_GITLAB_ACCOUNT";

/// What of git's request the daemon needs to know.
const GET_KEYS: [&str; 6] = ["protocol", "host", "path", "username", "capability[]", key::MIN_LIFE];

/// The same for a password that worked, or was refused.
const JUDGED_KEYS: [&str; 4] = ["protocol", "host", "username", "password"];

/// git's verbs. Any other word on the command line is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// A credential, please.
    Get,
    /// The credential worked: what was refused before does not count any more.
    Store,
    /// The server refused the credential.
    Erase,
    /// What can you do?
    Capability,
}

impl Verb {
    /// The verb of a word, if it is git's.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "get" => Verb::Get,
            "store" => Verb::Store,
            "erase" => Verb::Erase,
            "capability" => Verb::Capability,
            _ => return None,
        })
    }
}

/// Runs one verb; the result is the exit code. git ignores it, but cargo and gitoxide drop an
/// answer that comes with anything but 0.
pub fn run(verb: Verb, stdin: impl Read, stdout: impl Write, stderr: impl Write) -> u8 {
    client::end_after(LAST_RESORT);
    let account = std::env::var_os(ACCOUNT_VARIABLE).unwrap_or_default();
    let ask = |request: &Attributes, start, within| client::ask(request, start, within);
    run_with(verb, account.as_encoded_bytes(), stdin, stdout, stderr, ask)
}

/// [`run`] with the environment given, and the daemon as a function.
pub(crate) fn run_with<Ask>(
    verb: Verb,
    account: &[u8],
    stdin: impl Read,
    mut stdout: impl Write,
    mut stderr: impl Write,
    ask: Ask,
) -> u8
where
    Ask: FnOnce(&Attributes, Start, Duration) -> Result<Option<Attributes>, CallError>,
{
    let mut complain = |message: &str| {
        // Nobody may be left to read it.
        let _ = writeln!(stderr, "git-credential-gitlab: {}", printable(message, 1000));
    };
    match verb {
        Verb::Capability => {
            let _ = stdout.write_all(b"version 0\ncapability authtype\n");
            0
        }
        Verb::Store | Verb::Erase => {
            if let Ok(judged) = Attributes::read(stdin, MAX_REQUEST)
                && is_for_gitlab(&judged)
                && judged.get("password").is_some_and(|password| !password.is_empty())
            {
                let action = if verb == Verb::Store { action::STORE } else { action::ERASE };
                let request = forward(action, &judged, &JUDGED_KEYS);
                let _ = ask(&request, Start::Never, JUDGED_WITHIN); // a daemon that is gone has forgotten
            }
            0
        }
        Verb::Get => {
            let wanted = match Attributes::read(stdin, MAX_REQUEST) {
                Ok(wanted) => wanted,
                Err(ReadError::Io(_)) => return 0,
                Err(ReadError::Malformed(why)) => {
                    complain(&format!("the request for a credential has {why}"));
                    return 1;
                }
            };
            if !is_for_gitlab(&wanted) {
                return 0;
            }
            let mut request = forward(action::GET, &wanted, &GET_KEYS);
            if !account.is_empty() {
                request.push(key::ACCOUNT, account);
            }
            match ask(&request, Start::IfLinked, GET_WITHIN) {
                Ok(None) => {}
                Ok(Some(answer)) => {
                    if let Some(failure) = Failure::in_block(&answer) {
                        complain(&failure.message);
                    }
                    let _ = stdout.write_all(&for_git(&answer)); // git may be gone
                }
                Err(why) => complain(&why.to_string()),
            }
            0
        }
    }
}

/// Whether the request can be about a GitLab at all: an HTTP scheme, a host, and no `url` that
/// says something else than they do. The daemon compares host and port with what is linked.
fn is_for_gitlab(request: &Attributes) -> bool {
    let (Some(protocol), Some(host)) = (request.get("protocol"), request.get("host")) else {
        return false;
    };
    if host.is_empty() || !(protocol.eq_ignore_ascii_case(b"https") || protocol.eq_ignore_ascii_case(b"http")) {
        return false;
    }
    // Only libraries send `url`, along with its parts. It is not used, and must not contradict.
    request.get("url").is_none_or(|url| {
        let Some(after) = url.strip_prefix([protocol, b"://"].concat().as_slice()) else { return false };
        // Some take a backslash for the end of the host, some for a part of the user name.
        let authority = after.split(|b| matches!(b, b'/' | b'?' | b'#' | b'\\')).next().unwrap_or_default();
        authority.rsplit(|&b| b == b'@').next() == Some(host)
    })
}

/// The request for the daemon: the keys it needs, and nothing that a server can make large.
fn forward(action: &str, request: &Attributes, keys: &[&str]) -> Attributes {
    let mut forwarded = protocol::request(action);
    for (name, value) in request.iter() {
        if let Some(name) = keys.iter().find(|known| known.as_bytes() == name) {
            forwarded.push(name, value);
        }
    }
    forwarded
}

/// What git gets to see of the daemon's answer: nothing that is ours, and nothing at all if a
/// value could break a line in any client, or a credential is not whole.
fn for_git(answer: &Attributes) -> Vec<u8> {
    const OURS: [&str; 3] = [key::ERROR, key::MESSAGE, key::DONE];
    let mut lines = Vec::new();
    for (name, value) in answer.iter().filter(|(name, _)| !OURS.iter().any(|ours| ours.as_bytes() == *name)) {
        if value.is_empty() || ![name, value].into_iter().flatten().all(u8::is_ascii_graphic) {
            return Vec::new();
        }
        lines.extend_from_slice(&[name, b"=", value, b"\n"].concat());
    }
    let whole = answer.get("username").is_some() == answer.get("password").is_some();
    if whole { lines } else { Vec::new() }
}

/// Whether a program speaks to us through stdin, as git does with its helpers; a person or a
/// script has a terminal or the null device there. A program that gets to an operation we don't
/// know expects silence (gitcredentials(7)); a person expects to be told.
pub fn asked_by_a_program() -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        use std::os::unix::fs::FileTypeExt;
        let stdin = io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from);
        stdin.and_then(|file| file.metadata()).is_ok_and(|found| !found.file_type().is_char_device())
    }
    #[cfg(not(unix))]
    {
        use std::io::IsTerminal;
        !io::stdin().is_terminal()
    }
}

/// The text for a person who runs the helper where the other programs are not installed.
pub fn no_people_verbs(stderr: &mut impl Write) -> io::Result<()> {
    writeln!(stderr, "git-credential-gitlab: only git's verbs (get, store, erase) are installed here;")?;
    writeln!(stderr, "link, status and the others need git-credential-gitlab--cli beside this program")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: &str = "protocol=https\nhost=gitlab.example\n\n";

    fn answer() -> Attributes {
        Attributes::new().with("username", "oauth2").with("password", "token").with("password_expiry_utc", "1234567890")
    }

    /// Exit code, stdout, stderr.
    fn run_get(input: &[u8], reply: Result<Option<Attributes>, CallError>) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run_with(Verb::Get, b"", input, &mut out, &mut err, |_, _, _| reply);
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (code, text(out), text(err))
    }

    fn must_not_ask(verb: Verb, input: &[u8]) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ask = |_: &_, _, _| panic!("asked for {:?}", String::from_utf8_lossy(input));
        run_with(verb, b"", input, &mut out, &mut err, ask);
        assert!(out.is_empty(), "{out:?}");
    }

    #[test]
    fn a_credential_is_copied_and_our_own_keys_are_not() {
        let (code, out, err) = run_get(WANTED.as_bytes(), Ok(Some(answer().with("done", "1"))));
        assert_eq!((code, err.as_str()), (0, ""));
        assert_eq!(out, "username=oauth2\npassword=token\npassword_expiry_utc=1234567890\n");
    }

    #[test]
    fn a_refusal_is_one_line_on_stderr_and_quit_reaches_git() {
        let failure = Failure::new(protocol::Code::Relink, "link\u{1b}[2J again").to_block().with("quit", "1");
        let (code, out, err) = run_get(WANTED.as_bytes(), Ok(Some(failure)));
        assert_eq!((code, out.as_str()), (0, "quit=1\n"));
        assert_eq!(err, "git-credential-gitlab: link\u{fffd}[2J again\n");
    }

    #[test]
    fn a_broken_answer_prints_nothing() {
        for token in ["a b", "tök", "a\u{7f}", ""] {
            let broken = Attributes::new().with("username", "oauth2").with("password", token);
            assert_eq!(run_get(WANTED.as_bytes(), Ok(Some(broken))).1, "", "{token:?}");
        }
        let odd = answer().with("\u{1b}[2J", "x");
        assert_eq!(run_get(WANTED.as_bytes(), Ok(Some(odd))).1, "");
        let half = Attributes::new().with("username", "oauth2");
        assert_eq!(run_get(WANTED.as_bytes(), Ok(Some(half))).1, "");
    }

    #[test]
    fn a_request_that_is_not_for_gitlab_never_reaches_the_daemon() {
        for input in [
            "",
            "\n",
            "\nprotocol=https\nhost=h\n",
            "protocol=https\n",
            "host=h\n",
            "protocol=https\nhost=\n",
            "protocol=\nhost=h\n",
            "protocol=ssh\nhost=h\n",
            "protocol=https:\nhost=h\n",
            "url=https://h/\n",
            "protocol=https\nhost=h\nurl=https://evil/\n",
            "protocol=https\nhost=h\nurl=http://h/\n",
            "protocol=https\nhost=h\nurl=https://evil\\@h/\n",
            "protocol=https\nhost=h\nhost=h\n",
            "Protocol=https\nhost=h\n",
            "\u{feff}protocol=https\nhost=h\n",
        ] {
            must_not_ask(Verb::Get, input.as_bytes());
        }
    }

    #[test]
    fn a_url_that_agrees_is_ignored() {
        let input = b"protocol=https\nhost=h\nurl=https://user@h/path\n";
        assert!(run_get(input, Ok(Some(answer()))).1.contains("password="));
    }

    #[test]
    fn an_unparsable_request_is_one_line_and_exit_1() {
        let (code, out, err) = run_get(b"protocol=https\nsecret words\n", Ok(Some(answer())));
        assert_eq!((code, out.as_str()), (1, ""));
        assert_eq!(err.lines().count(), 1);
        assert!(!err.contains("secret"), "{err}");
    }

    #[test]
    fn the_daemon_is_not_told_what_it_need_not_know() {
        let input = b"protocol=https\nhost=h\nwwwauth[]=Basic\npassword=x\noauth_refresh_token=y\nmin_life=60\n";
        run_with(Verb::Get, b"", &input[..], io::sink(), io::sink(), |request, _, _| {
            assert_eq!(request.to_bytes(), b"action=get\nprotocol=https\nhost=h\nmin_life=60\n");
            Ok(None)
        });
    }

    #[test]
    fn only_the_environment_names_an_account() {
        let input = b"protocol=https\nhost=h\naccount=mallory\n";
        for (account, line) in [("", ""), ("alice+read-only", "account=alice+read-only\n")] {
            run_with(Verb::Get, account.as_bytes(), &input[..], io::sink(), io::sink(), |request, _, _| {
                let expected = format!("action=get\nprotocol=https\nhost=h\n{line}");
                assert_eq!(String::from_utf8_lossy(&request.to_bytes()), expected);
                Ok(None)
            });
        }
    }

    #[test]
    fn a_cut_off_erase_costs_nothing() {
        must_not_ask(Verb::Erase, b"protocol=https\nhost=h\nusername=oauth2\n");
        must_not_ask(Verb::Erase, b"protocol=https\nhost=h\nusername=oauth2\npassword=\n");
        must_not_ask(Verb::Erase, b"nonsense\n");
    }

    #[test]
    fn a_store_of_nothing_asks_nobody() {
        must_not_ask(Verb::Store, b"protocol=https\nhost=h\nusername=oauth2\n");
        must_not_ask(Verb::Store, b"nonsense\n");
    }

    #[test]
    fn erase_and_store_start_no_daemon() {
        let input = b"protocol=https\nhost=h\npassword=x\n";
        for (verb, action) in [(Verb::Erase, "erase"), (Verb::Store, "store")] {
            run_with(verb, b"", &input[..], io::sink(), io::sink(), |request, start, _| {
                assert_eq!((request.text("action"), start), (Some(action), Start::Never));
                Ok(None)
            });
        }
    }
}
