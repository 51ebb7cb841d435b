//! What an account is called: `alice`, or `alice+read-only` for the link beside it that can only
//! read. The same on the command line, in git config and before the `@` of an address, where `+`
//! may stand as it is. GitLab's user names have none.

/// Ends the name of an account that can only read.
const READ_ONLY: &str = "+read-only";

/// GitLab's own limit for a user name.
#[cfg(feature = "daemon")]
const LONGEST_NAME: usize = 255;

/// The name of a person's account.
pub fn of(username: &str, read_only: bool) -> String {
    format!("{username}{}", if read_only { READ_ONLY } else { "" })
}

/// The user name in an account's name, and whether it names the one that can only read.
pub fn parts(label: &str) -> (&str, bool) {
    let at = label.len().saturating_sub(READ_ONLY.len());
    match label.split_at_checked(at) {
        Some((username, end)) if end.eq_ignore_ascii_case(READ_ONLY) => (username, true),
        _ => (label, false),
    }
}

/// Whether it can be shown to a person as part of a command: GitLab's user names can, while an
/// address may have anything before its `@`.
pub fn is_plain(label: &str) -> bool {
    let (username, _) = parts(label);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !username.is_empty() && !username.starts_with('-') && username.bytes().all(plain)
}

/// Whether it can be the user name of an account, a deploy token's too. It becomes part of the names of
/// files.
#[cfg(feature = "daemon")]
pub fn is_username(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_of_a_persons_accounts_is_meant() {
        for (label, username, read_only) in [
            ("alice", "alice", false),
            ("alice+read-only", "alice", true),
            ("Alice+Read-Only", "Alice", true),
            ("alice+read", "alice+read", false),
            ("read-only", "read-only", false),
            ("", "", false),
            ("ä+read-onlyä", "ä+read-onlyä", false),
        ] {
            assert_eq!(parts(label), (username, read_only), "{label}");
        }
        assert_eq!(of("alice", true), "alice+read-only");
    }

    #[test]
    fn a_name_that_a_shell_would_run_is_not_shown() {
        for label in ["alice", "alice.b-c_d", "alice+read-only"] {
            assert!(is_plain(label), "{label}");
        }
        for label in ["", "+read-only", "$(id)+read-only", "a b", "alice+x", "-x", "a;b", "\u{1b}[2J"] {
            assert!(!is_plain(label), "{label:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_name_is_taken_apart_as_it_was_made(username in "[a-z0-9_.-]{1,20}", read_only: bool) {
            let label = of(&username, read_only);
            proptest::prop_assert_eq!(parts(&label), (username.as_str(), read_only));
        }

        #[test]
        fn any_name_is_taken_apart_without_panic(label: String) {
            parts(&label);
        }
    }
}
