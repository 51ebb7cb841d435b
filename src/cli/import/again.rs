//! The command that was typed, to be typed again.

use super::named;
use crate::shell::quoted;

/// More of them are chosen from the list again rather than typed.
const NAMED: usize = 20;

/// As a shell reads it, with the projects that were chosen from a list, and without the `done`
/// ones that were named.
pub(super) fn command(chosen: &[String], done: &[&str]) -> String {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let words = remaining(&words, done).cloned();
    let chosen = chosen.iter().filter(|_| chosen.len() <= NAMED).cloned();
    let words: Vec<String> = words.chain(chosen).map(|word| quoted(&named::without_password(&word))).collect();
    format!("git credential-gitlab {}", words.join(" "))
}

/// A word behind a flag may be the flag's value, and stays.
fn remaining<'a>(words: &'a [String], done: &[&str]) -> impl Iterator<Item = &'a String> {
    let behind_flag = |at: usize| at > 0 && words[at - 1].starts_with('-');
    let is_done = move |at: usize| done.contains(&words[at].as_str()) && !behind_flag(at);
    (0..words.len()).filter(move |at| !is_done(*at)).map(|at| &words[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_not_named_again() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (typed, left) in [
            ("import a/b c/d", "import c/d"),
            ("import --dir a/b c/d", "import --dir a/b c/d"),
            ("import --jobs 2 a/b c/d", "import --jobs 2 c/d"),
            ("import --group a/b", "import --group a/b"),
        ] {
            assert_eq!(remaining(&words(typed), &["a/b"]).cloned().collect::<Vec<_>>(), words(left));
        }
    }
}
