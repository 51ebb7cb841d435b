//! git itself, tried as the person's next command would run: the daemon goes its own way to the
//! server, with what `link` saw, so that it gets there says nothing about git's proxy and
//! certificates.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::View;
use crate::cli::doctor::bundle::without_secrets;
use crate::cli::doctor::finding::Finding;
use crate::instance::Instance;
use crate::protocol::Code;
use crate::shell::quoted;

/// git's last words have less; what a hostile server says beyond that is not read.
const MOST_SAID: u64 = 64 * 1024;

/// A path that hardly a project has: GitLab answers 404 there to somebody who is logged in.
const NOWHERE: &str = "git-credential-gitlab/doctor.git";

/// How git's words end where the server has answered that nothing is there.
const NOT_FOUND: &str = "' not found";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::doctor) enum Works {
    /// It was left alone, for this reason.
    NotTried(&'static str),
    Yes,
    /// git's own words.
    No(String),
    /// It was ended after so long.
    Late(Duration),
}

/// What git is asked to reach: a remote by its name, so that its own settings count, or an address.
pub(in crate::cli::doctor) fn target(view: &View) -> String {
    match (&view.name, view.remote()) {
        (Some(remote), _) => remote.name.clone(),
        (None, Some(remote)) => remote.without_password(),
        (None, None) => nowhere(view),
    }
}

/// An address at which the GitLab has nothing.
pub(in crate::cli::doctor) fn nowhere(view: &View) -> String {
    format!("{}/{NOWHERE}", view.instance)
}

/// Runs `git ls-remote` here, and lets it ask nobody.
pub(in crate::cli::doctor) fn try_git(target: &str, within: Duration) -> Works {
    let mut command = Command::new("git");
    command.args(["ls-remote", "--quiet", "--", target, "HEAD"]);
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "").env("GCM_INTERACTIVE", "never").env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(_) => return Works::NotTried("git can't be run"),
    };
    let stderr = child.stderr.take().expect("it is a pipe");
    let (sender, end) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stderr.take(MOST_SAID).read_to_end(&mut bytes); // what was read until then is enough
        let _ = sender.send(bytes); // it may have been too late
    });
    let Ok(said) = end.recv_timeout(within) else {
        end_all(&mut child);
        return Works::Late(within);
    };
    match child.wait() {
        Ok(status) if status.success() => Works::Yes,
        _ => Works::No(last_words(&String::from_utf8_lossy(&said))),
    }
}

/// Ends git and the programs that it runs.
fn end_all(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL); // it may just have ended
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The line that says why, without what only says that it is git's.
fn last_words(said: &str) -> String {
    let why = said.lines().find_map(|line| line.strip_prefix("fatal: "));
    without_secrets(why.or_else(|| said.lines().last()).unwrap_or("it said nothing"))
}

/// `git-works`
pub(in crate::cli::doctor) fn git_works(view: &View) -> Finding {
    let see = || format!("git ls-remote {}", quoted(&target(view)));
    match &view.works {
        Works::NotTried(why) => Finding::skip(why),
        Works::Yes => Finding::ok("git itself gets there, by its own proxy and certificates"),
        // Who asks for nothing that is there has been let in.
        Works::No(why) if why.contains(NOWHERE) && why.ends_with(NOT_FOUND) => {
            Finding::ok("git itself gets there, by its own proxy and certificates")
        }
        Works::No(why) => {
            let mend = mend(why, &view.instance);
            // git says so of every way that does not lead there.
            let code = if why.contains(" access 'http") { Code::Unreachable } else { Code::Failed };
            Finding::fail(code, format!("git itself fails: {why}")).fix(mend.unwrap_or_else(see))
        }
        Works::Late(within) => {
            let text = format!("git itself did not get there within {} s", within.as_secs());
            Finding::fail(Code::Unreachable, text).fix(see())
        }
    }
}

/// The command for what git says of a certificate, by each of the libraries that it may have for
/// TLS. The file is for the person to find.
fn mend(why: &str, instance: &Instance) -> Option<String> {
    const UNTRUSTED: [&str; 5] = [
        "get local issuer certificate",
        "self-signed certificate",
        "self signed certificate",
        "server certificate verification failed",
        "get issuer cert",
    ];
    let is_untrusted = UNTRUSTED.iter().any(|words| why.contains(words));
    is_untrusted.then(|| format!("git config --global http.{instance}/.sslCAInfo FILE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_is_quoted_without_its_passwords() {
        let said = "warning: x\nfatal: unable to access 'https://a:hunter2@h/x/': Could not resolve host: h\n";
        assert_eq!(last_words(said), "unable to access 'https://h/x/': Could not resolve host: h");
        assert_eq!(last_words("error: cannot run ssh"), "error: cannot run ssh");
        assert_eq!(last_words(""), "it said nothing");
    }

    #[test]
    fn an_authority_that_git_does_not_trust_can_be_named() {
        let instance = Instance::parse("https://gitlab.example/git").expect("a base URL");
        let command = "git config --global http.https://gitlab.example/git/.sslCAInfo FILE";
        for why in [
            "unable to access 'https://h/': server certificate verification failed. CAfile: none CRLfile: none",
            "unable to access 'https://h/': SSL certificate problem: unable to get local issuer certificate",
            "unable to access 'https://h/': SSL certificate problem: self-signed certificate in certificate chain",
        ] {
            assert_eq!(mend(why, &instance).as_deref(), Some(command), "{why}");
        }
        assert_eq!(mend("SSL certificate problem: certificate has expired", &instance), None);
    }
}
