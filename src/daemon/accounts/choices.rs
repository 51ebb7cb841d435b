//! Who answers where, as git config says: `credential.<url>.gitlabAccount`, read once per daemon,
//! and again after `use`.

use std::collections::BTreeMap;

use crate::daemon::config::{self, ConfigError};
use crate::instance::Instance;
use crate::place::Place;

/// All choices of this person, those that count for more behind.
#[derive(Debug, Default)]
pub struct Choices {
    all: Vec<Choice>,
}

/// One line of git config.
#[derive(Debug)]
struct Choice {
    url: String,
    /// The account's name; empty takes back what an earlier line says.
    name: String,
}

impl Choices {
    /// Asks git.
    pub async fn read() -> Result<Self, ConfigError> {
        Ok(Self::of(config::accounts().await?))
    }

    fn of(found: Vec<(String, String)>) -> Self {
        Self { all: found.into_iter().map(|(url, name)| Choice { url, name }).collect() }
    }

    /// The account for a repository, by its path below the instance: that of the nearest place.
    /// Without a path, or for one that is nowhere, that of the whole instance.
    pub fn name_for(&self, instance: &Instance, repository: Option<&[u8]>) -> Option<(Place, &str)> {
        let here = |place: &Place| repository.map_or(place.is_everywhere(), |path| place.holds(path));
        let choices = self.on(instance).filter(|(place, _)| here(place));
        // Of two that are as near, the later line counts, as with git.
        choices.max_by_key(|(place, _)| place.to_string().len()).filter(|(_, name)| !name.is_empty())
    }

    /// The places of an account, except the whole instance.
    pub fn places_of(&self, label: &str, instance: &Instance) -> Vec<Place> {
        // To itself every place is the nearest, and of its lines the last one counts.
        let chosen: BTreeMap<Place, &str> = self.on(instance).collect();
        let own = |(place, name): &(Place, &str)| !place.is_everywhere() && name.eq_ignore_ascii_case(label);
        chosen.into_iter().filter(own).map(|(place, _)| place).collect()
    }

    fn on(&self, instance: &Instance) -> impl Iterator<Item = (Place, &str)> {
        self.all.iter().filter_map(|Choice { url, name }| Some((Place::in_url(url, instance)?, name.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(lines: &[(&str, &str)]) -> Choices {
        Choices::of(lines.iter().map(|(url, name)| (url.to_string(), name.to_string())).collect())
    }

    #[test]
    fn the_nearest_place_decides_and_of_equals_the_later_line() {
        let gitlab = Instance::parse("gitlab.example").expect("a host");
        let choices = choices(&[
            ("https://gitlab.example/group", "early"),
            ("https://gitlab.example", "alice"),
            ("https://gitlab.example/Group/sub", "bob"),
            ("https://gitlab.example/group", "carol"),
            ("https://gitlab.example/group/open", ""),
            ("https://other.example/group", "dave"),
        ]);
        let name = |path: Option<&str>| choices.name_for(&gitlab, path.map(str::as_bytes)).map(|(_, name)| name);
        for (path, expected) in [
            (None, Some("alice")),
            (Some("elsewhere/app.git"), Some("alice")),
            (Some("group/app.git"), Some("carol")),
            (Some("group/sub/app.git"), Some("bob")),
            (Some("group/subs/app.git"), Some("carol")),
            (Some("group/open/app.git"), None),
            (Some("group/../group/sub/app.git"), Some("alice")),
        ] {
            assert_eq!(name(path), expected, "{path:?}");
        }
        let places =
            |label: &str| -> Vec<String> { choices.places_of(label, &gitlab).iter().map(Place::to_string).collect() };
        assert_eq!(places("Bob"), ["group/sub"]);
        assert_eq!(places("carol"), ["group"]);
        assert_eq!(places("alice"), Vec::<String>::new());
        assert_eq!(places("early"), Vec::<String>::new());
    }
}
