//! Opening an address in the person's browser: `$BROWSER`, else the desktop's.
//!
//! The browser gets none of our streams and runs on by itself. The address was printed before,
//! so whatever fails here is worth a note and no more.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::process::{Command, Stdio};

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// A browser was started.
    Yes,
    /// There is no desktop to show one.
    NoDesktop,
}

/// Opens the address, if a browser is plausible here.
pub(super) fn open(url: &str) -> io::Result<Opened> {
    match is_set("BROWSER") {
        true => command(&env::var_os("BROWSER").unwrap_or_default(), url).spawn().map(|_| Opened::Yes),
        false if has_desktop() => open::that_detached(url).map(|()| Opened::Yes),
        false => Ok(Opened::NoDesktop),
    }
}

/// Whether a browser can be opened that reaches this machine's loopback address: the one that
/// `$BROWSER` names (an IDE's remote shell sets it, and forwards the port), or the desktop's.
pub(super) fn is_here() -> bool {
    is_set("BROWSER") || has_desktop()
}

/// A desktop that the person sits at. Over SSH the screen is another machine's, even where X11
/// is forwarded: the person has a browser of their own there.
fn has_desktop() -> bool {
    let over_ssh = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"].into_iter().any(is_set);
    let has_screen = cfg!(any(windows, target_os = "macos")) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    !over_ssh && (has_screen || is_wsl())
}

/// Windows' own browser reaches what listens on loopback in its Linux.
fn is_wsl() -> bool {
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
