//! RFC 8628 as GitLab speaks it: a code that is typed on another device.

use std::time::Duration;

use oauth2::{
    DeviceAuthorizationUrl, DeviceCodeErrorResponse, EmptyExtraDeviceAuthorizationFields, RequestTokenError, Scope,
    StandardDeviceAuthorizationResponse,
};

use super::http::UNPROCESSABLE;
use super::oauth::{Grant, error_word};
use super::{GitLab, Trouble};

/// A user code that no server exceeds (GitLab's has 8 characters).
const MAX_USER_CODE: usize = 40;

/// GitLab's is 5 s. With one that is absurd, oauth2's arithmetic would overflow.
const LONGEST_INTERVAL: Duration = Duration::from_secs(600);

/// A code to be typed, and what its grant is fetched with.
pub struct DeviceCode {
    /// For the person.
    pub user_code: String,
    /// How long it can be typed.
    pub expires_in: Duration,
    details: StandardDeviceAuthorizationResponse,
}

impl GitLab {
    /// The page where a code is typed, with the code in it or not. What the server names is not
    /// used: below a path GitLab names a page that does not exist, and a person is sent nowhere
    /// but to the GitLab they named.
    pub fn device_page(&self, user_code: Option<&str>) -> String {
        let page = self.instance.page("/oauth/device");
        match user_code {
            Some(code) => format!("{page}?user_code={code}"),
            None => page,
        }
    }

    /// Asks for a code; `None` if the server has no device flow (GitLab has it since 17.3, and an
    /// older one answers in many ways).
    pub async fn ask_device(&self, scopes: &str) -> Result<Option<DeviceCode>, Trouble> {
        let url = self.endpoints.device.clone().unwrap_or_else(|| self.instance.page("/oauth/authorize_device"));
        let url = DeviceAuthorizationUrl::new(url);
        let url = url.map_err(|_| Trouble::transient("oauthDeviceAuthURL in git's config is not a URL"))?;
        let client = self.oauth()?.set_device_authorization_url(url);
        let scopes = scopes.split_whitespace().map(|scope| Scope::new(scope.into()));
        let request = client.exchange_device_code().add_scopes(scopes);
        let answer = request.request_async::<_, EmptyExtraDeviceAuthorizationFields>(&self.http).await;
        let details = match answer {
            Ok(details) => details,
            // GitLab's record of the code refuses the scopes, and Rails makes a page of that.
            Err(RequestTokenError::Request(Trouble::Refused { error, .. })) if error == UNPROCESSABLE => {
                let why = "the server does not accept these scopes for the application".into();
                return Err(Trouble::Refused { error: "invalid_scope".into(), why });
            }
            Err(RequestTokenError::Request(trouble)) => return Err(trouble),
            Err(RequestTokenError::ServerResponse(answer)) => {
                return match error_word(answer.error().as_ref()) {
                    error @ ("invalid_client" | "invalid_scope") => {
                        Err(Trouble::Refused { why: format!("the server says {error}"), error: error.into() })
                    }
                    _ => Ok(None),
                };
            }
            Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => return Ok(None),
        };
        let user_code = details.user_code().secret().clone();
        let fits = |code: &str| {
            (1..=MAX_USER_CODE).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !fits(&user_code) {
            return Err(Trouble::transient("the server sent a code that can't be typed"));
        }
        if details.interval() > LONGEST_INTERVAL {
            return Err(Trouble::transient("the server wants to be asked for the code's end far too seldom"));
        }
        Ok(Some(DeviceCode { user_code, expires_in: details.expires_in(), details }))
    }

    /// Asks every few seconds, as the server wants it, until the code was typed. `sleep` is called
    /// between two questions.
    pub async fn poll_device<S, F>(&self, code: &DeviceCode, sleep: S, within: Duration) -> Result<Grant, Trouble>
    where
        S: Fn(Duration) -> F,
        F: Future<Output = ()>,
    {
        let client = self.oauth()?;
        let request = client.exchange_device_access_token(&code.details);
        let answer = request.request_async(&self.http, sleep, Some(within)).await;
        let answer = answer.map_err(|error| match error {
            RequestTokenError::ServerResponse(answer) => classify(&answer),
            RequestTokenError::Request(trouble) => trouble,
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                Trouble::transient("the answer of the token endpoint is not the JSON that RFC 6749 asks for")
            }
        })?;
        self.granted(&answer).await
    }
}

impl GitLab {
    /// What it means that a code's time is over.
    pub fn not_typed(&self) -> Trouble {
        Trouble::Refused { error: "expired_token".into(), why: NOT_TYPED.into() }
    }
}

/// For people.
const NOT_TYPED: &str = "the code was not typed in time; type the command again";

/// GitLab says `expired_token` once, and `invalid_grant` from then on: also for a code that was
/// used, if the answer with its tokens was lost.
fn classify(answer: &DeviceCodeErrorResponse) -> Trouble {
    let error = match error_word(answer.error().as_ref()) {
        "invalid_grant" => "expired_token",
        error => error,
    };
    let why = match error {
        "expired_token" => NOT_TYPED.to_owned(),
        "access_denied" => "consent was not given".to_owned(),
        error => format!("the server says {error}"),
    };
    Trouble::Refused { error: error.into(), why }
}
