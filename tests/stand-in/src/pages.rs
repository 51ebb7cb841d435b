//! The HTML pages people see, and the sign-in behind them.

use crate::{
    server::{Answer, Call},
    world::{Session, User, UserFlag, World},
};
use hyper::Method;

/// Rails' session cookie.
const COOKIE: &str = "_gitlab_session";

/// Escapes text for HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A page in the frame all pages share. `title` is text, `content` is HTML.
pub(crate) fn page(title: &str, content: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <title>{title} · GitLab</title></head>\n<body>\n<h3>{title}</h3>\n{content}\n</body>\n</html>\n"
    )
}

/// A form that posts `fields` to `action`; `content` is what is visible in it.
pub(crate) fn form(action: &str, fields: &[(&str, &str)], content: &str) -> String {
    let hidden = fields
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escape(value)));
    let hidden: String = hidden.collect();
    format!("<form action=\"{}\" method=\"post\">\n{hidden}{content}\n</form>", escape(action))
}

/// The page of a request that cannot be granted. GitLab renders it with status 200 and never
/// redirects (contract §1.3).
pub(crate) fn error(text: &str) -> Answer {
    let content = format!("<main><p class=\"error\">{}</p></main>", escape(text));
    Answer::html(200, page("An error has occurred", &content))
}

/// Where signing in leads that was not asked for by another page.
pub(crate) fn home() -> Answer {
    Answer::html(200, page("Projects", "<p>There is nothing to see on this stand-in.</p>"))
}

pub(crate) fn not_found() -> Answer {
    Answer::html(404, page("404: Page not found", "<p>Make sure the address is correct.</p>"))
}

/// What something in front of GitLab says to strangers.
pub(crate) fn gateway() -> Answer {
    Answer::html(403, page("Company gateway", "<p>You are not let through.</p>"))
}

/// What Rails answers to a form without the session's token.
pub(crate) fn bad_csrf() -> Answer {
    let content = "<p class=\"error\">The change you requested was rejected.</p>";
    Answer::html(422, page("422: The change you requested was rejected", content))
}

/// The session of this visit, made if there is none yet.
pub(crate) fn session<'a>(world: &'a mut World, call: &Call) -> &'a mut Session {
    world.session(call.cookie(COOKIE))
}

/// Whether a posted form carries the token of the visitor's session.
pub(crate) fn csrf_holds(world: &mut World, call: &Call) -> bool {
    call.form.get("authenticity_token") == Some(session(world, call).csrf.as_str())
}

/// The signed-in visitor, or the redirect to the sign-in page that comes before everything else,
/// even before a bad request is called one.
pub(crate) fn require_user(world: &mut World, call: &Call) -> Result<User, Answer> {
    let here = format!("{}?{}", world.site.url(&call.path), call.raw_query);
    let session = self::session(world, call);
    // A session does not outlive the right to sign in.
    let user = session.user.map(|user| world.user(user).clone());
    if let Some(user) = user.filter(|user| !user.is(UserFlag::Blocked)) {
        return Ok(user);
    }
    let session = self::session(world, call);
    session.return_to = (call.method == Method::GET).then_some(here);
    let session = session.id.clone();
    let answer = Answer::redirect(302, &world.site.url("/users/sign_in"));
    Err(with_cookie(world, answer, &session))
}

fn with_cookie(world: &World, answer: Answer, session: &str) -> Answer {
    let path = if world.site.base_path.is_empty() { "/" } else { &world.site.base_path };
    let secure = if world.site.origin.starts_with("https") { "; Secure" } else { "" };
    answer.with("Set-Cookie", format!("{COOKIE}={session}; path={path}; HttpOnly{secure}; SameSite=Lax"))
}

/// `/users/sign_in`: the form, and what it is sent to.
pub(crate) fn sign_in(world: &mut World, call: &Call) -> Answer {
    match call.method {
        Method::GET => sign_in_form(world, call, None),
        Method::POST => submit_sign_in(world, call),
        _ => not_found(),
    }
}

fn sign_in_form(world: &mut World, call: &Call, alert: Option<&str>) -> Answer {
    let action = world.site.url("/users/sign_in");
    let session = session(world, call);
    let fields = [("authenticity_token", session.csrf.as_str())];
    let inputs = "<label>Username or primary email <input type=\"text\" name=\"user[login]\"></label>\n\
                  <label>Password <input type=\"password\" name=\"user[password]\"></label>\n\
                  <button type=\"submit\">Sign in</button>";
    let alert = alert.map(|text| format!("<div class=\"flash-alert\">{}</div>\n", escape(text)));
    let content = alert.unwrap_or_default() + &form(&action, &fields, inputs);
    let session = session.id.clone();
    with_cookie(world, Answer::html(200, page("Sign in", &content)), &session)
}

fn submit_sign_in(world: &mut World, call: &Call) -> Answer {
    if !csrf_holds(world, call) {
        return bad_csrf();
    }
    let login = call.form.get("user[login]").unwrap_or_default();
    let password = call.form.get("user[password]").unwrap_or_default();
    let user = world.users.iter().find(|user| user.username == login || user.email() == login);
    let Some(user) = user.filter(|user| user.password == password) else {
        return sign_in_form(world, call, Some("Invalid login or password."));
    };
    if user.is(UserFlag::Blocked) {
        let text = "Your account has been blocked. Please contact your GitLab administrator if you \
                    think this is an error.";
        return sign_in_form(world, call, Some(text));
    }
    let (id, username) = (user.id, user.username.clone());
    let home = world.site.url("/");
    // The session gets a new name, as Devise gives it one: a cookie planted before is worthless.
    let renamed = crate::world::random_hex();
    let session = session(world, call);
    session.user = Some(id);
    session.id.clone_from(&renamed);
    let to = session.return_to.take().unwrap_or(home);
    with_cookie(world, Answer::redirect(302, &to), &renamed).to(&username)
}
