//! Lets a person choose projects from a list, by typing parts of their names.

use std::fmt;
use std::io::ErrorKind;

use console::Term;
use inquire::error::CustomUserError;
use inquire::list_option::ListOption;
use inquire::validator::{ErrorMessage, Validation};
use inquire::{InquireError, MultiSelect};

use super::reach::Project;
use crate::cli::error::Error;
use crate::cli::{hidden, interrupt};
use crate::credential::printable;

/// A project as it is shown.
struct Choice(Project);

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Project { path, access, archived }) = self;
        // Longer than any path; a terminal would obey what is in a hostile one.
        write!(f, "{}  {access}{}", printable(path, 1000), if *archived { " (archived)" } else { "" })
    }
}

/// The projects that are chosen; none if the person thinks better of it.
pub(super) fn choose(projects: Vec<Project>) -> Result<Vec<Project>, Error> {
    let question = format!("Import which projects? ({})", projects.len());
    let choices = projects.into_iter().map(Choice).collect();
    let prompt = MultiSelect::new(&question, choices)
        .with_help_message("type to search, space to choose, Enter to import, Esc to leave")
        .with_validator(some)
        .with_formatter(&|chosen| match chosen.len() {
            1 => printable(&chosen[0].value.0.path, 1000),
            several => format!("{several} projects"),
        });
    // The cursor is hidden while the list is drawn.
    let _restored = hidden::restored_on_a_signal(|| drop(Term::stderr().show_cursor()));
    match prompt.prompt() {
        Ok(chosen) => Ok(chosen.into_iter().map(|Choice(project)| project).collect()),
        Err(InquireError::OperationCanceled) => Ok(Vec::new()),
        Err(InquireError::OperationInterrupted) => interrupt::end(),
        // The same, between two keys.
        Err(InquireError::IO(why)) if why.kind() == ErrorKind::Interrupted => interrupt::end(),
        Err(InquireError::IO(why)) => Err(Error::Terminal(why)),
        Err(why) => Err(Error::Terminal(std::io::Error::other(why.to_string()))),
    }
}

/// Who presses Enter on a row means that row, and has to say so.
fn some(chosen: &[ListOption<&Choice>]) -> Result<Validation, CustomUserError> {
    let advice = || ErrorMessage::Custom("the space bar chooses the project under the cursor; then press Enter".into());
    Ok(if chosen.is_empty() { Validation::Invalid(advice()) } else { Validation::Valid })
}
