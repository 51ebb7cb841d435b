//! What `git clone` and `git fetch` say on stderr: how far it is, and why it failed. In English: it is run so.
//!
//! Lines that begin with `remote:` are the server's, and may say anything.

use crate::credential::printable;

/// How far a clone is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    /// In a word or two.
    pub(super) phase: &'static str,
    /// Of this phase.
    pub(super) percent: u8,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The server answered, and said no.
    Refused,
    /// It takes no login from this address for a while.
    Banned,
    /// For this account there is no such project: GitLab does not tell why.
    Unseen,
    /// It was not reached, or wants to be left alone.
    Unreachable,
    /// It answered, and was in trouble with this project: its storage, say.
    Troubled,
    /// The daemon had no token for git, and said why.
    NoToken,
    /// git did not go to the address that it was given.
    Elsewhere,
    /// Anything else.
    Other,
}

impl Kind {
    /// Whether another project would fare no better.
    pub(super) fn is_for_all(self) -> bool {
        matches!(self, Kind::Banned | Kind::Unreachable | Kind::NoToken)
    }

    /// Whether it may be over in a moment.
    pub(super) fn may_pass(self) -> bool {
        matches!(self, Kind::Unreachable | Kind::Troubled)
    }
}

/// Why a clone failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    /// For what is done about it.
    pub(super) kind: Kind,
    /// For people: one line.
    pub(super) text: String,
}

impl Reason {
    pub(super) fn other(text: impl Into<String>) -> Self {
        Self { kind: Kind::Other, text: text.into() }
    }
}

/// More than any sentence that git or GitLab says.
const LONGEST: usize = 400;

/// What git shows the progress of, and how we call it.
const PHASES: [(&str, &str); 4] = [
    ("Receiving objects:", "receiving"),
    ("Resolving deltas:", "resolving"),
    ("Updating files:", "checking out"),
    ("Filtering content:", "LFS"),
];

/// The progress in a line, if it is about that.
pub(super) fn progress(line: &str) -> Option<Progress> {
    let (rest, phase) = PHASES.iter().find_map(|(begin, phase)| Some((line.strip_prefix(begin)?, *phase)))?;
    let percent = rest.split_once('%')?.0.trim().parse().ok().filter(|percent| *percent <= 100)?;
    Some(Progress { phase, percent })
}

/// Whether the server said that there is nothing in the repository.
pub(super) fn is_empty(lines: &[String]) -> bool {
    lines.iter().any(|line| line.starts_with("warning: You appear to have cloned an empty repository"))
}

/// What broke off an answer that had begun, in the words of curl and git.
const BROKEN: [&str; 8] = [
    "RPC failed",
    "early EOF",
    "unexpected disconnect",
    "hung up unexpectedly",
    "timed out",
    "Connection reset",
    "bad line length",
    "invalid server response",
];

/// Why a clone failed that ended with these lines.
pub(super) fn reason(lines: &[String]) -> Reason {
    let text = |begin: &'static str| lines.iter().filter_map(move |line| line.strip_prefix(begin)).map(str::trim);
    let says = |part: &str| lines.iter().any(|line| !line.starts_with("remote:") && line.contains(part));
    let told = |text: &str| printable(text, LONGEST);
    // Our helper, why there is no token.
    if let Some(why) = text("git-credential-gitlab:").next() {
        return Reason { kind: Kind::NoToken, text: told(why) };
    }
    let submodule = lines.iter().any(|line| line.contains("into submodule path"));
    let whole = |kind, text: String| match submodule {
        true => {
            Reason { kind, text: format!("a submodule can't be cloned: {text} (without --submodules the project can)") }
        }
        false => Reason { kind, text },
    };
    let words = text("remote:").filter(|line| line.chars().any(char::is_alphabetic)).collect::<Vec<_>>().join(" ");
    let fatal = text("fatal:").chain(text("error:")).find(|line| !line.is_empty()).map(told);
    let fatal = fatal.or_else(|| lines.iter().map(|line| told(line)).rfind(|line| !line.is_empty()));
    let fatal = fatal.unwrap_or_else(|| "git failed without a word".into());
    let server = |otherwise: &str| if words.is_empty() { otherwise.to_owned() } else { told(&words) };
    match status(lines) {
        Some(404) if !submodule && (words.is_empty() || words.contains("project you were looking for")) => {
            Reason { kind: Kind::Unseen, text: String::new() } // whoever knows the account has the words
        }
        Some(404) => whole(Kind::Refused, server("there is no such project, or it is not yours to see (404)")),
        Some(429) => whole(Kind::Unreachable, "the server answered 429: it was asked too often".into()),
        Some(status @ (408 | 425 | 500..)) => whole(Kind::Troubled, format!("the server answered {status}")),
        Some(403) if words.contains("Too many failed authentication attempts") => whole(Kind::Banned, server("")),
        Some(status) => whole(Kind::Refused, server(&format!("the server answered {status}"))),
        None if says("Authentication failed") => whole(
            Kind::Refused,
            server("the server does not take the token; to see more: git credential-gitlab status --check"),
        ),
        None if says("terminal prompts disabled") => {
            let why = match unknown(lines).filter(|_| submodule) {
                Some(host) => format!("git got no login for {}: no account is linked there", told(host)),
                None => "git got no token; to see why: git credential-gitlab status".into(),
            };
            whole(Kind::Other, why)
        }
        None if says("unable to access") => whole(Kind::Unreachable, fatal),
        // Never said of http.
        None if says("Could not read from remote repository") => whole(Kind::Elsewhere, fatal),
        None if BROKEN.iter().any(|part| says(part)) => whole(Kind::Troubled, fatal),
        None => whole(Kind::Other, fatal),
    }
}

/// The host that git would have asked a person about.
fn unknown(lines: &[String]) -> Option<&str> {
    let asked = lines.iter().find_map(|line| line.split_once("could not read Username for '"))?;
    asked.1.split_once('\'').map(|(host, _)| host)
}

/// The status that the server answered with, if it was no good one.
fn status(lines: &[String]) -> Option<u16> {
    let lines = || lines.iter().filter(|line| !line.starts_with("remote:"));
    let told = |line: &String| {
        let (_, after) = line.split_once("returned error: ")?;
        after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let missing = |line: &String| line.starts_with("fatal: repository '") && line.ends_with("' not found");
    lines().find_map(told).or_else(|| lines().any(missing).then_some(404))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn progress_is_gits_own_and_not_the_servers() {
        let receiving = progress("Receiving objects:  45% (9/20), 1.20 MiB | 2.00 MiB/s");
        assert_eq!(receiving, Some(Progress { phase: "receiving", percent: 45 }));
        assert_eq!(progress("Resolving deltas: 100% (1/1), done.").map(|it| it.percent), Some(100));
        for line in [
            "",
            "remote: Counting objects: 100% (3/3), done.",
            "remote: Receiving objects:  45% (9/20)",
            "Receiving objects: 300% (9/3)",
            "Receiving objects: -1%",
            "Receiving objects: many",
            "Cloning into 'app'...",
        ] {
            assert_eq!(progress(line), None, "{line}");
        }
    }

    #[test]
    fn every_failure_has_its_kind_and_one_line() {
        for (said, kind, text) in [
            (
                "remote: The project you were looking for could not be found or you don't have permission to view it.\n\
                 fatal: repository 'http://h/group/app.git/' not found",
                Kind::Unseen,
                "",
            ),
            ("fatal: repository 'http://h/x.git/' not found", Kind::Unseen, ""),
            (
                "remote: \nremote: =====\nremote: You are not allowed to download code from this project.\n\
                 fatal: unable to access 'http://h/x.git/': The requested URL returned error: 403",
                Kind::Refused,
                "You are not allowed to download code from this project.",
            ),
            ("fatal: unable to access 'http://h/': The requested URL returned error: 503", Kind::Troubled, "503"),
            (
                "fatal: clone of 'https://other.example/x' into submodule path '/a/x' failed\n\
                 fatal: could not read Username for 'https://other.example': terminal prompts disabled",
                Kind::Other,
                "git got no login for https://other.example: no account is linked there",
            ),
            (
                "error: RPC failed; HTTP 429 curl 22 The requested URL returned error: 429\nfatal: early EOF",
                Kind::Unreachable,
                "429",
            ),
            (
                "fatal: unable to access 'http://h/': Failed to connect to h port 80 after 0 ms",
                Kind::Unreachable,
                "Failed to connect",
            ),
            ("error: RPC failed; curl 18 transfer closed\nfatal: early EOF", Kind::Troubled, "early EOF"),
            (
                "remote: Too many failed authentication attempts from this IP\n\
                 fatal: unable to access 'http://h/x.git/': The requested URL returned error: 403",
                Kind::Banned,
                "Too many failed authentication attempts from this IP",
            ),
            (
                "git-credential-gitlab: the login of alice has ended; to link it again: …\n\
                 fatal: could not read Username for 'http://h': terminal prompts disabled",
                Kind::NoToken,
                "the login of alice has ended; to link it again: …",
            ),
            (
                "remote: HTTP Basic: Access denied.\nfatal: Authentication failed for 'http://h/'",
                Kind::Refused,
                "HTTP Basic",
            ),
            (
                "kex_exchange_identification: Connection closed by remote host\n\
                 fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights",
                Kind::Elsewhere,
                "Could not read from remote repository",
            ),
            ("fatal: write error: No space left on device", Kind::Other, "No space left"),
            (
                "remote: fatal: The requested URL returned error: 503\nfatal: something else",
                Kind::Other,
                "something else",
            ),
            (
                "remote: Not found.\nfatal: repository 'http://h/lib.git/' not found\n\
                 fatal: clone of 'http://h/lib.git' into submodule path '/x/lib' failed",
                Kind::Refused,
                "a submodule can't be cloned: Not found. (without --submodules the project can)",
            ),
            ("", Kind::Other, "without a word"),
            (
                "remote: \u{1b}[2J\u{202e}evil\nfatal: repository 'x' not found",
                Kind::Refused,
                "\u{fffd}[2J\u{fffd}evil",
            ),
        ] {
            let found = reason(&lines(said));
            assert_eq!(found.kind, kind, "{said}");
            assert!(found.text.contains(text) && !found.text.contains('\n'), "{found:?}");
        }
    }

    #[test]
    fn an_empty_repository_is_told_by_git() {
        assert!(is_empty(&lines("Cloning into 'x'...\nwarning: You appear to have cloned an empty repository.")));
        assert!(!is_empty(&lines("remote: warning: You appear to have cloned an empty repository.")));
    }

    proptest::proptest! {
        #[test]
        fn anything_is_read_without_panic(said: Vec<String>) {
            let found = reason(&said);
            proptest::prop_assert!(!found.text.chars().any(char::is_control));
            proptest::prop_assert!(said.iter().filter_map(|line| progress(line)).all(|it| it.percent <= 100));
        }
    }
}
