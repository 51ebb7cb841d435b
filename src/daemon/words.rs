//! What may be kept of how a program was run: never anything that somebody typed or configured.
//!
//! An argument may be a secret (`clone https://user:password@host`, `-c http.extraHeader=…`,
//! `push -o token=…`), and so may a word that only looks like a verb. So nothing is filtered out:
//! a word is kept only if it is one of those listed here, and the rest becomes one `…`.

/// git's commands that speak to a server or make another one do it, and the programs beside git
/// that act as one. A person's alias is not among them: it may be called anything.
const VERBS: [&str; 39] = [
    "annex",
    "archive",
    "bisect",
    "checkout",
    "cherry-pick",
    "clone",
    "credential",
    "credential-gitlab",
    "fetch",
    "fetch-pack",
    "flow",
    "gc",
    "grep",
    "gui",
    "http-fetch",
    "http-push",
    "init",
    "lfs",
    "log",
    "ls-remote",
    "ls-tree",
    "maintenance",
    "merge",
    "prune",
    "pull",
    "push",
    "rebase",
    "remote",
    "remote-http",
    "remote-https",
    "request-pull",
    "reset",
    "send-pack",
    "show",
    "status",
    "submodule",
    "submodule--helper",
    "subtree",
    "switch",
];

/// Words behind a verb that say what is done and are the same for everybody.
const WORDS: [&str; 44] = [
    "--all",
    "--append",
    "--atomic",
    "--auto",
    "--bare",
    "--delete",
    "--dry-run",
    "--follow-tags",
    "--force",
    "--force-with-lease",
    "--init",
    "--mirror",
    "--multiple",
    "--no-tags",
    "--porcelain",
    "--progress",
    "--prune",
    "--quiet",
    "--rebase",
    "--recurse-submodules",
    "--recursive",
    "--remote",
    "--set-upstream",
    "--tags",
    "--unshallow",
    "--update",
    "--verbose",
    "-d",
    "-f",
    "-p",
    "-q",
    "-u",
    "-v",
    "HEAD",
    "add",
    "fill",
    "foreach",
    "init",
    "main",
    "master",
    "origin",
    "sync",
    "update",
    "upstream",
];

/// Our own verbs: without them nobody would see that it was `token` that printed a secret.
const OURS: [&str; 21] = [
    "clone",
    "completion",
    "configure",
    "daemon",
    "diagnose",
    "doctor",
    "help",
    "import",
    "link",
    "log",
    "login",
    "logout",
    "man",
    "repos",
    "status",
    "token",
    "unconfigure",
    "unlink",
    "use",
    "vault",
    "version",
];

/// Options of git itself, before its verb, whose value is the next word.
const WITH_VALUE: [&str; 9] = [
    "-C",
    "-c",
    "--attr-source",
    "--config-env",
    "--exec-path",
    "--git-dir",
    "--namespace",
    "--super-prefix",
    "--work-tree",
];

/// Programs whose first argument is the file of what they run.
const INTERPRETERS: [&str; 13] =
    ["ash", "bash", "dash", "fish", "ksh", "lua", "node", "perl", "php", "python", "ruby", "sh", "zsh"];

/// Programs that are many, and are known by the name they were called by.
const MULTI_CALL: [&str; 3] = ["busybox", "toybox", "coreutils"];

/// The kernel keeps this much of a program's name.
const COMM: usize = 15;

/// Longer than any program is called.
const LONGEST_NAME: usize = 64;

/// What is kept of `git …`: its verb, and the words that are the same for everybody. `None` if
/// it has no verb that we know.
pub fn git_command(arguments: &[Vec<u8>]) -> Option<String> {
    let mut words = arguments.iter().skip(1).map(|word| str::from_utf8(word).unwrap_or_default());
    let verb = loop {
        let word = words.next()?;
        match word {
            _ if WITH_VALUE.contains(&word) => drop(words.next()),
            _ if word.starts_with('-') => {}
            _ => break word,
        }
    };
    let verb = VERBS.iter().find(|known| **known == verb)?;
    let mut kept = vec!["git", verb];
    let mut all = true;
    let ours: &[&str] = if *verb == "credential-gitlab" { &OURS } else { &[] };
    for word in words {
        match WORDS.iter().chain(ours).find(|known| **known == word) {
            Some(word) => kept.push(word),
            None => all = false,
        }
    }
    if !all {
        kept.push("…");
    }
    Some(kept.join(" "))
}

/// What a program is called: by its script, if it is one; as it was called; or as its file.
///
/// `comm` is the kernel's short name, which threads change (node's is `MainThread`), `file` the
/// name of the file that runs.
pub fn program(comm: &str, file: Option<&str>, arguments: &[Vec<u8>]) -> String {
    let base = |at: usize| {
        let word = str::from_utf8(arguments.get(at)?).ok()?;
        word.rsplit('/').next().filter(|name| is_plain(name))
    };
    let is_comm = |name: &&str| name.get(..COMM).unwrap_or(name) == comm;
    // `#!/bin/sh -e` puts an option before the script.
    if let Some(script) = [1, 2].into_iter().filter_map(base).find(is_comm) {
        return script.into();
    }
    let called = base(0).map(|name| name.trim_start_matches('-')).filter(is_comm);
    let interprets = [called, file].into_iter().flatten().any(is_interpreter);
    let script = || base(1).filter(|_| !arguments[1].starts_with(b"-"));
    if let Some(script) = interprets.then(script).flatten() {
        return script.into();
    }
    let file = file.filter(|file| !MULTI_CALL.contains(file));
    let name = called.or(file).filter(|name| !name.is_empty()).unwrap_or(comm);
    let plain = |c: char| if is_plain_char(c) { c } else { '_' };
    name.chars().take(LONGEST_NAME).map(plain).collect()
}

/// Whether a program does nothing but run the command in its argument: `sh -c …`, `bash -lc …`. A
/// long option may stand before it, and is no bundle of letters: `--norc` is for a person's shell.
pub fn is_shell_command(program: &str, arguments: &[Vec<u8>]) -> bool {
    let first = arguments.iter().skip(1).find(|word| !word.starts_with(b"--"));
    is_interpreter(program) && first.is_some_and(|word| word.starts_with(b"-") && word.ends_with(b"c"))
}

fn is_interpreter(name: &str) -> bool {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    INTERPRETERS.contains(&name)
}

fn is_plain(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_plain_char)
}

fn is_plain_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn of_a_git_command_its_verb_and_public_words_are_kept() {
        for (line, kept) in [
            ("git fetch origin", Some("git fetch origin")),
            ("/usr/bin/git -C /home/alice/x push --force origin main", Some("git push --force origin main")),
            ("git -c http.extraHeader=Authorization:SECRET fetch", Some("git fetch")),
            ("git -c a=b --git-dir SECRET --no-pager pull -q", Some("git pull -q")),
            ("git clone https://user:SECRET@host/group/app.git", Some("git clone …")),
            ("git push -o SECRET origin SECRET:main", Some("git push origin …")),
            ("git push https://SECRET@host", Some("git push …")),
            ("git fetch SECRET", Some("git fetch …")),
            ("git credential-gitlab token", Some("git credential-gitlab token")),
            ("git credential-gitlab -q import SECRET/token", Some("git credential-gitlab -q import …")),
            ("git credential-gitlab SECRET", Some("git credential-gitlab …")),
            ("git fetch token", Some("git fetch …")),
            ("git SECRET origin", None),
            ("git --unknown SECRET fetch", None),
            ("git -c", None),
            ("git", None),
            ("", None),
        ] {
            assert_eq!(git_command(&words(line)).as_deref(), kept, "{line}");
        }
        assert_eq!(git_command(&[b"git".to_vec(), b"\xff".to_vec()]), None);
    }

    #[cfg(feature = "cli")]
    #[test]
    fn every_verb_of_ours_is_known_by_its_names() {
        for word in crate::cli::verbs() {
            assert!(OURS.contains(&word.as_str()), "{word}");
        }
    }

    #[test]
    fn a_program_is_called_what_a_person_calls_it() {
        for (comm, file, line, name) in [
            ("code", Some("code"), "/usr/share/code/code --type=utility SECRET", "code"),
            ("MainThread", Some("node"), "/usr/bin/node --inspect SECRET", "node"),
            ("MainThread", Some("node"), "node /srv/app/server.js SECRET", "server.js"),
            ("deploy.sh", Some("dash"), "/bin/sh ./deploy.sh SECRET", "deploy.sh"),
            ("a-very-long-nam", Some("dash"), "/bin/sh -e ./a-very-long-name.sh SECRET", "a-very-long-name.sh"),
            ("python3", Some("python3.11"), "python3 /home/alice/release.py --token SECRET", "release.py"),
            ("python3", Some("python3.11"), "python3 -c SECRET", "python3"),
            ("bash", Some("bash"), "-bash", "bash"),
            ("sh", Some("dash"), "sh -c SECRET", "sh"),
            ("sh", Some("dash"), "sh SECRET:word", "sh"),
            ("sh", Some("busybox"), "sh", "sh"),
            ("claude", Some("2.1.3"), "/home/alice/bin/claude SECRET", "claude"),
            ("sshd", None, "sshd: alice@pts/0 SECRET", "sshd"),
            ("a b\u{1b}[2J", Some("a b\u{1b}[2J"), "", "a_b__2J"),
            ("x", Some("x"), "token=SECRET", "x"),
        ] {
            let found = program(comm, file, &words(line));
            assert_eq!(found, name, "{line}");
            assert!(!found.contains("SECRET"));
        }
    }

    #[test]
    fn a_shell_that_only_runs_a_command_is_told_apart() {
        for (line, only) in [
            ("sh -c x", true),
            ("bash -lc x", true),
            ("bash --norc -c x", true),
            ("bash", false),
            ("bash --norc", false),
            ("sh script -c", false),
        ] {
            assert_eq!(is_shell_command("sh", &words(line)), only, "{line}");
        }
        assert!(!is_shell_command("code", &words("code -c")));
    }

    proptest::proptest! {
        #[test]
        fn what_is_kept_is_plain_whatever_was_typed(comm: String, file: Option<String>, words: Vec<Vec<u8>>) {
            let name = program(&comm, file.as_deref(), &words);
            proptest::prop_assert!(name.chars().all(is_plain_char) && name.len() <= LONGEST_NAME);
            git_command(&words);
        }
    }
}
