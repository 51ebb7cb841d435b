//! The device grant, the user's side: enter the code, look, confirm (contract §1.7).

use crate::{
    pages,
    server::{Answer, Call},
    world::{DeviceGrant, User, World},
};
use hyper::Method;

/// `/oauth/device` and `/oauth/device/confirm`. There is no way to refuse: a user who does not
/// want to lets the code expire.
pub(crate) fn device_page(world: &mut World, call: &Call) -> Answer {
    if !world.modes.device_grant {
        return pages::not_found();
    }
    let user = match pages::require_user(world, call) {
        Ok(user) => user,
        Err(sign_in) => return sign_in,
    };
    let answer = match (&call.method, call.path.as_str()) {
        (&Method::GET, "/oauth/device") => enter_code(world, call, ""),
        (&Method::POST, _) if !pages::csrf_holds(world, call) => pages::bad_csrf(),
        (&Method::POST, "/oauth/device/confirm") => confirm(world, call),
        (&Method::POST, _) => authorize(world, call, &user),
        _ => pages::not_found(),
    };
    answer.to(&user.username)
}

/// The first page, with a message above the form after an action.
fn enter_code(world: &mut World, call: &Call, message: &str) -> Answer {
    let action = world.site.url("/oauth/device/confirm");
    let code = pages::escape(call.query.get("user_code").unwrap_or_default());
    let csrf = pages::session(world, call).csrf.clone();
    let inputs = format!(
        "<label>Code <input type=\"text\" name=\"user_code\" value=\"{code}\"></label>\n\
         <button type=\"submit\">Continue</button>"
    );
    let form = pages::form(&action, &[("authenticity_token", &csrf)], &inputs);
    let content = format!("{message}\n<p>Enter the code displayed on your device.</p>\n{form}");
    Answer::html(200, pages::page("Device authorization", &content))
}

fn alert(text: &str) -> String {
    format!("<div class=\"flash-alert\">{text}</div>")
}

/// The grant of the code in the form, or the message why there is none.
fn entered<'a>(world: &'a mut World, call: &Call) -> Result<&'a mut DeviceGrant, String> {
    let now = world.clock.now();
    let code = call.form.get("user_code");
    let mut grants = world.device_grants.iter_mut();
    let grant = grants.find(|grant| grant.user_code.is_some() && grant.user_code.as_deref() == code);
    let grant = grant.ok_or_else(|| alert("The user code is invalid"))?;
    if grant.expired(now) {
        return Err(alert("The user code has expired"));
    }
    Ok(grant)
}

fn confirm(world: &mut World, call: &Call) -> Answer {
    let (application, scopes) = match entered(world, call) {
        Ok(grant) => (grant.application, grant.scopes.clone()),
        Err(message) => return enter_code(world, call, &message),
    };
    let name = world.application(application).name.clone();
    let action = world.site.url("/oauth/device");
    let csrf = pages::session(world, call).csrf.clone();
    let code = call.form.get("user_code").unwrap_or_default();
    let fields = [("authenticity_token", csrf.as_str()), ("user_code", code)];
    let form = pages::form(&action, &fields, "<button type=\"submit\">Authorize</button>");
    let scopes: String = scopes.iter().map(|scope| format!("<li>{scope}</li>")).collect();
    let shown = pages::escape(&name);
    let content =
        format!("<p><strong>{shown}</strong> is requesting access to your account.</p>\n<ul>{scopes}</ul>\n{form}");
    Answer::html(200, pages::page(&format!("Authorize {name}"), &content))
}

fn authorize(world: &mut World, call: &Call, user: &User) -> Answer {
    match entered(world, call) {
        Ok(grant) => {
            grant.user_code = None;
            grant.user = Some(user.id);
            let notice = "<div class=\"flash-notice\">The device was authorized.</div>";
            enter_code(world, call, notice)
        }
        Err(message) => enter_code(world, call, &message),
    }
}
