//! Where the bars are drawn: stderr, with the cursor left behind the last word.
//!
//! indicatif fills the last line with blanks. A terminal that then shows `^C` shows it on the next
//! line, so that the bars are cleared one line too low, and one of them stays.

use std::io;

use console::Term;
use indicatif::TermLike;

/// The terminal at stderr.
#[derive(Debug)]
pub(super) struct Screen(Term);

impl Screen {
    pub(super) fn stderr() -> Self {
        Self(Term::buffered_stderr())
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    /// Only the last line has blanks to be filled with: every other is a bar as wide as the terminal.
    fn write_str(&self, text: &str) -> io::Result<()> {
        match text.trim_matches(' ').is_empty() {
            true => Ok(()),
            false => self.0.write_str(text),
        }
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
