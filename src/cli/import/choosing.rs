//! A list that a person chooses from: what was typed, which rows that leaves, which are chosen.
//! Nothing is drawn here.

use std::collections::BTreeSet;
use std::ops::Range;

use console::Key;

/// What a key led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The person is not done.
    Open,
    /// These are wanted, by their places in the list.
    Chosen(Vec<usize>),
    /// The person wants none.
    Left,
}

/// The list.
#[derive(Debug)]
pub(super) struct Choosing {
    /// In small letters, as they are searched.
    names: Vec<String>,
    /// What is searched for.
    pub(super) typed: String,
    /// What is found, the best first.
    pub(super) found: Vec<usize>,
    /// The row under the cursor, of those that are found.
    pub(super) at: usize,
    pub(super) chosen: BTreeSet<usize>,
}

impl Choosing {
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<String> = names.into_iter().map(str::to_lowercase).collect();
        let found = (0..names.len()).collect();
        Self { names, typed: String::new(), found, at: 0, chosen: BTreeSet::new() }
    }

    /// A key was pressed, where so many rows are shown.
    pub(super) fn press(&mut self, key: &Key, rows: usize) -> Outcome {
        let last = self.found.len().saturating_sub(1);
        match key {
            Key::Escape => return Outcome::Left,
            Key::Enter => return self.enter(),
            Key::Char(' ') => self.toggle(),
            Key::ArrowUp => self.at = self.at.checked_sub(1).unwrap_or(last),
            Key::ArrowDown => self.at = if self.at < last { self.at + 1 } else { 0 },
            Key::PageUp => self.at = self.at.saturating_sub(rows),
            Key::PageDown => self.at = (self.at + rows).min(last),
            Key::Home => self.at = 0,
            Key::End => self.at = last,
            Key::ArrowRight => self.chosen.extend(&self.found),
            Key::ArrowLeft => self.chosen.clear(),
            Key::Backspace => {
                self.typed.pop();
                self.search();
            }
            Key::Char(c) if !c.is_control() => {
                self.typed.push(*c);
                self.search();
            }
            _ => {}
        }
        Outcome::Open
    }

    /// Which of those that are found are shown in so many rows.
    pub(super) fn window(&self, rows: usize) -> Range<usize> {
        let start = self.at.saturating_sub(rows / 2).min(self.found.len().saturating_sub(rows));
        start..self.found.len().min(start + rows)
    }

    /// Those that are chosen; who chose none means the one under the cursor.
    fn enter(&self) -> Outcome {
        match (self.chosen.is_empty(), self.found.get(self.at)) {
            (true, None) => Outcome::Open,
            (true, Some(row)) => Outcome::Chosen(vec![*row]),
            (false, _) => Outcome::Chosen(self.chosen.iter().copied().collect()),
        }
    }

    /// What was found is done with then: the next search begins.
    fn toggle(&mut self) {
        let Some(row) = self.found.get(self.at).copied() else { return };
        if !self.chosen.remove(&row) {
            self.chosen.insert(row);
        }
        if !self.typed.is_empty() {
            self.typed.clear();
            self.search();
            self.at = row;
        }
    }

    fn search(&mut self) {
        let typed = self.typed.to_lowercase();
        let mut found: Vec<(u8, usize)> =
            self.names.iter().enumerate().filter_map(|(row, name)| Some((distance(name, &typed)?, row))).collect();
        found.sort_unstable();
        self.found = found.into_iter().map(|(_, row)| row).collect();
        self.at = 0;
    }
}

/// How far a path is from what was typed; none where not even its letters come in that order.
fn distance(path: &str, typed: &str) -> Option<u8> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut rest = path.chars();
    let in_order = |c| rest.any(|other| other == c);
    match () {
        () if name.starts_with(typed) => Some(0),
        () if path.contains(typed) => Some(1),
        () if typed.chars().all(in_order) => Some(2),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 2;

    fn list() -> Choosing {
        Choosing::new(["group/app", "group/sub/Tool", "other/lib", "apps/web"])
    }

    fn press(list: &mut Choosing, keys: &[Key]) -> Outcome {
        keys.iter().map(|key| list.press(key, ROWS)).last().expect("a key")
    }

    fn typing(list: &mut Choosing, text: &str) {
        text.chars().for_each(|c| drop(list.press(&Key::Char(c), ROWS)));
    }

    #[test]
    fn enter_takes_the_row_under_the_cursor_or_those_that_were_chosen() {
        assert_eq!(press(&mut list(), &[Key::Enter]), Outcome::Chosen(vec![0]));
        assert_eq!(press(&mut list(), &[Key::ArrowDown, Key::Enter]), Outcome::Chosen(vec![1]));
        let two = [Key::End, Key::Char(' '), Key::Home, Key::Char(' '), Key::ArrowDown, Key::Enter];
        assert_eq!(press(&mut list(), &two), Outcome::Chosen(vec![0, 3]));
        let none = [Key::Char(' '), Key::Char(' '), Key::ArrowDown, Key::Enter];
        assert_eq!(press(&mut list(), &none), Outcome::Chosen(vec![1]));
        assert_eq!(press(&mut list(), &[Key::ArrowRight, Key::Enter]), Outcome::Chosen(vec![0, 1, 2, 3]));
        assert_eq!(press(&mut list(), &[Key::Char(' '), Key::Escape]), Outcome::Left);
    }

    #[test]
    fn a_search_finds_names_before_parts_and_parts_before_letters() {
        for (typed, found) in [("app", &[0, 3][..]), ("gstool", &[1]), ("TOOL", &[1]), ("b", &[1, 2, 3]), ("xyz", &[])]
        {
            let mut list = list();
            typing(&mut list, typed);
            assert_eq!(list.found, found, "{typed}");
        }
        let mut list = list();
        typing(&mut list, "xyz");
        assert_eq!(press(&mut list, &[Key::Enter]), Outcome::Open, "there is nothing to take");
        assert_eq!(
            press(&mut list, &[Key::Backspace, Key::Backspace, Key::Backspace, Key::Enter]),
            Outcome::Chosen(vec![0])
        );
    }

    #[test]
    fn what_is_chosen_stays_chosen_while_something_else_is_searched() {
        let mut list = list();
        typing(&mut list, "lib");
        press(&mut list, &[Key::Char(' ')]);
        assert_eq!((list.typed.as_str(), list.at), ("", 2));
        typing(&mut list, "web");
        assert_eq!(press(&mut list, &[Key::Char(' '), Key::Enter]), Outcome::Chosen(vec![2, 3]));
    }

    #[test]
    fn the_cursor_stays_in_the_list_and_in_sight() {
        let mut list = list();
        for (keys, at, window) in [
            (&[Key::ArrowUp][..], 3, 2..4),
            (&[Key::ArrowDown], 0, 0..2),
            (&[Key::PageDown], 2, 1..3),
            (&[Key::PageDown], 3, 2..4),
            (&[Key::PageUp], 1, 0..2),
        ] {
            press(&mut list, keys);
            assert_eq!((list.at, list.window(ROWS)), (at, window), "{keys:?}");
        }
        typing(&mut list, "zzz");
        press(&mut list, &[Key::ArrowUp, Key::ArrowDown, Key::End, Key::PageDown, Key::Char(' ')]);
        assert_eq!((list.at, list.window(ROWS)), (0, 0..0));
    }
}
