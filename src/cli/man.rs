//! Man pages, made from `--help`, so that they never disagree with it.

use std::fs;
use std::path::Path;

use clap::CommandFactory;

use super::arguments::Arguments;
use super::error::Error;
use super::terminal::Terminal;

/// `man DIR`: writes a page for the program and one for each verb. Below a `man1` on man's path,
/// `git help credential-gitlab` finds them.
pub(super) fn run(directory: &Path, terminal: Terminal) -> Result<u8, Error> {
    let failed = |why: std::io::Error| Error::NotRun(format!("{}: {why}", directory.display()));
    fs::create_dir_all(directory).map_err(failed)?;
    // `help VERB` says what the verb's own page says.
    let command = Arguments::command().disable_help_subcommand(true);
    let command = command.mut_subcommands(|verb| verb.disable_help_subcommand(true));
    clap_mangen::generate_to(command, directory).map_err(failed)?;
    terminal.note(&format!("the man pages are in {}; they are found where its name is man1", directory.display()));
    Ok(0)
}
