//! Roles on GitLab: the numbers of its access levels, and the words for them.

/// The roles that a member of a project can have, the least first. More may come.
pub const ROLES: [(u32, &str); 6] =
    [(10, "guest"), (15, "planner"), (20, "reporter"), (30, "developer"), (40, "maintainer"), (50, "owner")];

/// What is shown where the server does not say which role it is.
pub const UNKNOWN: &str = "unknown";

/// The number of a role.
pub fn level(word: &str) -> Option<u32> {
    ROLES.iter().find(|(_, name)| *name == word).map(|(level, _)| *level)
}

/// The word for a level; one of a newer GitLab is shown as its number.
pub fn word(level: u32) -> String {
    match ROLES.iter().find(|(known, _)| *known == level) {
        Some((_, name)) => (*name).into(),
        None => format!("level-{level}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_a_word_and_a_new_one_is_not_mistaken_for_another() {
        for (number, name) in ROLES {
            assert_eq!((level(name), word(number).as_str()), (Some(number), name));
        }
        assert_eq!(word(35), "level-35");
        assert_eq!(level("admin"), None);
    }
}
