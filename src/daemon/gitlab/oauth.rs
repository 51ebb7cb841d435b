//! RFC 6749 as GitLab speaks it: authorization codes with PKCE (RFC 7636), refresh, revocation
//! (RFC 7009).

use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, TokenResponse, TokenUrl,
};

use super::http::UNPROCESSABLE;
use super::{GitLab, Trouble};
use crate::credential::printable;
use crate::daemon::clock::Timestamp;
use crate::daemon::secret::Secret;

/// A token pair as the server gave it.
#[derive(Debug)]
pub struct Grant {
    /// For git.
    pub access_token: Secret,
    /// For the next pair; none if the server issues tokens without an end.
    pub refresh_token: Option<Secret>,
    /// Seconds from now.
    pub expires_in: Option<i64>,
    /// What the token may do.
    pub scopes: Vec<String>,
}

/// What a browser is sent to, and what its return must match.
#[derive(Debug)]
pub struct Authorization {
    /// The address for the browser.
    pub url: String,
    /// What the return must repeat: it belongs to this link and to no other.
    pub state: Secret,
    verifier: PkceCodeVerifier,
    redirect_uri: String,
}

/// A token's length that no server reaches, and that every store can keep.
const MAX_TOKEN: usize = 1024;

/// GitLab has some thirty. More would make a profile that is too large to be read again.
pub(super) const MAX_SCOPES: usize = 50;

/// Ten years. A longer life is a mistake (milliseconds, say), so it is not believed.
pub(super) const MAX_LIFE: i64 = 10 * 366 * 24 * 3600;

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

impl GitLab {
    pub(super) fn oauth(&self) -> Result<Client, Trouble> {
        let bad = |what: &str| Trouble::transient(format!("{what} in git's config is not a URL"));
        let page = |moved: &Option<String>, path| moved.clone().unwrap_or_else(|| self.instance.page(path));
        let authorize = AuthUrl::new(page(&self.endpoints.authorize, "/oauth/authorize"));
        let token = TokenUrl::new(page(&self.endpoints.token, "/oauth/token"));
        let client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_auth_uri(authorize.map_err(|_| bad("oauthAuthURL"))?)
            .set_token_uri(token.map_err(|_| bad("oauthTokenURL"))?)
            // One way only: newer servers refuse a client that identifies itself in two.
            .set_auth_type(AuthType::RequestBody);
        Ok(match &self.client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().into())),
            None => client,
        })
    }

    /// Begins an authorization: a fresh state and PKCE challenge (S256).
    pub fn authorize(&self, redirect_uri: &str, scopes: &str) -> Result<Authorization, Trouble> {
        let bad = |_| Trouble::transient(format!("the redirect URI {redirect_uri} is not a URL"));
        let redirect = RedirectUrl::new(redirect_uri.into()).map_err(bad)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.oauth()?.set_redirect_uri(redirect);
        let (url, state) = client
            .authorize_url(CsrfToken::new_random)
            // Without a scope GitLab would grant everything (`api`).
            .add_scopes(scopes.split_whitespace().map(|scope| Scope::new(scope.into())))
            .set_pkce_challenge(challenge)
            .url();
        let state = Secret::new(state.into_secret());
        Ok(Authorization { url: url.into(), state, verifier, redirect_uri: redirect_uri.into() })
    }

    /// Exchanges the code that the browser brought back.
    pub async fn exchange(&self, authorization: Authorization, code: &Secret) -> Result<Grant, Trouble> {
        let redirect = RedirectUrl::new(authorization.redirect_uri).expect("it was parsed before");
        let client = self.oauth()?.set_redirect_uri(redirect);
        let code = AuthorizationCode::new(code.expose().into());
        let request = client.exchange_code(code).set_pkce_verifier(authorization.verifier);
        self.grant(request.request_async(&self.http)).await
    }

    /// Asks whether the server knows the application and takes its secret, with a code that can't
    /// be: a server that gets as far as to say so does.
    pub async fn check_client(&self, redirect_uri: &str) -> Result<(), Trouble> {
        let redirect = RedirectUrl::new(redirect_uri.into());
        let redirect = redirect.map_err(|_| Trouble::transient("the redirect URI is not a URL"))?;
        let code = AuthorizationCode::new("whether-you-know-this-application".into());
        let (_, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.oauth()?.set_redirect_uri(redirect);
        let answer = client.exchange_code(code).set_pkce_verifier(verifier).request_async(&self.http).await;
        match answer.map(drop).map_err(classify) {
            Err(trouble @ Trouble::Refused { .. }) if trouble.is_about_client() => Err(trouble),
            _ => Ok(()), // that the server can't be reached now will show soon enough
        }
    }

    /// Spends a refresh token. The scope is left out, so that it stays as it is.
    pub async fn refresh(&self, refresh_token: &Secret) -> Result<Grant, Trouble> {
        let token = RefreshToken::new(refresh_token.expose().into());
        let client = self.oauth()?;
        let request = client.exchange_refresh_token(&token);
        self.grant(request.request_async(&self.http)).await
    }

    /// Revokes a pair by its refresh token (an expired access token would be answered with 200,
    /// and nothing would happen) or, where there is none, by its access token.
    pub async fn revoke(&self, token: &Secret) -> Result<(), Trouble> {
        let mut form = vec![("token", token.expose()), ("client_id", &self.client_id)];
        if let Some(secret) = &self.client_secret {
            form.push(("client_secret", secret.expose()));
        }
        let answer = self.http.send(self.http.post_form(&self.instance.page("/oauth/revoke"), &form)?).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        let error: Option<BasicErrorResponse> = serde_json::from_slice(answer.body()).ok();
        let status = answer.status();
        let error = error.as_ref().map_or(status.as_str(), |error| error_word(error.error().as_ref()));
        Err(Trouble::Refused { why: format!("the server refuses the revocation ({error})"), error: error.into() })
    }

    /// What comes of one request. The life of a token begins when the server makes it, and nobody
    /// knows how long the answer was on its way: so it counts from the question.
    async fn grant(
        &self,
        answer: impl Future<Output = Result<BasicTokenResponse, AnswerError>>,
    ) -> Result<Grant, Trouble> {
        let asked = Timestamp::now();
        let answer = answer.await.map_err(classify)?;
        let took = Timestamp::now().since(asked).max(0); // a clock may be set back meanwhile
        let grant = self.granted(&answer).await?;
        Ok(Grant { expires_in: grant.expires_in.map(|life| life - took), ..grant })
    }

    pub(super) async fn granted(&self, answer: &BasicTokenResponse) -> Result<Grant, Trouble> {
        let access_token = token(answer.access_token().secret())?;
        let refresh_token = answer.refresh_token().map(|refresh| token(refresh.secret())).transpose()?;
        let told = answer.expires_in().and_then(|life| i64::try_from(life.as_secs()).ok());
        let scopes =
            answer.scopes().into_iter().flatten().take(MAX_SCOPES).map(|scope| printable(scope, 100)).collect();
        let mut grant = Grant { access_token, refresh_token, expires_in: told, scopes };
        if !grant.expires_in.is_some_and(|life| (1..=MAX_LIFE).contains(&life)) {
            // Servers before 15.0 issue tokens without an end, and say so only here.
            grant.expires_in = match self.token_info(&grant.access_token).await {
                Ok(super::Liveness::Alive { expires_in, .. }) => {
                    expires_in.filter(|life| (1..=MAX_LIFE).contains(life))
                }
                _ => None,
            };
        }
        Ok(grant)
    }
}

type AnswerError = RequestTokenError<Trouble, BasicErrorResponse>;

/// What an error of the token endpoint means. The body is never quoted: it may be a token pair.
fn classify(error: AnswerError) -> Trouble {
    match error {
        // Nobody said no to what we have: the server, or something before it, has other troubles.
        RequestTokenError::ServerResponse(answer) if !is_no(answer.error().as_ref()) => Trouble::Transient {
            why: format!("the server says {}", error_word(answer.error().as_ref())),
            retry_after: None,
            lost: true,
        },
        RequestTokenError::Request(Trouble::Refused { error, why }) if error == UNPROCESSABLE => {
            Trouble::Transient { why, retry_after: None, lost: true }
        }
        RequestTokenError::ServerResponse(answer) => {
            let error = error_word(answer.error().as_ref());
            // The word that people meet, because it ends logins.
            let why = match error {
                "invalid_grant" => "the server says that it does not know this login any more (invalid_grant)".into(),
                error => format!("the server says {error}"),
            };
            Trouble::Refused { why, error: error.into() }
        }
        RequestTokenError::Request(trouble) => trouble,
        // Whoever answered so, the server behind it may have done what it was asked.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Trouble::Transient {
            why: "the answer of the token endpoint is not the JSON that RFC 6749 asks for".into(),
            retry_after: None,
            lost: true,
        },
    }
}

/// The words that are an answer to what was sent (RFC 6749, section 5.2), and not about the server.
const ABOUT_US: [&str; 7] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
];

fn is_no(error: &str) -> bool {
    ABOUT_US.contains(&error)
}

/// The word of RFC 6749, 7009 or 8628 for what went wrong. Nothing else that a server says is
/// repeated: it may be a token that it was sent, and this goes to terminals and logs.
pub fn error_word(said: &str) -> &'static str {
    const OTHERS: [&str; 8] = [
        "unsupported_response_type",
        "server_error",
        "temporarily_unavailable",
        "unsupported_token_type",
        "authorization_pending",
        "slow_down",
        "expired_token",
        "invalid_token",
    ];
    ABOUT_US.into_iter().chain(OTHERS).find(|word| *word == said).unwrap_or("an error that no standard knows")
}

/// Whether a text fits into a line of git's protocol and into an HTTP header, as every token does.
pub fn could_be_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TOKEN && text.bytes().all(|b| b.is_ascii_graphic())
}

/// A token of an answer. One that can't be used may have replaced another all the same.
pub(super) fn token(text: &str) -> Result<Secret, Trouble> {
    let unfit = || Trouble::Transient {
        why: "the server sent a token with characters that no token has".into(),
        retry_after: None,
        lost: true,
    };
    could_be_token(text).then(|| Secret::new(text)).ok_or_else(unfit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_about_what_was_sent_counts_against_it() {
        for (error, is_no) in [
            ("invalid_grant", true),
            ("invalid_client", true),
            ("invalid_scope", true),
            ("server_error", false),
            ("temporarily_unavailable", false),
            ("forbidden", false),
            ("", false),
        ] {
            let answer = serde_json::from_value(serde_json::json!({ "error": error })).expect("an error");
            let trouble = classify(RequestTokenError::ServerResponse(answer));
            assert_eq!(matches!(trouble, Trouble::Refused { .. }), is_no, "{trouble:?}");
            assert!(is_no || matches!(trouble, Trouble::Transient { lost: true, .. }), "{trouble:?}");
        }
        let page = Trouble::Refused { error: UNPROCESSABLE.into(), why: "a page".into() };
        assert!(matches!(classify(RequestTokenError::Request(page)), Trouble::Transient { lost: true, .. }));
    }

    #[test]
    fn tokens_that_could_break_a_line_are_not_taken() {
        for text in ["", "a b", "a\nb", "a\rb", "a\0b", "tök", &"x".repeat(MAX_TOKEN + 1)] {
            assert!(token(text).is_err(), "{text:?}");
        }
        assert!(token(&"a0".repeat(32)).is_ok());
    }
}
