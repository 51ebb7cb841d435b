//! The values of one `credential.URL.helper`, and what must be done to a config file so that
//! our pair (an empty value, which empties git's list so far, and our path) ends them.
//!
//! `git config` knows a line by its value alone. So every line is changed by itself as long as
//! its value tells it from the others; where it does not (two empty values), all lines are
//! written anew, in their order.

use super::helper_path::is_ours;

/// The value that makes git forget the helpers before it.
pub(super) const RESET: &str = "";

/// One change to the values of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edit {
    /// Add one at the end.
    Add(String),
    /// Change the one that is `old`.
    Replace { old: String, new: String },
    /// Remove the one that is this.
    Remove(String),
    /// Remove all.
    RemoveAll,
}

/// The values with our pair at their end.
pub(super) fn with_ours(values: &[String], path: &str) -> Vec<String> {
    if values.ends_with(&[RESET.into(), path.into()]) {
        return values.to_vec();
    }
    let mut wanted = without_ours(values);
    wanted.extend([RESET.into(), path.into()]);
    wanted
}

/// The values without our path, whichever installation wrote it, and the reset before it.
pub(super) fn without_ours(values: &[String]) -> Vec<String> {
    let mut others: Vec<String> = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        if !is_ours(value) {
            others.push(value.clone());
        } else if at > 0 && values[at - 1] == RESET {
            others.pop();
        }
    }
    others
}

/// The changes that make `wanted` of the values; `wanted` keeps their order.
pub(super) fn edits(values: &[String], wanted: &[String]) -> Vec<Edit> {
    if let Some(replacement) = one_replaced(values, wanted) {
        return vec![replacement];
    }
    let (mut removed, mut kept) = (Vec::new(), 0);
    for value in values {
        match wanted.get(kept) == Some(value) {
            true => kept += 1,
            false => removed.push(value.clone()),
        }
    }
    let add = |added: &[String]| -> Vec<Edit> { added.iter().cloned().map(Edit::Add).collect() };
    let is_unique = |value: &String| values.iter().filter(|other| *other == value).count() == 1;
    match removed.iter().all(is_unique) {
        true => removed.into_iter().map(Edit::Remove).chain(add(&wanted[kept..])).collect(),
        false => [vec![Edit::RemoveAll], add(wanted)].concat(),
    }
}

/// The change, if it is that of one value which no other value equals.
fn one_replaced(values: &[String], wanted: &[String]) -> Option<Edit> {
    let mut changes = values.iter().zip(wanted).filter(|(old, new)| old != new);
    let (old, new) = changes.next()?;
    let is_unique = values.iter().filter(|value| *value == old).count() == 1;
    let alone = changes.next().is_none() && values.len() == wanted.len() && is_unique;
    alone.then(|| Edit::Replace { old: old.clone(), new: new.clone() })
}

#[cfg(test)]
mod tests {
    use super::Edit::{Add, Remove, RemoveAll, Replace};
    use super::*;

    const OURS: &str = "/new/git-credential-gitlab";
    const OLD: &str = "/old/git-credential-gitlab";

    fn list(values: &[&str]) -> Vec<String> {
        values.iter().map(ToString::to_string).collect()
    }

    fn adding(values: &[&str]) -> Vec<Edit> {
        let values = list(values);
        edits(&values, &with_ours(&values, OURS))
    }

    fn removing(values: &[&str]) -> Vec<Edit> {
        let values = list(values);
        edits(&values, &without_ours(&values))
    }

    fn add(value: &str) -> Edit {
        Add(value.into())
    }

    fn remove(value: &str) -> Edit {
        Remove(value.into())
    }

    #[test]
    fn our_pair_is_added_behind_the_others() {
        assert_eq!(adding(&[]), [add(""), add(OURS)]);
        assert_eq!(adding(&["store"]), [add(""), add(OURS)]);
        assert_eq!(adding(&[""]), [add(""), add(OURS)]);
    }

    #[test]
    fn what_is_there_is_left_alone() {
        assert_eq!(adding(&["", OURS]), []);
        assert_eq!(adding(&["store", "", "", OURS]), []);
        assert_eq!(removing(&["store", ""]), []);
    }

    #[test]
    fn an_earlier_installation_is_replaced_in_its_line() {
        let replace = || Replace { old: OLD.into(), new: OURS.into() };
        assert_eq!(adding(&["", OLD]), [replace()]);
        assert_eq!(adding(&["", "store", "", OLD]), [replace()]);
        assert_eq!(adding(&[OLD]), [remove(OLD), add(""), add(OURS)]);
    }

    #[test]
    fn a_helper_that_came_later_ends_up_before_our_reset() {
        assert_eq!(adding(&["", OURS, "store"]), [remove(""), remove(OURS), add(""), add(OURS)]);
    }

    #[test]
    fn our_pair_is_removed_and_no_more() {
        assert_eq!(removing(&["", OURS]), [remove(""), remove(OURS)]);
        assert_eq!(removing(&["store", "", OLD, "cache"]), [remove(""), remove(OLD)]);
        assert_eq!(removing(&["store", OURS]), [remove(OURS)]);
    }

    #[test]
    fn values_that_cannot_be_told_apart_are_written_anew() {
        assert_eq!(removing(&["", "store", "", OURS]), [RemoveAll, add(""), add("store")]);
        assert_eq!(removing(&["", OURS, "", OURS]), [RemoveAll]);
        assert_eq!(adding(&["", OLD, "", "x"]), [RemoveAll, add(""), add("x"), add(""), add(OURS)]);
    }

    proptest::proptest! {
        #[test]
        fn the_edits_make_what_is_wanted(values in proptest::collection::vec(
            proptest::sample::select(vec![RESET, OURS, OLD, "store", "cache"]), 0..7)) {
            let values = list(&values);
            for wanted in [with_ours(&values, OURS), without_ours(&values)] {
                let mut made = values.clone();
                for edit in edits(&values, &wanted) {
                    match edit {
                        Add(value) => made.push(value),
                        RemoveAll => made.clear(),
                        Remove(value) => {
                            let at = made.iter().position(|found| *found == value).expect("there");
                            made.remove(at);
                            proptest::prop_assert!(!made.contains(&value), "git refuses this");
                        }
                        Replace { old, new } => {
                            proptest::prop_assert_eq!(made.iter().filter(|found| **found == old).count(), 1);
                            made.iter_mut().filter(|found| **found == old).for_each(|found| *found = new.clone());
                        }
                    }
                }
                proptest::prop_assert_eq!(made, wanted);
            }
        }
    }
}
