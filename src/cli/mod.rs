//! The people's side: one file per verb, each of which asks the daemon and tells the person.
//!
//! No secret ever comes here, but the access token that `token` is asked for: the daemon links and
//! renews, git gets its tokens from the helper, and what a verb prints is names, addresses and
//! times. Data goes to stdout, everything else to
//! stderr, both through `terminal`, which is why nothing else needs to distrust a text.
//!
//! ```text
//! link, unlink, status, log, use_account, repos, token, import, vault, configure, daemon   the verbs
//!   registration, linked, consent -> paste, qr, hint, browser   what only link needs
//!   report, short, json -> time               how status looks
//!   project, project_table -> time            how repos looks
//!   whose                                     whom repos and token are for
//!   entry -> chain, helper_list, everybody, helper_path, git_config   what configure does to git's config
//!   doctor/ -> chain, entry, git_config, daemon   finds what is wrong
//!   choices -> git_config                     what use does to it
//!   seen                                      what use and import ask of names that may be wrong
//! completion, man                             made from the command line's own description
//! accounts -> call                            what the daemon says
//! arguments, error, terminal -> wrap, keyboard, hidden -> interrupt   what everybody needs
//! ```

use std::ffi::OsString;

use clap::Parser;

use crate::helper;
use crate::protocol::Code;
use arguments::{Arguments, Verb};
use error::Error;
use terminal::Terminal;

mod accounts;
mod arguments;
mod browser;
mod call;
mod chain;
mod charset;
mod choices;
mod completion;
mod configure;
mod consent;
mod daemon;
mod doctor;
mod entry;
mod environment;
mod error;
mod everybody;
mod git_config;
mod git_login;
mod helper_list;
mod helper_path;
mod hidden;
mod hint;
mod import;
mod interrupt;
mod json;
mod keyboard;
mod link;
mod linked;
mod log;
mod man;
mod paste;
mod patience;
mod project;
mod project_table;
mod qr;
mod registration;
mod report;
mod repos;
mod seen;
mod short;
mod silent;
mod status;
mod terminal;
mod time;
mod token;
mod unlink;
mod use_account;
mod vault;
mod whose;
mod wrap;

/// For the one who keeps words and must know ours.
#[cfg(all(test, feature = "daemon"))]
pub(crate) use arguments::verbs;

#[cfg(any(test, fuzzing))]
pub(crate) use log::shown_of as journal_shown;

/// Runs the verb of a command line, whose first word is the program's own name. The result is
/// the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = words.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(why) => return not_understood(&words, &why),
    };
    let terminal = Terminal::new(arguments.quiet, arguments.verbose);
    match verb(arguments.verb, terminal) {
        Ok(code) => code,
        Err(why) => {
            terminal.say(&format!("error: {why}"));
            why.exit_code()
        }
    }
}

fn verb(verb: Verb, terminal: Terminal) -> Result<u8, Error> {
    match verb {
        Verb::Link(wanted) => link::run(&wanted, terminal),
        Verb::Unlink(wanted) => unlink::run(&wanted, terminal),
        Verb::Status(wanted) => status::run(&wanted, terminal),
        Verb::Log(wanted) => log::run(&wanted, terminal),
        Verb::Doctor(wanted) => doctor::run(&wanted, terminal),
        Verb::Use(wanted) => use_account::run(&wanted, terminal),
        Verb::Repos(wanted) => repos::run(&wanted, terminal),
        Verb::Token(wanted) => token::run(&wanted, terminal),
        Verb::Import(wanted) => import::run(&wanted, terminal),
        Verb::Vault(wanted) => vault::run(&wanted, terminal),
        Verb::Configure(wanted) => configure::configure(&wanted, terminal),
        Verb::Unconfigure(wanted) => configure::unconfigure(&wanted, terminal),
        Verb::Daemon { verb } => daemon::run(&verb, terminal),
        Verb::Completion { shell } => completion::script(shell, terminal),
        Verb::Complete { index, words } => completion::propose(index, words, terminal),
        Verb::Man { directory } => man::run(&directory, terminal),
        Verb::Version => terminal.print(concat!("git-credential-gitlab ", env!("CARGO_PKG_VERSION"))).map(|()| 0),
    }
}

/// Help that was asked for, silence towards a program that asks a helper for an operation of
/// the future, or what is wrong with the command line.
fn not_understood(words: &[OsString], why: &clap::Error) -> u8 {
    let asked_for_help = !why.use_stderr();
    if !asked_for_help && !arguments::names_a_verb(words) && helper::asked_by_a_program() {
        return 0;
    }
    // What was typed is quoted there, and may come from elsewhere.
    let (terminal, text) = (Terminal::new(false, false), why.render().to_string());
    match asked_for_help {
        true => {
            let _ = terminal.print(&text); // nobody may be left to read it
            0
        }
        false => {
            terminal.say(&text);
            Code::Usage.exit_code()
        }
    }
}
