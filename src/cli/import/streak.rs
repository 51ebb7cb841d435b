//! How the last projects of a GitLab fared, and so whether it makes sense to try the next one.

use super::said::Kind;

/// So many projects in a row, each tried several times where that can help: the next one fares no
/// better. Twice as many as are cloned at a time.
const LONG: u32 = 8;

/// What came of the projects before.
#[derive(Debug, Default)]
pub(super) struct Streak {
    /// How many in a row failed for a reason that is the same for all.
    in_vain: u32,
    /// The reason of the last of them.
    why: Option<Kind>,
    /// With how many in a row the server was in trouble.
    troubled: u32,
}

impl Streak {
    /// A project was cloned, or why it was not.
    pub(super) fn note(&mut self, failed: Option<Kind>) {
        match failed {
            Some(Kind::Other) => {} // it is about this machine
            Some(kind) if kind.is_for_all() => *self = Self { in_vain: self.in_vain + 1, why: Some(kind), ..*self },
            // It answers: one storage of many may be away.
            Some(Kind::Troubled) => *self = Self { troubled: self.troubled + 1, ..Self::default() },
            _ => *self = Self::default(),
        }
    }

    /// Why it makes no sense to go on, if it doesn't.
    pub(super) fn is_hopeless(&self) -> Option<Kind> {
        self.why.filter(|_| self.in_vain >= LONG)
    }

    /// Whether waiting has not helped for some time: every project has its turn all the same, but
    /// is not waited for.
    pub(super) fn is_troubled(&self) -> bool {
        self.troubled >= LONG
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(failures: &[(u32, Option<Kind>)]) -> Streak {
        let mut streak = Streak::default();
        for (times, failed) in failures {
            (0..*times).for_each(|_| streak.note(*failed));
        }
        streak
    }

    #[test]
    fn only_what_is_the_same_for_all_is_given_up() {
        for kind in [Kind::Unreachable, Kind::NoToken, Kind::Banned] {
            assert_eq!(after(&[(7, Some(kind))]).is_hopeless(), None);
            assert_eq!(after(&[(8, Some(kind))]).is_hopeless(), Some(kind));
            assert_eq!(after(&[(5, Some(kind)), (1, Some(Kind::Other)), (3, Some(kind))]).is_hopeless(), Some(kind));
            for answered in [None, Some(Kind::Refused), Some(Kind::Unseen), Some(Kind::Troubled)] {
                assert_eq!(after(&[(7, Some(kind)), (1, answered), (7, Some(kind))]).is_hopeless(), None);
            }
        }
        assert_eq!(after(&[(100, Some(Kind::Troubled))]).is_hopeless(), None);
    }

    #[test]
    fn a_server_in_trouble_is_not_waited_for_until_a_project_comes() {
        assert!(!after(&[(7, Some(Kind::Troubled))]).is_troubled());
        assert!(after(&[(8, Some(Kind::Troubled))]).is_troubled());
        assert!(!after(&[(8, Some(Kind::Troubled)), (1, None)]).is_troubled());
    }
}
