//! Commands for people to paste.

/// A word as a shell reads it back, whatever is in it.
pub fn quoted(word: &str) -> String {
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
    fn a_word_of_a_command_stays_one_word() {
        for (word, expected) in [
            ("a/b-c", "a/b-c"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's;$x", r"'it'\''s;$x'"),
            ("$(x)", "'$(x)'"),
            ("~", "'~'"),
            ("a\nb", "'a\nb'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
