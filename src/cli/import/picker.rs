//! Lets a person choose projects from a list, by typing parts of their paths.
//!
//! What is drawn has no colour and is redrawn in place; the cursor stays behind what is typed.

use std::io;

use console::Term;

use super::choosing::{Choosing, Outcome};
use super::reach::Project;
use crate::cli::error::Error;
use crate::cli::project_table::shortened;
use crate::credential::printable;

/// The eye takes in ten at a glance; a low terminal shows fewer.
const MOST_ROWS: usize = 10;

/// The question, the keys, and the line that is typed in.
const OTHER_LINES: usize = 3;

/// Longer than any path; a terminal would obey what is in a hostile one.
const LONGEST: usize = 1000;

/// Behind a path: two blanks and the longest role.
const ROLE: usize = 2 + "maintainer".len();

/// Narrower, and the path is all that is shown.
const WITH_ROLE: usize = 36;

const QUESTION: &str = "Import which projects?";

/// The projects that are chosen; none if the person thinks better of it.
pub(super) fn choose(projects: Vec<Project>) -> Result<Vec<Project>, Error> {
    let mut picture = Picture { term: Term::buffered_stderr(), lines: 0 };
    let mut list = Choosing::new(projects.iter().map(|project| project.path.as_str()));
    let chosen = loop {
        picture.draw(&lines(&list, &projects, picture.size())).map_err(Error::Terminal)?;
        let key = picture.term.read_key().map_err(Error::Terminal)?;
        match list.press(&key, rows(picture.size().0)) {
            Outcome::Open => {}
            Outcome::Chosen(chosen) => break chosen,
            Outcome::Left => break Vec::new(),
        }
    };
    let chosen: Vec<Project> =
        projects.into_iter().enumerate().filter(|(row, _)| chosen.contains(row)).map(|(_, project)| project).collect();
    picture.end(&match &chosen[..] {
        [] => String::new(),
        [one] => format!("{QUESTION} {}\n", printable(&one.path, LONGEST)),
        several => format!("{QUESTION} {} projects\n", several.len()),
    })?;
    Ok(chosen)
}

/// What is drawn, and how much of it.
struct Picture {
    term: Term,
    lines: usize,
}

impl Picture {
    /// Lines and columns.
    fn size(&self) -> (usize, usize) {
        let (lines, columns) = self.term.size();
        (lines.into(), columns.into())
    }

    fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        self.clear()?;
        self.lines = lines.len();
        self.term.write_str(&lines.join("\n"))?;
        self.term.flush()
    }

    fn clear(&self) -> io::Result<()> {
        if self.lines > 0 {
            self.term.move_cursor_up(self.lines - 1)?;
            self.term.write_str("\r")?;
            self.term.clear_to_end_of_screen()?;
        }
        Ok(())
    }

    /// Takes it away, and leaves a last word.
    fn end(self, word: &str) -> Result<(), Error> {
        let ended = self.clear().and_then(|()| self.term.write_str(word)).and_then(|()| self.term.flush());
        ended.map_err(Error::Terminal)
    }
}

/// How many projects are shown on so many lines.
fn rows(lines: usize) -> usize {
    lines.saturating_sub(OTHER_LINES).clamp(1, MOST_ROWS)
}

/// The whole picture. No line is as wide as the terminal, so none is broken there.
fn lines(list: &Choosing, projects: &[Project], (height, width): (usize, usize)) -> Vec<String> {
    let room = width.saturating_sub(1);
    let cut = |line: String| line.chars().take(room).collect::<String>();
    let (all, found, chosen) = (projects.len(), list.found.len(), list.chosen.len());
    let of = if found == all { all.to_string() } else { format!("{found} of {all}") };
    let and_chosen = if chosen == 0 { String::new() } else { format!(", {chosen} chosen") };
    let mut lines = vec![cut(format!("{QUESTION} {of}{and_chosen}"))];
    for at in list.window(rows(height)) {
        let row = list.found[at];
        let mark = if list.chosen.contains(&row) { "[x]" } else { "[ ]" };
        let cursor = if at == list.at { '>' } else { ' ' };
        lines.push(format!("{cursor} {mark} {}", described(&projects[row], room.saturating_sub(6))));
    }
    lines.push(cut("type to search; space: choose, Enter: import, Esc: leave".into()));
    lines.push(cut(format!("search: {}", printable(&list.typed, LONGEST))));
    lines
}

/// A project's row, in so many columns.
fn described(project: &Project, width: usize) -> String {
    let mark = if project.archived { " (archived)" } else { "" };
    let with_role = width >= WITH_ROLE;
    let room = if with_role { width - ROLE } else { width };
    let path = shortened(&printable(&project.path, LONGEST), room.saturating_sub(mark.len())) + mark;
    match with_role {
        true => format!("{path:room$}  {:.*}", ROLE - 2, project.access),
        false => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_as_wide_as_the_terminal_and_none_is_too_many() {
        let project = |path: &str, archived| Project { path: path.into(), access: "maintainer".into(), archived };
        let long = format!("group/{}", "long-".repeat(30));
        let mut projects = vec![project("group/app", false), project(&long, true)];
        projects.extend((0..30).map(|number| project(&format!("many/p{number}"), false)));
        let list = Choosing::new(projects.iter().map(|project| project.path.as_str()));
        for size in [(24, 80), (24, 40), (5, 20), (1, 1)] {
            let lines = lines(&list, &projects, size);
            assert!(lines.iter().all(|line| line.chars().count() < size.1.max(8)), "{lines:#?}");
            assert!(lines.len() <= size.0.max(4), "{lines:#?}");
        }
        let lines = lines(&list, &projects, (24, 80));
        assert_eq!(lines[0], "Import which projects? 32");
        assert_eq!(lines[1], format!("> [ ] {:61}  maintainer", "group/app"));
        assert!(lines[2].ends_with("long- (archived)  maintainer"), "{}", lines[2]);
        assert_eq!(lines.len(), MOST_ROWS + OTHER_LINES);
    }
}
