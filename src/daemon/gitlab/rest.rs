//! The few pieces of GitLab's REST interface that linking needs.

use std::time::Duration;

use oauth2::HttpResponse;
use serde::Deserialize;

use super::{GitLab, Trouble};
use crate::credential::printable;
use crate::daemon::secret::Secret;
use crate::label;

/// For a second or two a replica of the server's database may not know what was just issued or
/// revoked (gitlab!257390).
pub const REPLICA_LAG: Duration = Duration::from_secs(2);

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// GitLab's number: it stays when the name changes. 0 where none is known.
    pub id: u64,
    /// The name in URLs.
    pub username: String,
    /// The name of the person.
    #[serde(default)]
    pub name: String,
}

impl User {
    /// Somebody of whom no more than the number is known: the name is made of it.
    pub fn nameless(id: u64) -> Self {
        Self { id, username: format!("user-{id}"), name: String::new() }
    }

    /// Whether its name is not known.
    pub fn is_nameless(&self) -> bool {
        *self == Self::nameless(self.id)
    }
}

/// What the server says of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// It works.
    Alive {
        /// Seconds; none if it has no end.
        expires_in: Option<i64>,
        /// The owner's number.
        user_id: Option<u64>,
    },
    /// It is expired, revoked, or was never issued.
    Dead,
    /// Of such a token it can't be asked.
    Untold,
}

impl GitLab {
    /// Whether the server can be reached, before a person is sent there, and whether it seems to
    /// be a GitLab: something in front of it may hide that. One that clearly is none has refused.
    pub async fn greet(&self) -> Result<bool, Trouble> {
        // Without a token every GitLab answers 401.
        let answer = self.ask_info(None).await?;
        // nginx, which comes with GitLab, does not end the connection of who shows none.
        if answer.status() == 400 && String::from_utf8_lossy(answer.body()).contains("SSL certificate") {
            let hint = self.http.about_certificate(true);
            return Err(Trouble::transient(format!("the server does not take us without a client certificate{hint}")));
        }
        if answer.status() == 404 && self.has_no_api().await {
            let root = self.instance.above().pop().unwrap_or_else(|| self.instance.clone());
            let why = format!(
                "no GitLab answers there (404); if yours is below a path, its whole address is needed: \
                 git credential-gitlab link {}/PATH",
                root.short()
            );
            return Err(Trouble::Refused { error: "404".into(), why });
        }
        Ok(answer.status() == 401)
    }

    /// Whether GitLab's API is clearly not there either. It asks strangers to log in or, before it
    /// told its version, said in JSON that there is no such page: with the number, as others do not.
    async fn has_no_api(&self) -> bool {
        let Ok(request) = self.http.get(&self.instance.page("/api/v4/version"), None) else { return false };
        let Ok(answer) = self.http.send(request).await else { return false };
        let said: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let is_of_gitlab = |key: &str| said[key].as_str().is_some_and(|words| words.starts_with("404 "));
        answer.status() == 404 && !is_of_gitlab("message") && !is_of_gitlab("error")
    }

    async fn ask_info(&self, token: Option<&Secret>) -> Result<HttpResponse, Trouble> {
        let url = self.instance.page("/oauth/token/info");
        self.http.send(self.http.get(&url, token.map(Secret::expose))?).await
    }

    /// Who an OAuth token acts as. Where its scopes don't allow to ask (repository scopes alone),
    /// the number is all that can be known.
    pub async fn current_user(&self, token: &Secret) -> Result<User, Trouble> {
        if let Some(user) = self.user_of(token).await? {
            return Ok(user);
        }
        match self.token_info(token).await? {
            Liveness::Alive { user_id: Some(id), .. } => Ok(User::nameless(id)),
            _ => Err(Trouble::transient("the server does not say whose token it issued")),
        }
    }

    pub(super) async fn ask_user(&self, token: &Secret) -> Result<HttpResponse, Trouble> {
        self.http.send(self.http.get(&self.instance.page("/api/v4/user"), Some(token.expose()))?).await
    }

    /// Who a token acts as; `None` if its scopes don't allow to ask.
    pub async fn user_of(&self, token: &Secret) -> Result<Option<User>, Trouble> {
        let mut answer = self.ask_user(token).await?;
        if answer.status() == 401 {
            tokio::time::sleep(REPLICA_LAG).await;
            answer = self.ask_user(token).await?;
        }
        match answer.status().as_u16() {
            200 => {
                let user: User = serde_json::from_slice(answer.body())
                    .map_err(|_| Trouble::transient("the answer to /api/v4/user is not a user"))?;
                let name = printable(&user.name, 200);
                // It becomes a part of commands that people copy, and of accounts' names.
                match label::is_plain(&user.username) && !label::parts(&user.username).1 && user.username.len() <= 255 {
                    true => Ok(Some(User { name, ..user })),
                    false => Err(Trouble::transient("the answer to /api/v4/user has no usable user name")),
                }
            }
            403 => Ok(None),
            status => Err(Trouble::Refused {
                error: status.to_string(),
                why: format!("the server answered {status} to the question whose token it is"),
            }),
        }
    }

    /// Revokes a pair and makes sure that it is dead: GitLab answers 200 also where nothing
    /// happened.
    pub async fn revoke_and_check(&self, revocable: &Secret, access_token: &Secret) -> Result<(), Trouble> {
        self.revoke(revocable).await?;
        self.expect_dead(|| self.token_info(access_token)).await
    }

    /// What was revoked must be dead.
    pub(super) async fn expect_dead<Asked>(&self, ask: impl Fn() -> Asked) -> Result<(), Trouble>
    where
        Asked: Future<Output = Result<Liveness, Trouble>>,
    {
        if ask().await? == Liveness::Dead {
            return Ok(());
        }
        tokio::time::sleep(REPLICA_LAG).await;
        if ask().await? == Liveness::Dead {
            return Ok(());
        }
        let why = "the server says that it revoked them, but they still work".into();
        Err(Trouble::Refused { error: "still_alive".into(), why })
    }

    /// Whether a token lives. GitLab does not count this among failed logins, whatever comes of
    /// it, so it is the one safe question about a token that was refused.
    pub async fn token_info(&self, token: &Secret) -> Result<Liveness, Trouble> {
        #[derive(Deserialize)]
        struct Info {
            #[serde(default)]
            resource_owner_id: Option<u64>,
            #[serde(default)]
            expires_in: Option<i64>,
        }
        let answer = self.ask_info(Some(token)).await?;
        match answer.status().as_u16() {
            200 => {
                let info: Info = serde_json::from_slice(answer.body())
                    .map_err(|_| Trouble::transient("the answer to /oauth/token/info is not what GitLab sends"))?;
                Ok(Liveness::Alive { expires_in: info.expires_in, user_id: info.resource_owner_id })
            }
            401 => Ok(Liveness::Dead),
            // What passes was told apart before.
            status => Err(Trouble::Refused {
                error: status.to_string(),
                why: format!("the server answered {status} to /oauth/token/info"),
            }),
        }
    }
}
