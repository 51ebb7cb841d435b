//! What git would ask the daemon for a repository, and what it would ask for the other accounts.

use super::Subject;
use crate::cli::doctor::git;
use crate::cli::doctor::instead::{self, Chooser, Others};
use crate::cli::doctor::remote::Remote;
use crate::credential::Attributes;
use crate::protocol::{self, Code, action, key};

/// Names the account that git gets in this environment.
const ACCOUNT_VARIABLE: &str = "GIT_CREDENTIAL_GITLAB_ACCOUNT";

/// What the other accounts get where one is short of something.
pub(super) fn others(
    facts: &Attributes,
    labels: &[String],
    subject: &Subject,
    view: Option<&git::View>,
    asked: &impl Fn(&Attributes) -> Result<Attributes, (Code, String)>,
) -> Others {
    let Some(plain) = unnamed_question(subject, view) else { return Others::none() };
    let (chooser, label) = (chooser(subject, view), facts.text("label"));
    let mut found = Others { chooser, ..Others::none() };
    if found.chooser != Chooser::Nothing {
        let unnamed = asked(&plain).ok().filter(|other| other.text("label") != label);
        found.unnamed = unnamed.as_ref().and_then(|other| other.text("label").map(str::to_owned));
        found.facts.extend(unnamed);
    }
    let rest = labels.iter().filter(|other| Some(other.as_str()) != label && Some(*other) != found.unnamed.as_ref());
    for other in rest.take(instead::MOST_OTHERS) {
        found.facts.extend(asked(&plain.clone().with(key::ACCOUNT, other)));
    }
    found
}

/// What names the account, in the order in which it counts.
fn chooser(subject: &Subject, view: Option<&git::View>) -> Chooser {
    let settings = view.and_then(|view| view.settings.as_ref().ok());
    match (account_in_environment(), &subject.effective) {
        (Some(_), _) => Chooser::Named(Some(format!("unset {ACCOUNT_VARIABLE}"))),
        (None, Remote::Web { username: Some(_), origin, path, .. }) => {
            let url = format!("{origin}/{path}");
            Chooser::Named(subject.name.as_ref().map(|remote| remote.set_url(&url)))
        }
        _ => match settings.and_then(|settings| Some((settings, settings.username()?))) {
            Some((settings, name)) => Chooser::Named(settings.forget_username(name)),
            None => Chooser::Nothing,
        },
    }
}

fn account_in_environment() -> Option<std::ffi::OsString> {
    std::env::var_os(ACCOUNT_VARIABLE).filter(|label| !label.is_empty())
}

/// What git would ask for this repository, and the repository's path for us.
pub(super) fn question(subject: &Subject, view: Option<&git::View>) -> Option<Attributes> {
    let mut request = unnamed_question(subject, view)?;
    let settings = view.and_then(|view| view.settings.as_ref().ok());
    let Remote::Web { username, .. } = &subject.effective else { return None };
    let username = username.clone().or_else(|| settings.and_then(git::Settings::username).map(str::to_owned));
    if let Some(name) = username {
        request.push("username", name);
    }
    if let Some(branch) = &subject.branch {
        request.push("branch", branch);
    }
    if let Some(label) = account_in_environment() {
        request.push(key::ACCOUNT, label.as_encoded_bytes());
    }
    Some(request)
}

/// The same without the name of anybody.
fn unnamed_question(subject: &Subject, view: Option<&git::View>) -> Option<Attributes> {
    let settings = view.and_then(|view| view.settings.as_ref().ok());
    let Remote::Web { origin, path, .. } = &subject.effective else { return None };
    let url = origin.to_string();
    let mut request = protocol::request(action::PROJECT)
        .with("protocol", url.split("://").next()?)
        .with("host", origin.authority())
        .with("repository", path);
    if settings.is_some_and(git::Settings::sends_paths) {
        request.push("path", path);
    }
    Some(request)
}
