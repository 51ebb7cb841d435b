//! Projects for people: a table whose columns are known before the first row, because the rows
//! are shown as they come.

use super::charset::ellipsis;
use super::project::Project;
use super::time::Now;

/// Between columns.
const GAP: &str = "  ";

/// Of a path that does not fit, this much has to be seen for a person to know it.
const SHORTEST_PATH: usize = 24;

/// Wider, and the eye does not find the way from a path to its role.
const WIDEST_PATH: usize = 72;

/// The columns behind the path: the head, and as much room as the longest word needs.
const COLUMNS: [(&str, usize); 3] =
    [("ROLE", "maintainer".len()), ("VISIBILITY", "VISIBILITY".len()), ("ACTIVE", "59 months ago".len())];

/// A table of a width.
#[derive(Debug)]
pub(super) struct Table {
    path: usize,
    /// How many of the columns there is room for.
    columns: usize,
    now: Now,
}

impl Table {
    /// In a narrow terminal the last columns are left out, so that the path can be read.
    pub(super) fn new(width: usize, now: Now) -> Self {
        let left = |columns: usize| {
            width.saturating_sub(COLUMNS[..columns].iter().map(|(_, width)| GAP.len() + width).sum::<usize>())
        };
        let columns = (0..=COLUMNS.len()).rev().find(|columns| left(*columns) >= SHORTEST_PATH).unwrap_or(0);
        Self { path: left(columns).clamp(1, WIDEST_PATH), columns, now }
    }

    /// The first line.
    pub(super) fn head(&self) -> String {
        self.line("PROJECT", COLUMNS.map(|(head, _)| head.to_owned()))
    }

    /// The line of a project.
    pub(super) fn row(&self, project: &Project) -> String {
        let mark = if project.archived { " (archived)" } else { "" };
        let path = shortened(&project.path, self.path.saturating_sub(mark.len())) + mark;
        let activity = project.last_activity_at.as_deref().and_then(|at| self.now.age(at)).unwrap_or_default();
        let activity = if matches!(activity.as_str(), "" | "now") { activity } else { activity + " ago" };
        self.line(&path, [project.access.clone(), project.visibility.clone(), activity])
    }

    fn line(&self, path: &str, cells: [String; 3]) -> String {
        let mut line = format!("{path:width$}", width = self.path);
        for (cell, (_, width)) in cells.iter().zip(COLUMNS).take(self.columns) {
            line += &format!("{GAP}{cell:width$.width$}");
        }
        line.trim_end().into()
    }
}

/// The end of a path, which tells it from others, if it is too long. (GitLab's paths are ASCII.)
pub(super) fn shortened(path: &str, width: usize) -> String {
    let length = path.chars().count();
    match length <= width {
        true => path.into(),
        false => {
            let mark = ellipsis();
            let kept = width.saturating_sub(mark.chars().count());
            mark.chars().chain(path.chars().skip(length - kept)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::project::example;
    use super::*;

    fn table(width: usize) -> Table {
        Table::new(width, Now::at(1_700_000_000)) // 2023-11-14 22:13:20
    }

    #[test]
    fn a_wide_terminal_shows_everything_and_a_narrow_one_the_path_and_the_role() {
        let (wide, narrow) = (table(80), table(40));
        let app = example();
        assert_eq!(wide.head(), format!("{:41}  ROLE        VISIBILITY  ACTIVE", "PROJECT"));
        assert_eq!(wide.row(&app), format!("{:41}  maintainer  private     2 h ago", app.path));
        assert_eq!(narrow.head(), format!("{:28}  ROLE", "PROJECT"));
        assert_eq!(narrow.row(&app), format!("{:28}  maintainer", app.path));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut long = example();
        long.path = format!("group/{}/the-end", "sub/".repeat(40));
        for archived in [false, true] {
            long.archived = archived;
            for width in [1, 2, 12, 24, 36, 40, 60, 80, 200] {
                let (table, line) = (table(width), table(width).row(&long));
                let fits = |line: &str| line.chars().count() <= width.max(1);
                assert!((fits(&line) && fits(&table.head())) || width < 24, "{width}: {line}");
                assert!(line.contains("he-end") || width < 24, "{width}: {line}");
                assert_eq!(line.contains("(archived)"), archived);
            }
        }
    }
}
