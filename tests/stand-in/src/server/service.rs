//! One request from arrival to answer: log, fault, process, damage, log.

use super::{Answer, Call, HangUp, Params, Payload, Visit};
use crate::{
    api,
    fault::{Damage, Fault, What, When},
    git, lfs,
    log::{self, Endpoint},
    oauth, pages,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request, Response, body::Incoming, header};
use std::{future, io};

/// No form or JSON body GitLab accepts is larger.
const BODY_LIMIT: usize = 1 << 20;

/// The user an answer was made for, carried beside the response until it is logged.
#[derive(Clone)]
pub(crate) struct Who(pub(crate) Option<String>);

pub(super) async fn answer(visit: &Visit, request: Request<Incoming>) -> Result<Response<Payload>, HangUp> {
    let (parts, body) = request.into_parts();
    let base = visit.shared.lock().site.base_path.clone();
    let below = parts.uri.path().strip_prefix(&base).filter(|rest| rest.starts_with('/'));
    let path = below.unwrap_or(parts.uri.path()).to_owned();
    let endpoint = if below.is_some() { Endpoint::of(&path) } else { Endpoint::Other };
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let mut call = Call {
        inside: below.is_some(),
        method: parts.method,
        path,
        query: Params::parse(raw_query.as_bytes()),
        raw_query,
        form: Params::default(),
        body: Bytes::new(),
        headers: parts.headers,
        peer: visit.peer,
    };
    // Git's bodies are streams, and LFS's objects large; all others are read before the request
    // counts as arrived.
    let body = if matches!(endpoint, Endpoint::Git | Endpoint::LfsObject) {
        Some(body)
    } else {
        let bytes = Limited::new(body, BODY_LIMIT).collect().await.map_err(|_| HangUp)?.to_bytes();
        if is_form(&call) {
            call.form = Params::parse(&bytes);
        }
        call.body = bytes;
        None
    };

    let (entry, fault) = arrive(visit, &call, endpoint);
    let damage = fault.as_ref().and_then(|fault| fault.what.damage());
    delay(fault.as_ref(), When::Before).await;
    let untouched = fault.as_ref().is_some_and(|fault| fault.when == When::Before);
    if untouched && damage.as_ref().is_some_and(|damage| !matches!(damage, Damage::Cut)) {
        return deliver(visit, entry, None, damage).await;
    }
    let response = match body {
        _ if !passes_gateway(visit, &call, endpoint) => pages::gateway().whole(),
        Some(body) if endpoint == Endpoint::LfsObject => named(lfs::object(&visit.shared, &call, body).await),
        Some(body) => git::serve(&visit.shared, &call, body).await,
        None => named(process(visit, &call, endpoint)),
    };
    delay(fault.as_ref(), When::After).await;
    deliver(visit, entry, Some(response), damage).await
}

/// The answer, with whom it was made for beside it.
fn named(answer: Answer) -> Response<Payload> {
    let who = Who(answer.who.clone());
    let mut response = answer.whole();
    response.extensions_mut().insert(who);
    response
}

/// Whether the request comes as far as GitLab.
fn passes_gateway(visit: &Visit, call: &Call, endpoint: Endpoint) -> bool {
    let for_people = matches!(endpoint, Endpoint::SignIn | Endpoint::Authorize | Endpoint::Device);
    let gateway = visit.shared.lock().modes.gateway.clone();
    for_people || gateway.is_none_or(|(name, value)| call.header(name) == Some(&value))
}

/// Sleeps if the fault is a delay on this side of the work.
async fn delay(fault: Option<&Fault>, side: When) {
    if let Some(Fault { what: What::Delay(by), when, .. }) = fault
        && *when == side
    {
        tokio::time::sleep(*by).await;
    }
}

fn is_form(call: &Call) -> bool {
    let kind = call.header(header::CONTENT_TYPE).unwrap_or_default();
    kind.split(';').next() == Some("application/x-www-form-urlencoded")
}

/// Logs the arrival and looks for a fault, in one step: a test that waits for the request and
/// then clears the faults cannot slip in between.
fn arrive(visit: &Visit, call: &Call, endpoint: Endpoint) -> (usize, Option<Fault>) {
    let mut world = visit.shared.lock();
    let now = world.clock.now();
    world.log.push(log::Request::new(call, endpoint, now));
    let entry = world.log.len() - 1;
    let fault = world.take_fault(endpoint);
    visit.shared.changed.notify_all();
    (entry, fault)
}

/// Decides everything but git; the whole decision happens under one lock.
fn process(visit: &Visit, call: &Call, endpoint: Endpoint) -> Answer {
    let world = &mut *visit.shared.lock();
    match endpoint {
        Endpoint::SignIn => pages::sign_in(world, call),
        Endpoint::Authorize => oauth::authorize(world, call),
        Endpoint::Token => oauth::token(world, call),
        Endpoint::TokenInfo => oauth::token_info(world, call),
        Endpoint::Revoke => oauth::revoke(world, call),
        Endpoint::Introspect => oauth::introspect(world, call),
        Endpoint::UserInfo => oauth::user_info(world, call),
        Endpoint::AuthorizeDevice => oauth::authorize_device(world, call),
        Endpoint::Device => oauth::device_page(world, call),
        Endpoint::Discovery if call.method == Method::GET => oauth::discovery(world, call),
        Endpoint::User | Endpoint::PersonalToken | Endpoint::Rotate | Endpoint::Api => api::answer(world, call),
        Endpoint::Lfs => lfs::answer(world, call),
        Endpoint::Other if call.inside && call.path == "/" => pages::home(),
        Endpoint::Discovery | Endpoint::Git | Endpoint::LfsObject | Endpoint::Other | Endpoint::Any => {
            pages::not_found()
        }
    }
}

/// Applies the damage, logs what leaves, and lets it leave.
async fn deliver(
    visit: &Visit,
    entry: usize,
    response: Option<Response<Payload>>,
    damage: Option<Damage>,
) -> Result<Response<Payload>, HangUp> {
    let who = response.as_ref().and_then(|response| response.extensions().get::<Who>().cloned());
    // Damage comes when the work is done, and git is still at work while it answers.
    let (response, done) = match (response, &damage) {
        (Some(response), Some(_)) => (None, Some(collect(response).await.map_err(|_| HangUp)?)),
        (response, _) => (response, None),
    };
    let sent = match (damage, response) {
        (None, response) => response,
        (Some(Damage::Answer(answer)), _) => Some(answer.whole()),
        (Some(Damage::Cut), _) => done.map(Answer::cut),
        (Some(Damage::Reset), _) => {
            visit.reset();
            None
        }
        (Some(Damage::Silence), _) => {
            depart(visit, entry, who.as_ref(), None);
            future::pending().await
        }
        (Some(Damage::Close), _) => None,
    };
    depart(visit, entry, who.as_ref(), sent.as_ref().map(|response| response.status().as_u16()));
    let mut sent = sent.ok_or(HangUp)?;
    let now = std::time::UNIX_EPOCH + visit.shared.lock().clock.now();
    let date = httpdate::fmt_http_date(now).try_into().expect("a header value");
    sent.headers_mut().insert(header::DATE, date);
    Ok(sent)
}

fn depart(visit: &Visit, entry: usize, who: Option<&Who>, status: Option<u16>) {
    let mut world = visit.shared.lock();
    let entry = &mut world.log[entry];
    entry.who = who.and_then(|Who(who)| who.clone());
    entry.status = status;
    visit.shared.changed.notify_all();
}

/// Brings a streamed response into one piece.
async fn collect(response: Response<Payload>) -> io::Result<Answer> {
    let (parts, body) = response.into_parts();
    let headers = parts.headers.iter().filter(|(name, _)| *name != header::CONTENT_LENGTH);
    let headers = headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    let headers = headers.collect();
    let body = body.collect().await?.to_bytes();
    Ok(Answer { status: parts.status.as_u16(), headers, body, who: None })
}
