//! The journal as a table, in as many columns as the terminal has.

/// Between columns.
const GAP: usize = 2;

/// Of a cell that does not fit, this much has to be seen for a person to know it.
const LEAST: usize = 8;

/// Time, program, command, account, what for, result.
pub(super) type Row = [String; 6];

const HEADS: [&str; 6] = ["TIME", "PROGRAM", "COMMAND", "ACCOUNT", "FOR", "RESULT"];

/// Those that may be shortened: the program, the command, what for.
const FLEXIBLE: [usize; 3] = [1, 2, 4];

/// Those that are left out where shorter cells don't help, in this order: which program it was, and
/// when, is what people look for.
const LEFT_OUT: [usize; 3] = [3, 2, 4];

/// The lines: as wide as the cells are, or cut to a width. `mark` is put where something is cut.
pub(super) fn table(rows: &[Row], width: Option<usize>, mark: &str) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head = HEADS.map(str::to_owned);
    let all = || std::iter::once(&head).chain(rows);
    let natural = std::array::from_fn(|column| all().map(|row| length(&row[column])).max().unwrap_or(0));
    let widths = width.map_or(natural, |width| fitting(natural, width));
    let line = |row: &Row| {
        let shown = row.iter().zip(widths).filter(|(_, width)| *width > 0);
        let cells: Vec<String> = shown.map(|(cell, width)| format!("{:width$}", cut(cell, width, mark))).collect();
        cells.join(&" ".repeat(GAP)).trim_end().to_owned() + "\n"
    };
    all().map(line).collect()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// How wide the columns may be; one that is left out has no width.
fn fitting(natural: [usize; 6], room: usize) -> [usize; 6] {
    let mut columns = natural;
    for left_out in LEFT_OUT {
        let mut widths = columns;
        while total(&widths) > room {
            let widest = FLEXIBLE.into_iter().filter(|column| widths[*column] > LEAST).max_by_key(|it| widths[*it]);
            let Some(widest) = widest else { break };
            widths[widest] -= 1;
        }
        if total(&widths) <= room {
            return widths;
        }
        columns[left_out] = 0;
    }
    FLEXIBLE.into_iter().for_each(|column| columns[column] = columns[column].min(LEAST));
    columns
}

fn total(widths: &[usize; 6]) -> usize {
    let shown = widths.iter().filter(|width| **width > 0);
    shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1)
}

/// The beginning and the end of a text that does not fit.
fn cut(text: &str, width: usize, mark: &str) -> String {
    let length = length(text);
    if length <= width {
        return text.into();
    }
    let kept = width.saturating_sub(mark.chars().count());
    let begin: String = text.chars().take(kept.div_ceil(2)).collect();
    begin + mark + &text.chars().skip(length - kept / 2).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let long = "a-rather-long-group/with/a/deep/path/app.git";
        let row = |program: &str, place: &str| {
            ["2023-11-14 22:13:20", program, "git push origin main", "alice", place, "served"].map(str::to_owned)
        };
        vec![row("bash in code", "gitlab.example/group/app.git"), row("zsh in a-terminal", &format!("h/{long}"))]
    }

    #[test]
    fn every_line_fits_and_the_program_stays_to_the_last() {
        for (width, columns) in [(120, 6), (80, 6), (60, 5), (40, 3)] {
            let text = table(&rows(), Some(width), "…");
            assert!(text.lines().all(|line| length(line) <= width), "{width}: {text}");
            let head: Vec<&str> = text.lines().next().expect("a head").split_whitespace().collect();
            assert_eq!(head.len(), columns, "{width}: {text}");
            assert_eq!(head[..2], ["TIME", "PROGRAM"], "{text}");
        }
        let whole = table(&rows(), None, "…");
        assert!(whole.contains("h/a-rather-long-group/with/a/deep/path/app.git"), "{whole}");
    }

    #[test]
    fn what_is_cut_keeps_its_two_ends() {
        assert_eq!(cut("gitlab.example/group/app", 11, "…"), "gitla…p/app");
        assert_eq!(cut("gitlab.example/group/app", 11, "..."), "gitl.../app");
        assert_eq!(cut("short", 5, "…"), "short");
        for width in 0..12 {
            assert!(length(&cut("gitlab.example", width, "...")) <= width.max(3));
        }
        assert_eq!(table(&[], Some(80), "…"), "");
    }
}
