//! Git over HTTP: GitLab's doorman in front of git's own server program (contract §2).

mod access;
mod backend;
mod ban;
pub(crate) mod login;
mod repository;

pub use ban::BanLimits;
pub(crate) use ban::Bans;
pub(crate) use repository::{create_empty, create_with_readme};

use crate::{
    pages,
    server::{Answer, Call, Payload},
    world::Shared,
};
use hyper::{Method, Response, body::Incoming};
use percent_encoding::percent_decode_str;

/// The two programs behind a remote, named as in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    UploadPack,
    ReceivePack,
}

/// The ends of the addresses git asks for.
const ENDS: &[&str] = &["/info/refs", "/git-upload-pack", "/git-receive-pack"];

pub(crate) fn is_git(path: &str) -> bool {
    ENDS.iter().any(|end| path.ends_with(end))
}

/// An address of a repository, taken apart.
struct Target {
    /// The project's path, or none if the address lacks `.git`.
    project: Option<String>,
    /// `/info/refs` or one of the programs.
    end: &'static str,
    /// None for a service git does not have.
    service: Option<Service>,
}

impl Target {
    fn of(call: &Call) -> Option<Self> {
        let end = ENDS.iter().find(|end| call.path.ends_with(**end))?;
        let repository = percent_decode_str(&call.path).decode_utf8().ok()?;
        let repository = repository.strip_suffix(end)?.strip_prefix('/')?;
        let service = match *end {
            "/git-upload-pack" => Some(Service::UploadPack),
            "/git-receive-pack" => Some(Service::ReceivePack),
            _ => match call.query.get("service") {
                Some("git-upload-pack") => Some(Service::UploadPack),
                Some("git-receive-pack") => Some(Service::ReceivePack),
                _ => None,
            },
        };
        Some(Self { project: repository.strip_suffix(".git").map(str::to_owned), end, service })
    }
}

/// Answers a git request; the body is streamed to git only if the doorman lets it pass.
pub(crate) async fn serve(shared: &Shared, call: &Call, body: Incoming) -> Response<Payload> {
    let Some(target) = Target::of(call) else { return pages::not_found().whole() };
    let pass = admit(shared, call, &target);
    let (who, response) = match pass {
        Err(refusal) => (refusal.who.clone(), refusal.whole()),
        Ok(pass) => {
            let response = backend::run(&pass, call, target.end, body).await;
            let response = response.unwrap_or_else(|error| gitaly_away(&error.to_string()).whole());
            (pass.username, response)
        }
    };
    let mut response = response;
    response.extensions_mut().insert(crate::server::Who(who));
    response
}

/// What GitLab says when Gitaly is not there.
fn gitaly_away(why: &str) -> Answer {
    Answer::text(503, format!("The git server, Gitaly, is not available: {why}"))
}

fn admit(shared: &Shared, call: &Call, target: &Target) -> Result<access::Pass, Answer> {
    let world = &mut *shared.lock();
    let expected = if target.end == "/info/refs" { Method::GET } else { Method::POST };
    let Some(project) = &target.project else {
        // Without `.git` GitLab sends git to the address with it, before asking who is there.
        if call.method != Method::GET || target.end != "/info/refs" {
            return Err(pages::not_found());
        }
        let project = call.path.strip_suffix(target.end).unwrap_or_default();
        let to = world.site.url(&format!("{project}.git{}?{}", target.end, call.raw_query));
        return Err(Answer::redirect(301, &to));
    };
    if call.method == Method::HEAD && target.end == "/info/refs" {
        return Err(Answer::text(403, ""));
    }
    if call.method != expected {
        return Err(pages::not_found());
    }
    if let Some(new) = world.modes.moved.get(project).filter(|_| call.method == Method::GET) {
        return Err(Answer::redirect(301, &world.site.url(&format!("/{new}.git{}?{}", target.end, call.raw_query))));
    }
    let pass = access::check(world, call, project, target.service)?;
    if let Some(times @ 1..) = world.modes.storage_away.get_mut(project) {
        *times -= 1;
        return Err(gitaly_away("the storage is away"));
    }
    Ok(pass)
}
