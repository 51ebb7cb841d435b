//! Lines for a terminal, broken between words. Through a pipe every line stays whole: there it is
//! for programs, and for a terminal that knows its own width.
//!
//! What is there to be copied is never broken: an address and a path are one word, and a command is
//! kept together. If it is too long even for a line of its own, the terminal breaks it, and still
//! copies it as one line.

use console::measure_text_width as width_of;

/// Less is no room for a sentence.
const NARROWEST: usize = 20;

/// Further in than what belongs to a line and begins below it.
const FURTHER: usize = 4;

/// Sentences: each goes on where it begins, or below the words of a step, not below its number.
pub(super) fn wrap(text: &str, width: usize) -> String {
    each_line(text, width, |line, own| {
        let number = line.find(". ").filter(|dot| line[..*dot].parse::<u8>().is_ok());
        own + number.map_or(0, |dot| dot + 2)
    })
}

/// Entries of a list or table, in a terminal of this width: what does not fit goes on so far from the
/// left, or further than its own line begins.
pub(super) fn wrapped(text: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width else { return text.into() };
    let indent = indent.min(width / 3);
    each_line(text, width, |_, own| if indent > own { indent } else { own + FURTHER })
}

/// `below`: where a line goes on, by its words and its own indentation.
fn each_line(text: &str, width: usize, below: impl Fn(&str, usize) -> usize) -> String {
    let wrap = |line: &str| match width < NARROWEST || width_of(line) <= width {
        true => line.to_owned(),
        false => {
            let words = line.trim_start_matches(' ');
            let own = line.len() - words.len();
            broken(words, width, own, below(words, own))
        }
    };
    text.split('\n').map(wrap).collect::<Vec<_>>().join("\n")
}

fn broken(words: &str, width: usize, own: usize, below: usize) -> String {
    let (mut wrapped, mut column, mut blanks) = (String::new(), 0, own);
    for (nth, part) in parts(words).into_iter().enumerate() {
        if part.is_empty() {
            blanks += 1; // there are several, for the look of it
            continue;
        }
        let wide = width_of(part);
        if nth > 0 && column + blanks + wide > width {
            wrapped.push('\n');
            (column, blanks) = (0, below);
        }
        wrapped += &" ".repeat(blanks);
        wrapped += part;
        (column, blanks) = (column + blanks + wide, 1);
    }
    wrapped
}

/// Words, and whole commands. Between two of them is a blank.
fn parts(mut text: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    while !text.is_empty() {
        let told = parts.last().is_some_and(|before| before.ends_with(':'));
        let end = if begins_with_command(text, told) { end_of_command(text) } else { end_of_word(text) };
        let (part, rest) = text.split_at(end);
        parts.push(part);
        text = rest.strip_prefix(' ').unwrap_or(rest);
    }
    parts
}

fn end_of_word(text: &str) -> usize {
    text.find(' ').unwrap_or(text.len())
}

/// `told`: what comes is what to type.
fn begins_with_command(text: &str, told: bool) -> bool {
    let ours = ["git credential-gitlab ", "git config --", "sudo "];
    ours.iter().any(|command| text.starts_with(command)) || told && text.starts_with("git ")
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
    fn a_sentence_is_broken_between_words_and_keeps_its_indentation() {
        let text = "one two three four five\n  six seven eight nine ten\n\nend";
        assert_eq!(wrap(text, 20), "one two three four\nfive\n  six seven eight\n  nine ten\n\nend");
        assert_eq!(wrap("  1. one two three four five\n", 20), "  1. one two three\n     four five\n");
        assert_eq!(wrap("it fits  as it is, so\n", 21), "it fits  as it is, so\n");
        assert_eq!(wrap("to https://gitlab.example/group go\n", 20), "to\nhttps://gitlab.example/group\ngo\n");
        assert_eq!(wrap("too narrow for a sentence", 10), "too narrow for a sentence");
    }

    #[test]
    fn an_entry_goes_on_further_in() {
        let text = "host\n  works; the access token lives until 22:04 (in 9 s)\n";
        assert_eq!(
            wrapped(text, Some(30), 0),
            "host\n  works; the access token\n      lives until 22:04 (in 9\n      s)\n"
        );
        assert_eq!(wrapped(text, None, 0), text);
        assert_eq!(
            wrapped("  x fail login  it does not work", Some(24), 16),
            "  x fail login  it does\n        not work"
        );
        assert_eq!(wrapped("  x fail a login  it does", Some(20), 16), "  x fail a login  it\n      does");
    }

    #[test]
    fn a_command_is_kept_together() {
        let text =
            "no; to link it: git credential-gitlab link a.example --device; or git has it (sudo git config x), too.\n";
        let expected = "no; to link it:\ngit credential-gitlab link a.example --device;\nor git has it (sudo\ngit config x), too.\n";
        assert_eq!(wrap(text, 20), expected);
        assert_eq!(wrap("say: git config --global a.b.c d\n", 20), "say:\ngit config --global a.b.c d\n");
        assert_eq!(wrap("git config is not readable here\n", 20), "git config is not\nreadable here\n");
        let told = "it points elsewhere; to mend it: git -C /home/alice/app remote set-url origin https://h/x";
        let lines = "it points elsewhere; to\n  mend it:\n  git -C /home/alice/app remote set-url origin https://h/x";
        assert_eq!(wrapped(told, Some(25), 2).replace("      ", "  "), lines);
    }

    proptest::proptest! {
        #[test]
        fn no_word_is_lost_or_broken(text in "[ a-zäß:;.\n中]{0,200}", width in 20_usize..100, indent in 0_usize..40) {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            for shown in [wrap(&text, width), wrapped(&text, Some(width), indent)] {
                proptest::prop_assert_eq!(words(&shown), words(&text));
                let fits = |line: &str| width_of(line.trim_end()) <= width || !line.trim().contains(' ');
                proptest::prop_assert!(shown.lines().all(fits), "{}", shown);
            }
        }
    }
}
