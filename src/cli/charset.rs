//! Whether the terminal shows more than ASCII: decided here, for every sign of ours that is none.

/// What stands where something is left out.
pub(super) fn ellipsis() -> &'static str {
    if shows_all() { "…" } else { "..." }
}

/// Whether it shows any character.
pub(super) fn shows_all() -> bool {
    is_utf8(|name| std::env::var(name).ok())
}

/// What the locale says; the first variable that is set decides. Windows has none, and its
/// terminals show everything.
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    match named {
        Some(locale) => ["utf-8", "utf8"].iter().any(|name| locale.to_ascii_lowercase().contains(name)),
        None => cfg!(windows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        for (set, expected) in [
            (&[("LANG", "de_DE.UTF-8")][..], true),
            (&[("LANG", "C.utf8"), ("LC_ALL", "")], true),
            (&[("LC_CTYPE", "UTF-8")], true),
            (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")], false),
            (&[("LANG", "de_DE.ISO-8859-1")], false),
            (&[], cfg!(windows)),
        ] {
            let variable = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
            assert_eq!(is_utf8(variable), expected, "{set:?}");
        }
    }
}
