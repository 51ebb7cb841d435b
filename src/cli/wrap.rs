//! Breaking lines between words, where a narrow terminal would break them within one.
//!
//! What is there to be copied is never broken: an address and a path are one word, and a command is
//! kept together. If it is too long even for a line of its own, the terminal breaks it, and still
//! copies it as one line.

use console::measure_text_width;

/// The lines of a text, none of them wider than it must be.
pub(super) fn wrap(text: &str, width: usize) -> String {
    text.split('\n').map(|line| wrap_line(line, width)).collect::<Vec<_>>().join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    if measure_text_width(line) <= width {
        return line.into();
    }
    let text = line.trim_start_matches(' ');
    let indentation = line.len() - text.len();
    // Below the words of a step, not below its number.
    let below = indentation + text.find(". ").filter(|dot| text[..*dot].parse::<u8>().is_ok()).map_or(0, |dot| dot + 2);
    let (mut wrapped, mut column) = (" ".repeat(indentation), indentation);
    for (nth, part) in parts(text).into_iter().enumerate() {
        let wide = measure_text_width(part);
        if nth > 0 && column + 1 + wide > width {
            wrapped.push('\n');
            wrapped += &" ".repeat(below);
            column = below;
        } else if nth > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped += part;
        column += wide;
    }
    wrapped
}

/// Words, and whole commands.
fn parts(mut text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while !text.is_empty() {
        let end = if begins_with_command(text) { end_of_command(text) } else { end_of_word(text) };
        let (part, rest) = text.split_at(end);
        parts.push(part);
        text = rest.strip_prefix(' ').unwrap_or(rest);
    }
    parts
}

fn end_of_word(text: &str) -> usize {
    text.find(' ').unwrap_or(text.len())
}

fn begins_with_command(text: &str) -> bool {
    ["git credential-gitlab ", "git config --", "sudo "].iter().any(|command| text.starts_with(command))
}

/// Behind the word that ends with what ends a clause.
fn end_of_command(text: &str) -> usize {
    let ends = text.match_indices([';', ',', ')', '.']).map(|(at, mark)| at + mark.len());
    let mut ends = ends.filter(|end| text[*end..].starts_with(' '));
    ends.next().unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_keeps_its_indentation() {
        assert_eq!(wrap("one two three\n  four five six\n\nend", 9), "one two\nthree\n  four\n  five\n  six\n\nend");
        assert_eq!(wrap("  1. one two three\n", 10), "  1. one\n     two\n     three\n");
        assert_eq!(wrap("it fits  as it is\n", 17), "it fits  as it is\n");
        assert_eq!(wrap("to https://gitlab.example go\n", 9), "to\nhttps://gitlab.example\ngo\n");
    }

    #[test]
    fn a_command_is_kept_together() {
        let text =
            "no; to link it: git credential-gitlab link a.example --device; or git has it (sudo git config x), too.\n";
        let expected = "no; to link it:\ngit credential-gitlab link a.example --device;\nor git has it\n(sudo git config\nx), too.\n";
        assert_eq!(wrap(text, 16), expected);
        assert_eq!(wrap("say: git config --global a.b.c d\n", 20), "say:\ngit config --global a.b.c d\n");
        assert_eq!(wrap("git config is not readable here\n", 15), "git config is\nnot readable\nhere\n");
    }

    proptest::proptest! {
        #[test]
        fn only_blanks_are_changed(text in "[a-z ;.\n\u{e9}\u{4e2d}]{0,80}", width in 1_usize..40) {
            let words = |text: &str| text.split([' ', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            proptest::prop_assert_eq!(words(&wrap(&text, width)), words(&text));
        }
    }
}
