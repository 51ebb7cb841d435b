//! That an account is not linked: the same sentence wherever that turns out.

use crate::instance::Instance;
use crate::label;

/// Nothing is linked at all, and no GitLab was named.
pub const NOTHING: &str = "nothing is linked; to link an account: git credential-gitlab link HOST";

/// Several GitLabs are linked, and none of them was named, nor is gitlab.com one.
pub fn which_of(instances: &[impl AsRef<str>]) -> String {
    format!("which GitLab? {} are linked; name one, by its host", list(instances))
}

/// Nobody is linked there who is meant: by a name, or by none. `there` are the names of those who
/// are linked.
pub fn from(instance: &Instance, named: Option<&str>, there: &[impl AsRef<str>]) -> String {
    let named = named.filter(|name| label::is_plain(name));
    let how = match (there, named) {
        ([], _) => "is not linked".into(),
        (there, named) => format!("is linked as {}, not as {}", list(there), named.unwrap_or("that account")),
    };
    let account = named.map(|name| format!(" --account {name}")).unwrap_or_default();
    format!("{instance} {how}; to link it: {}{account}", instance.link_command())
}

/// Several names in a sentence: in the order of the alphabet, because that in which they were
/// linked says nothing to a reader.
pub fn list(names: &[impl AsRef<str>]) -> String {
    let mut names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.sort_unstable();
    match names.split_last() {
        Some((last, before @ [_, ..])) => format!("{} and {last}", before.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_names_are_read_as_a_sentence() {
        assert_eq!(list(&["carol", "alice", "bob"]), "alice, bob and carol");
        assert_eq!(list(&["bob", "alice"]), "alice and bob");
        assert_eq!(list(&["alice"]), "alice");
    }

    #[test]
    fn who_is_missing_is_told_with_the_command_that_links_exactly_that_account() {
        let instance = Instance::parse("gitlab.example/git").expect("an address");
        for (named, there, sentence) in [
            (None, &[][..], "is not linked; to link it: git credential-gitlab link gitlab.example/git"),
            (
                Some("bob"),
                &[],
                "is not linked; to link it: git credential-gitlab link gitlab.example/git --account bob",
            ),
            (
                Some("bob+read-only"),
                &["alice", "bob"],
                "is linked as alice and bob, not as bob+read-only; \
                 to link it: git credential-gitlab link gitlab.example/git --account bob+read-only",
            ),
            (
                Some("$(id)"),
                &["alice"],
                "is linked as alice, not as that account; to link it: git credential-gitlab link gitlab.example/git",
            ),
        ] {
            assert_eq!(from(&instance, named, there), format!("https://gitlab.example/git {sentence}"));
        }
    }
}
