//! Lines for a terminal, broken between words. Through a pipe every line stays whole: there it is
//! for programs, and for a terminal that knows its own width.

use console::measure_text_width as width_of;

/// What comes behind this is a command, which is copied: a terminal gives it back whole however it
/// breaks it, and we would not.
const COMMAND: &str = ": git ";

/// Less is no room for a sentence.
const NARROWEST: usize = 20;

/// Further in than what belongs to a line and begins below it.
const FURTHER: usize = 4;

/// The lines of a text in a terminal of this width. What does not fit is continued so far from the
/// left, or further than its own line begins.
pub(super) fn wrapped(text: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width.filter(|width| *width >= NARROWEST) else { return text.into() };
    text.lines().map(|line| broken(line, width, indent.min(width / 3))).collect::<Vec<_>>().join("\n")
}

fn broken(line: &str, width: usize, indent: usize) -> String {
    let own = line.len() - line.trim_start_matches(' ').len();
    let indent = if indent > own { indent } else { own + FURTHER };
    let whole_from = line.find(COMMAND).map_or(line.len(), |at| at + 2);
    let (mut lines, mut rest, mut start) = (Vec::new(), line, 0);
    loop {
        let used = if lines.is_empty() { 0 } else { indent };
        if width_of(rest) + used <= width {
            break;
        }
        let may_break = |at: usize| start + at < whole_from && !rest[..at].trim().is_empty();
        let mut blanks = rest.match_indices(' ').map(|(at, _)| at).filter(|at| may_break(*at)).peekable();
        let Some(first) = blanks.peek().copied() else { break };
        let last = blanks.take_while(|at| width_of(&rest[..*at]) + used <= width).last().unwrap_or(first);
        let (front, behind) = rest.split_at(last);
        lines.push(format!("{:used$}{}", "", front.trim_end()));
        let skipped = behind.len() - behind.trim_start_matches(' ').len();
        start += last + skipped;
        rest = &behind[skipped..];
    }
    let used = if lines.is_empty() { 0 } else { indent };
    lines.push(format!("{:used$}{rest}", ""));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words_and_go_on_further_in() {
        let text = "host\n  works; the access token lives until 22:04 (in 9 s)\n";
        assert_eq!(
            wrapped(text, Some(30), 0),
            "host\n  works; the access token\n      lives until 22:04 (in 9\n      s)"
        );
        assert_eq!(wrapped(text, None, 0), text);
        assert_eq!(
            wrapped("  x fail login  it does not work", Some(24), 16),
            "  x fail login  it does\n        not work"
        );
    }

    #[test]
    fn a_word_and_a_command_stay_whole() {
        assert_eq!(
            wrapped("see https://gitlab.example/very/long now", Some(20), 2),
            "see\n  https://gitlab.example/very/long\n  now"
        );
        let told = "it has ended; to link it again: git credential-gitlab link https://gitlab.example";
        let lines = "it has ended; to link it\n  again:\n  git credential-gitlab link https://gitlab.example";
        assert_eq!(wrapped(told, Some(25), 2), lines);
    }

    proptest::proptest! {
        #[test]
        fn no_word_is_lost_or_broken(text in "[ a-zäß:]{0,200}", width in 20_usize..100, indent in 0_usize..40) {
            let shown = wrapped(&text, Some(width), indent);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            proptest::prop_assert_eq!(words(&shown), words(&text));
            let fits = |line: &str| width_of(line) <= width || !line.trim().contains(' ');
            proptest::prop_assert!(shown.lines().all(fits), "{}", shown);
        }
    }
}
