//! The daemon's program. The helper and the cli start it; systemd and people can.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use git_credential_gitlab::credential::printable;
use git_credential_gitlab::daemon::{self, Options};

/// Tokens pass through libraries that copy them and know nothing of secrets. Whatever this program
/// frees is overwritten first, so that no memory holds a token that nobody uses any more.
#[global_allocator]
static WIPING: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

const USAGE: &str = "usage: git-credential-gitlab--daemon [--foreground] [--socket PATH]";

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == "--version") {
        // doctor compares it with its own.
        let _ = writeln!(io::stdout(), "{} {}", env!("CARGO_BIN_NAME"), env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let Some(options) = options(std::env::args_os().skip(1)) else {
        let _ = writeln!(io::stderr(), "{USAGE}"); // nobody may be left to read it
        return ExitCode::from(2);
    };
    match daemon::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Whoever started us reads stdout, and shows this line to the person, or is gone.
            let _ = writeln!(io::stdout(), "{}", printable(&why.to_string(), 1000));
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<Options> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        match argument.to_str()? {
            "--foreground" => options.foreground = true,
            "--socket" => options.socket = Some(PathBuf::from(arguments.next()?)),
            _ => return None,
        }
    }
    Some(options)
}
