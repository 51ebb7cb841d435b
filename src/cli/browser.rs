//! Opening an address in the person's browser: `$BROWSER`, else the desktop's.
//!
//! The browser gets none of our streams and runs on by itself. The address was printed before,
//! so whatever fails here is worth a sentence and no more.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What can't start fails within that time: a command that is not there, a desktop without a browser.
/// What is still there by then is a browser, or has one to wait for.
const FAILS_WITHIN: Duration = Duration::from_secs(1);

/// How often a program is looked at until then; most hand the address over in less, and end.
const LOOK: Duration = Duration::from_millis(20);

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// A browser was started.
    Yes,
    /// There is no desktop to show one.
    NoDesktop,
}

/// Why no browser was started.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// The command in `$BROWSER` could not be run, or ended with an error.
    Variable(String, String),
    /// The desktop has no program for that.
    NoOpener,
    /// The desktop's program for that ended with an error; which, it tells nobody.
    Opener,
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotOpened::Variable(command, how) => write!(f, "the command in BROWSER ({command}) {how}"),
            NotOpened::NoOpener => f.write_str("this desktop has no program that opens addresses (xdg-open)"),
            NotOpened::Opener => f.write_str("this desktop's program that opens addresses ended with an error"),
        }
    }
}

/// Opens the address, if a browser is plausible here.
pub(super) fn open(url: &str) -> Result<Opened, NotOpened> {
    match env::var_os("BROWSER").filter(|commands| !commands.is_empty()) {
        Some(commands) => open_by(&commands, url).map_err(|how| NotOpened::Variable(shown(&commands), how)),
        None if has_desktop(is_set) => {
            open::that_detached_with_timeout(url, FAILS_WITHIN).map_err(|why| match why.kind() {
                io::ErrorKind::NotFound => NotOpened::NoOpener,
                _ => NotOpened::Opener, // its text has the whole address in it
            })
        }
        None => return Ok(Opened::NoDesktop),
    }
    .map(|()| Opened::Yes)
}

fn open_by(commands: &OsStr, url: &str) -> Result<(), String> {
    let mut child = command(commands, url).spawn().map_err(|why| format!("can't be run: {why}"))?;
    match failed_at_once(&mut child) {
        Some(status) => Err(match status.code() {
            // What a shell says of a command that is not there, or is no program.
            Some(127) if cfg!(unix) => "was not found".into(),
            Some(126) if cfg!(unix) => "is not a program".into(),
            Some(code) => format!("ended with exit code {code}"),
            None => "was killed".into(),
        }),
        None => Ok(()),
    }
}

/// How a program has failed, if it did so at once.
fn failed_at_once(child: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + FAILS_WITHIN;
    while Instant::now() < until {
        match child.try_wait() {
            Ok(None) => thread::sleep(LOOK),
            Ok(Some(status)) if !status.success() => return Some(status),
            Ok(Some(_)) | Err(_) => return None,
        }
    }
    None
}

fn shown(commands: &OsStr) -> String {
    commands.to_string_lossy().into_owned()
}

/// Whether a browser can be opened that reaches this machine's loopback address: the one that
/// `$BROWSER` names (an IDE's remote shell sets it, and forwards the port), or the desktop's.
pub(super) fn is_here() -> bool {
    reaches(is_set)
}

/// The same, by which variables are set.
fn reaches(is_set: impl Fn(&str) -> bool) -> bool {
    is_set("BROWSER") || has_desktop(is_set)
}

/// A desktop that the person sits at. Over SSH the screen is another machine's, even where X11
/// is forwarded: the person has a browser of their own there.
fn has_desktop(is_set: impl Fn(&str) -> bool) -> bool {
    let over_ssh = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"].into_iter().any(&is_set);
    let has_screen = cfg!(any(windows, target_os = "macos")) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    !over_ssh && (has_screen || is_wsl(is_set))
}

/// Windows' own browser reaches what listens on loopback in its Linux.
fn is_wsl(is_set: impl Fn(&str) -> bool) -> bool {
    is_set("WSL_DISTRO_NAME") || is_set("WSL_INTEROP")
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// `$BROWSER` as xdg-open and Python's webbrowser read it: commands for the shell, separated by
/// colons, tried in turn.
#[cfg(unix)]
fn command(commands: &OsStr, url: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script(&commands.to_string_lossy())).arg("sh").arg(url);
    // Ctrl-C at our prompt is not meant for the browser.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    without_streams(command)
}

/// `$BROWSER` is one program; Windows has no shell that could be trusted with an address.
#[cfg(not(unix))]
fn command(program: &OsStr, url: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(url);
    without_streams(command)
}

fn without_streams(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The shell's text. The address is never part of it: it comes as `$1`, and without field
/// splitting and file name patterns that is one word, quoted by the person or not.
#[cfg(unix)]
fn script(commands: &str) -> String {
    let one = |command: &str| {
        let command = command.replace("'%s'", "%s");
        let command = match command.contains("%s") {
            true => command.replace("%s", "${1}"),
            false => format!("{command} ${{1}}"),
        };
        format!("{{ {command}\n}}")
    };
    let commands: Vec<String> = commands.split(':').filter(|command| !command.trim().is_empty()).map(one).collect();
    format!("set -f; IFS=\n{}", commands.join(" || "))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// What the browsers of `$BROWSER` are given, one line each.
    fn given(commands: &str, url: &str) -> String {
        let output = command(OsStr::new(commands), url).stdout(Stdio::piped()).output().expect("sh runs");
        String::from_utf8(output.stdout).expect("text")
    }

    const URL: &str = "https://h/oauth?a=1&b=$(touch /tmp/x)`id`;'\"*? %s";

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn a_seat_is_told_by_what_it_sets() {
        for (seat, set, reached) in [
            ("a server", &[][..], false),
            ("a desktop with X", &["DISPLAY"], true),
            ("a desktop with Wayland", &["WAYLAND_DISPLAY"], true),
            ("WSL", &["WSL_DISTRO_NAME", "WSL_INTEROP"], true),
            ("SSH", &["SSH_CONNECTION", "SSH_TTY"], false),
            ("SSH with a forwarded X", &["SSH_CONNECTION", "DISPLAY"], false),
            ("SSH to WSL", &["SSH_CLIENT", "WSL_DISTRO_NAME"], false),
            ("an IDE's shell over SSH, which forwards ports", &["SSH_CONNECTION", "BROWSER"], true),
        ] {
            assert_eq!(reaches(|name| set.contains(&name)), reached, "{seat}");
        }
    }

    #[test]
    fn the_address_is_one_argument_whatever_is_in_it() {
        for commands in ["echo", "echo %s", "echo \"%s\"", "echo '%s'", "false:echo", "false %s::echo %s:echo no"] {
            assert_eq!(given(commands, URL), format!("{URL}\n"), "{commands}");
        }
    }

    #[test]
    fn a_command_may_go_to_the_background() {
        assert_eq!(given("echo %s &", URL), format!("{URL}\n"));
    }
}
