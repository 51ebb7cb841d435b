//! Lets a person choose projects from a list, by typing parts of their names.

use std::fmt;

use inquire::{InquireError, MultiSelect};

use super::reach::Project;
use crate::cli::error::Error;
use crate::credential::printable;

/// A project as it is shown.
struct Choice(Project);

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(project) = self;
        // Longer than any path; a terminal would obey what is in a hostile one.
        f.write_str(&printable(&project.path, 1000))?;
        f.write_str(if project.archived { " (archived)" } else { "" })
    }
}

/// The projects that are chosen; none if the person thinks better of it.
pub(super) fn choose(projects: Vec<Project>) -> Result<Vec<Project>, Error> {
    let choices = projects.into_iter().map(Choice).collect();
    let prompt = MultiSelect::new("Import which projects?", choices)
        .with_help_message("type to search, space to choose, Enter to import, Esc to leave")
        .with_formatter(&|chosen| match chosen.len() {
            1 => chosen[0].value.to_string(),
            several => format!("{several} projects"),
        });
    match prompt.prompt() {
        Ok(chosen) => Ok(chosen.into_iter().map(|Choice(project)| project).collect()),
        Err(InquireError::OperationCanceled | InquireError::OperationInterrupted) => Ok(Vec::new()),
        Err(InquireError::IO(why)) => Err(Error::Terminal(why)),
        Err(why) => Err(Error::Terminal(std::io::Error::other(why.to_string()))),
    }
}
