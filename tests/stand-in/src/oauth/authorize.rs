//! `/oauth/authorize`: the page on which a user lets an application in (contract §1.3).

use super::redirect_uri;
use crate::{
    pages,
    server::{Answer, Call, Params},
    world::{AppId, Challenge, Code, Scopes, User, UserFlag, World},
};
use form_urlencoded::Serializer;
use hyper::Method;

/// The parameters that travel from the request through the consent form and back.
const CARRIED: &[&str] = &[
    "client_id",
    "redirect_uri",
    "state",
    "response_type",
    "scope",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];

/// Scopes that make an application dangerous in an administrator's hands.
const DANGEROUS: &[&str] = &[
    "api",
    "read_api",
    "sudo",
    "admin_mode",
    "read_repository",
    "write_repository",
    "read_registry",
    "write_registry",
];

pub(crate) fn authorize(world: &mut World, call: &Call) -> Answer {
    let user = match pages::require_user(world, call) {
        Ok(user) => user,
        Err(sign_in) => return sign_in,
    };
    let answer = match call.verb() {
        Method::GET => show(world, call, &user),
        Method::POST => submit(world, call, &user, approve),
        Method::DELETE => submit(world, call, &user, deny),
        _ => pages::not_found(),
    };
    answer.to(&user.username)
}

/// A request that could be granted.
struct Request {
    application: AppId,
    redirect_uri: String,
    state: Option<String>,
    scopes: Scopes,
    challenge: Option<Challenge>,
}

impl Request {
    /// Checks in Doorkeeper's order; the error is the text of the page, as nothing of this ever
    /// redirects.
    fn read(world: &World, params: &Params, user: &User) -> Result<Self, String> {
        if user.is(UserFlag::UnconfirmedEmail) {
            return Err("Verify the email address in your account profile before you sign in.".into());
        }
        let missing = |name: &str| format!("Missing required parameter: {name}.");
        let client_id = params.get("client_id").ok_or_else(|| missing("client_id"))?;
        let client = world.application_by_client_id(client_id).ok_or(
            "Client authentication failed due to unknown client, no client authentication \
             included, or unsupported authentication method.",
        )?;
        let redirect = params.get("redirect_uri").unwrap_or_default();
        if !redirect_uri::allowed(redirect, &client.redirect_uris) {
            return Err("The redirect URI included is not valid.".into());
        }
        let response_type = params.get("response_type").ok_or_else(|| missing("response_type"))?;
        if response_type != "code" {
            return Err("The authorization server does not support this response type.".into());
        }
        let scopes = match params.get("scope") {
            Some(scope) => Scopes::parse(scope),
            // Omitted, it is the default scope: everything.
            None => Scopes::parse("api").common(&client.scopes),
        };
        if scopes.is_empty() || !scopes.within(&client.scopes) {
            return Err("The requested scope is invalid, unknown, or malformed.".into());
        }
        Ok(Self {
            application: client.id,
            redirect_uri: redirect.to_owned(),
            state: params.get("state").map(str::to_owned),
            scopes,
            challenge: challenge(params)?,
        })
    }

    /// The redirect URI with an answer attached.
    fn back(&self, answer: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(answer);
        query.extend_pairs(self.state.iter().map(|state| ("state", state)));
        let joint = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{joint}{}", self.redirect_uri, query.finish())
    }

    /// Makes the code and the address that carries it.
    fn authorize(&self, world: &mut World, user: &User) -> String {
        let value = world.mint();
        let location = self.back(&[("code", &value)]);
        let created = world.clock.now();
        world.codes.push(Code {
            value,
            user: user.id,
            application: self.application,
            scopes: self.scopes.clone(),
            redirect_uri: self.redirect_uri.clone(),
            challenge: self.challenge.clone(),
            created,
            used: false,
        });
        location
    }
}

/// PKCE is optional, but a challenge needs its method: there is no default.
fn challenge(params: &Params) -> Result<Option<Challenge>, String> {
    let Some(value) = params.get("code_challenge") else { return Ok(None) };
    let s256 = match params.get("code_challenge_method") {
        Some("S256") => true,
        Some("plain") => false,
        _ => return Err("The code challenge method must be plain or S256.".into()),
    };
    Ok(Some(Challenge { value: value.to_owned(), s256 }))
}

fn show(world: &mut World, call: &Call, user: &User) -> Answer {
    let request = match Request::read(world, &call.query, user) {
        Ok(request) => request,
        Err(text) => return pages::error(&text),
    };
    let client = world.application(request.application);
    let admin = user.is(UserFlag::Admin) && world.modes.disable_admin_oauth_scopes;
    if admin && !client.trusted && client.scopes.contains_any(DANGEROUS) {
        return pages::error("You are not allowed to authorize this application as an administrator.");
    }
    if client.trusted || consented_before(world, &request, user) {
        let location = request.authorize(world, user);
        return script_redirect(&location);
    }
    consent_page(world, call, &request)
}

/// Public applications click every time; confidential ones are spared while they hold an unrevoked
/// row, expired or not, with exactly these scopes (contract §1.3).
fn consented_before(world: &World, request: &Request, user: &User) -> bool {
    let client = world.application(request.application);
    let holds = world.pairs.iter().any(|pair| {
        pair.user == user.id && pair.application == client.id && !pair.revoked && pair.scopes.same(&request.scopes)
    });
    client.confidential && holds && world.modes.confidential_skips_consent
}

/// Where consent is skipped GitLab answers a page that redirects by script, not a 302 (§8).
fn script_redirect(location: &str) -> Answer {
    let script = serde_json::to_string(location).expect("text is JSON");
    // As Rails does, so that no address can end the script element.
    let script = script.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let link = pages::escape(location);
    let content = format!(
        "<a href=\"{link}\">Click here to redirect to {link}</a>\n\
         <script>window.location= {script};</script>"
    );
    Answer::html(200, pages::page("Redirecting", &content))
}

fn consent_page(world: &mut World, call: &Call, request: &Request) -> Answer {
    let client = world.application(request.application);
    let title = format!("Authorize {}", client.name);
    let name = pages::escape(&client.name);
    let owner = client.owner.map(|owner| pages::escape(&world.user(owner).name));
    let owner = owner.unwrap_or_else(|| "an administrator".to_owned());
    let scopes: String = request.scopes.iter().map(|scope| format!("<li>{scope}</li>")).collect();
    let action = world.site.url("/oauth/authorize");
    let csrf = pages::session(world, call).csrf.clone();
    let mut fields = vec![("authenticity_token", csrf.as_str())];
    for name in CARRIED {
        fields.extend(call.query.get(name).map(|value| (*name, value)));
    }
    let approve =
        pages::form(&action, &fields, "<button type=\"submit\" name=\"commit\" value=\"Authorize\">Authorize</button>");
    fields.push(("_method", "delete"));
    let deny = pages::form(&action, &fields, "<button type=\"submit\" name=\"commit\" value=\"Deny\">Deny</button>");
    let content = format!(
        "<p><strong>{name}</strong> is requesting access to your account. It was made by {owner}.</p>\n\
         <ul>{scopes}</ul>\n{deny}\n{approve}"
    );
    Answer::html(200, pages::page(&title, &content))
}

fn submit(
    world: &mut World,
    call: &Call,
    user: &User,
    decide: impl FnOnce(&mut World, &Request, &User) -> Answer,
) -> Answer {
    if !pages::csrf_holds(world, call) {
        return pages::bad_csrf();
    }
    match Request::read(world, &call.form, user) {
        Ok(request) => decide(world, &request, user),
        Err(text) => pages::error(&text),
    }
}

fn approve(world: &mut World, request: &Request, user: &User) -> Answer {
    Answer::redirect(302, &request.authorize(world, user))
}

/// The only error that reaches the client.
fn deny(_: &mut World, request: &Request, _: &User) -> Answer {
    let text = "The resource owner or authorization server denied the request.";
    Answer::redirect(302, &request.back(&[("error", "access_denied"), ("error_description", text)]))
}
