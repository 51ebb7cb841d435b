//! The command that was typed, to be typed again.

use super::named;

/// More of them are chosen from the list again rather than typed.
const NAMED: usize = 20;

/// As a shell reads it, with the projects that were chosen from a list.
pub(super) fn command(chosen: &[String]) -> String {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let chosen = chosen.iter().filter(|_| chosen.len() <= NAMED).cloned();
    let words: Vec<String> = words.chain(chosen).map(|word| quoted(&named::without_password(&word))).collect();
    format!("git credential-gitlab {}", words.join(" "))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+=,%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_as_a_shell_reads_it() {
        for (word, expected) in
            [("a/b-c", "a/b-c"), ("", "''"), ("a b", "'a b'"), ("it's;$x", r"'it'\''s;$x'"), ("~", "'~'")]
        {
            assert_eq!(quoted(word), expected);
        }
    }
}
