//! How a person wants to be named in commits, as their GitLab has it.

use serde::Deserialize;

use super::{GitLab, Trouble};
use crate::credential::printable;
use crate::daemon::secret::Secret;

/// RFC 5321 allows no longer address.
const LONGEST_ADDRESS: usize = 254;

/// Longer names are cut.
const LONGEST_NAME: usize = 200;

/// Of the answer to `/api/v4/user`. The address for commits is the one that the person chose for
/// them, often one that hides the real one (`commit_email`); the other one may be the only one.
#[derive(Debug, Deserialize)]
struct Person {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    commit_email: Option<String>,
    #[serde(default)]
    email: Option<String>,
    /// The owner of a project's or a group's token.
    #[serde(default)]
    bot: Option<bool>,
}

/// A name and an address that git can write into commits and into its config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Of the person.
    pub name: String,
    /// Of their mail.
    pub email: String,
}

impl Author {
    fn of(person: Person) -> Option<Self> {
        let Person { name, commit_email, email, bot } = person;
        let fits = |email: &String| {
            let plain = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>');
            email.len() <= LONGEST_ADDRESS && email.contains('@') && email.chars().all(plain)
        };
        let email = commit_email.filter(fits).or(email.filter(fits)).filter(|_| bot != Some(true))?;
        let name = printable(&name.unwrap_or_default(), LONGEST_NAME).replace(['<', '>'], "");
        (!name.trim().is_empty()).then(|| Self { name: name.trim().to_owned(), email })
    }
}

impl GitLab {
    /// How the owner of a token wants to be named in commits; `None` if the server does not say,
    /// or the token's scopes don't allow to ask.
    pub async fn author(&self, token: &Secret) -> Result<Option<Author>, Trouble> {
        let answer = self.ask_user(token).await?;
        match answer.status().as_u16() {
            200 => Ok(serde_json::from_slice(answer.body()).ok().and_then(Author::of)),
            401 | 403 => Ok(None),
            status => Err(Trouble::transient(format!("the server answered {status} to the question who you are"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(json: &str) -> Option<(String, String)> {
        Author::of(serde_json::from_str(json).expect("a person")).map(|author| (author.name, author.email))
    }

    #[test]
    fn the_address_that_the_person_chose_for_commits_comes_first() {
        let alice = |email: &str| Some(("Alice".to_owned(), email.to_owned()));
        for (json, expected) in [
            (r#"{"name":"Alice","email":"a@b","commit_email":"1-a@users.noreply"}"#, alice("1-a@users.noreply")),
            (r#"{"name":" Alice ","email":"a@b","commit_email":null}"#, alice("a@b")),
            (r#"{"name":"Al<ic>e","email":"a@b","commit_email":"not one"}"#, alice("a@b")),
            (r#"{"name":"Alice"}"#, None),
            (r#"{"email":"a@b"}"#, None),
            (r#"{"name":"CI","email":"a@b","bot":true}"#, None),
            ("{\"name\":\"Alice\",\"email\":\"a@b\\nx\"}", None),
            (r#"{"name":"Alice","email":"<a@b>"}"#, None),
        ] {
            assert_eq!(author(json), expected, "{json}");
        }
    }
}
