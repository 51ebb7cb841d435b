//! Facts for `doctor`: what a server, and a repository there, look like from here. The cli judges
//! and words them.
//!
//! A token is used as git would use it, with the same care: nothing goes to a server that refuses
//! logins, and a token that GitLab's API refuses is not tried with git, which would count it.

use std::time::Duration;

use tokio::time::timeout;

use super::account::Account;
use super::accounts::{Accounts, Question, instance_in, names};
use super::clock::Timestamp;
use super::config;
use super::gitlab::{Author, Endpoints, GitAnswer, GitLab, Liveness, Service, Unreached};
use super::reply::refused;
use super::secret::Secret;
use crate::absent;
use crate::credential::Attributes;
use crate::place::Place;
use crate::protocol::{Code, Failure, key};

/// All questions about an account or a repository together: the person's patience is 30 s, of
/// which the questions before these take their part. What was learnt until then is told.
const ALL_WITHIN: Duration = Duration::from_secs(12);

/// A path that hardly a project has: GitLab lets git log in before it looks for one.
const NOWHERE: &str = "git-credential-gitlab/doctor";

/// What answers at an address; with `account`, what that account gets there.
pub async fn server(accounts: &Accounts, request: &Attributes) -> Attributes {
    let instance = match instance_in(request) {
        Ok(Some(instance)) => instance,
        Ok(None) => return Failure::new(Code::Usage, "which host is not said").to_block(),
        Err(failure) => return failure.to_block(),
    };
    let mut facts = Attributes::new();
    if let Some(label) = request.text(key::ACCOUNT) {
        let Some(account) = accounts.list(Some(&instance), Some(label)).into_iter().next() else {
            let there = names(&accounts.list(Some(&instance), None));
            return Failure::new(Code::NotLinked, absent::from(&instance, Some(label), &there)).to_block();
        };
        return in_time(&mut facts, |facts| Box::pin(login(account, facts))).await;
    }
    let linked = accounts.first_of(&instance);
    let gitlab = match (linked, config::read(&instance).await) {
        (Some(account), _) => account.api().await,
        (None, Ok(found)) => GitLab::new(instance, String::new(), None, Endpoints::default(), found.network),
        (None, Err(why)) => {
            unreached(&mut facts, &Unreached { phase: "setup", why: why.to_string() });
            return facts.with(key::DONE, "1");
        }
    };
    match gitlab.look().await {
        Err(why) => unreached(&mut facts, &why),
        Ok(seen) => {
            facts.push("status", seen.status.to_string());
            facts.push("json", if seen.is_json_error() { "1" } else { "0" });
            facts.push("local_time", Timestamp::now().0.to_string());
            let numbers = [("server_time", seen.server_time), ("retry_after", seen.retry_after)];
            for (name, number) in numbers.into_iter().filter_map(|(name, number)| Some((name, number?))) {
                facts.push(name, number.to_string());
            }
            if let Some(origin) = seen.redirect_origin() {
                facts.push("redirect", origin);
            }
        }
    }
    facts.with(key::DONE, "1")
}

/// What the account that git would get can do with a repository.
pub async fn repository(accounts: &Accounts, request: &Attributes) -> Attributes {
    let Some(question) = Question::in_request(request) else {
        return Failure::new(Code::Usage, "which repository is not said").to_block();
    };
    let account = match accounts.find(&question).await {
        Ok(Some(account)) => account,
        Ok(None) => return Failure::new(Code::NotLinked, "that GitLab is not linked").to_block(),
        Err(failure) => return failure.to_block(),
    };
    let instance = &account.profile.instance;
    let below = request.get("repository").and_then(|path| instance.below_base(path));
    let Some(path) = below.and_then(|path| project_path(str::from_utf8(path).ok()?)) else {
        return Failure::new(Code::Usage, "that is no path of a project").to_block();
    };
    let mut facts = Attributes::new()
        .with("host", instance.to_string())
        .with("username", &account.profile.username)
        .with("label", account.profile.label())
        .with("kind", &account.profile.kind)
        .with("project", &path);
    let branch = request.text("branch").filter(|branch| !branch.is_empty()).map(str::to_owned);
    in_time(&mut facts, |facts| Box::pin(project(account, path, branch, facts))).await
}

/// How an account's owner wants to be named in commits.
pub async fn author(accounts: &Accounts, request: &Attributes) -> Attributes {
    let meant = match instance_in(request).and_then(|named| accounts.meant_instance(named)) {
        Ok(instance) => accounts.meant(&instance, request.text(key::ACCOUNT)).await,
        Err(failure) => Err(failure),
    };
    let account = match meant {
        Ok(account) => account,
        Err(failure) => return failure.to_block(),
    };
    let mut facts = Attributes::new();
    let named = |facts: &mut Attributes, author: Author| {
        facts.push("name", author.name);
        facts.push("email", author.email);
    };
    in_time(&mut facts, |facts| {
        Box::pin(async move {
            let (gitlab, token) = with_token(&account).await?;
            let author = gitlab.author(&token).await;
            let author = author.map_err(|trouble| Failure::new(trouble.code(), trouble.to_string()))?;
            author.into_iter().for_each(|author| named(facts, author));
            Ok(())
        })
    })
    .await
}

/// Gathers facts until the time is over, and tells what there is.
async fn in_time<'f, F>(facts: &'f mut Attributes, gather: F) -> Attributes
where
    F: for<'a> FnOnce(&'a mut Attributes) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>,
{
    match timeout(ALL_WITHIN, gather(facts)).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => return failure.to_block(),
        Err(_) => facts.push("late", "1"),
    }
    std::mem::take(facts).with(key::DONE, "1")
}

/// The account's token, the version it is told, and whether git may log in with it.
async fn login(account: Account, facts: &mut Attributes) -> Result<(), Failure> {
    let (gitlab, token) = with_token(&account).await?;
    let seen = match gitlab.metadata(&token).await {
        Ok(seen) => seen,
        Err(why) => {
            unreached(facts, &why);
            return Ok(());
        }
    };
    facts.push("api_status", seen.status.to_string());
    facts.push("api_words", if seen.status == 200 { String::new() } else { seen.words(&token) });
    if let Some(version) = seen.text("version") {
        facts.push("version", version);
    }
    if let Some(after) = seen.retry_after {
        facts.push("retry_after", after.to_string());
    }
    if is_for_git(&account, &gitlab, &token, facts).await {
        let answer = ask_git(&account, &gitlab, NOWHERE, Service::Fetch, &token).await;
        told(facts, "git", answer);
    }
    Ok(())
}

/// The project as the API shows it, and as git is answered; and whether a branch can be pushed to
/// that somebody has checked out.
async fn project(
    account: Account,
    path: String,
    current: Option<String>,
    facts: &mut Attributes,
) -> Result<(), Failure> {
    let (gitlab, token) = with_token(&account).await?;
    let (seen, project) = match gitlab.project(&path, &token).await {
        Ok(found) => found,
        Err(why) => {
            unreached(facts, &why);
            return Ok(());
        }
    };
    facts.push("api_status", seen.status.to_string());
    facts.push("api_words", if project.is_some() { String::new() } else { seen.words(&token) });
    if let Some(project) = &project {
        facts.push("path_now", crate::credential::printable(&project.path_with_namespace, 255));
        let texts = [
            ("visibility", &project.visibility),
            ("default_branch", &project.default_branch),
            ("repository_access", &project.repository_access_level),
        ];
        for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))) {
            facts.push(name, crate::credential::printable(text, 255));
        }
        for (name, flag) in [("archived", project.archived), ("empty", project.empty_repo)] {
            facts.push(name, if flag == Some(true) { "1" } else { "0" });
        }
        if let Some(level) = project.access_level() {
            facts.push("access_level", level.to_string());
        }
    }
    if !is_for_git(&account, &gitlab, &token, facts).await {
        return Ok(());
    }
    let default = project.as_ref().and_then(|project| project.default_branch.as_deref());
    let may_push = async |branch: Option<&str>| gitlab.may_push(project.as_ref()?, branch?, &token).await;
    let (fetch, to_default, to_current) = tokio::join!(
        ask_git(&account, &gitlab, &path, Service::Fetch, &token),
        may_push(default),
        may_push(current.as_deref().filter(|current| Some(*current) != default))
    );
    let exists = fetch.as_ref().is_ok_and(|answer| answer.verdict == "open");
    told(facts, "fetch", fetch);
    for (name, may) in [("branch_push", to_default), ("current_push", to_current)] {
        may.iter().for_each(|may| facts.push(name, may));
    }
    if exists {
        told(facts, "push", ask_git(&account, &gitlab, &path, Service::Push, &token).await);
    }
    Ok(())
}

/// Whether a token may be shown to git's doorman, who counts those that he refuses.
async fn is_for_git(account: &Account, gitlab: &GitLab, token: &Secret, facts: &mut Attributes) -> bool {
    let blocked = facts.text("api_words").is_some_and(|words| words.contains("blocked"));
    let alive = match facts.text("api_status") {
        Some("401") => false,
        _ if blocked => false,
        // It has an answer for scopes that open no API.
        Some("403") => matches!(gitlab.token_info(token).await, Ok(Liveness::Alive { .. })),
        Some(_) => true,
        None => false,
    };
    if facts.text("api_status") == Some("401") {
        account.refused(token.clone()).await; // the next one who asks gets a better one
    }
    alive
}

async fn ask_git(
    account: &Account,
    gitlab: &GitLab,
    path: &str,
    service: Service,
    token: &Secret,
) -> Result<GitAnswer, Unreached> {
    let answer = gitlab.ask_git(path, service, token).await?;
    // As when git itself has asked.
    match answer.verdict {
        "login" => account.refused(token.clone()).await,
        "open" => account.worked(token.clone()).await,
        _ => {}
    }
    Ok(answer)
}

async fn with_token(account: &Account) -> Result<(GitLab, Secret), Failure> {
    let refusal = match account.get(None).await {
        Ok(hand_out) => return Ok((account.api().await, hand_out.token)),
        Err(refusal) => refusal,
    };
    let Failure { code, message } = refused(account, refusal);
    let is_refused = account.status(false).await.is_some_and(|status| status.refused);
    // It is not sure yet that the login is dead, but nothing else mends it if it is.
    let link = match code == Code::Unreachable && is_refused {
        true => format!("; to link it again: {}", account.profile.link_command()),
        false => String::new(),
    };
    Err(Failure::new(code, message + &link))
}

fn unreached(facts: &mut Attributes, why: &Unreached) {
    facts.push("phase", why.phase);
    facts.push("why", &why.why);
}

fn told(facts: &mut Attributes, name: &str, answer: Result<GitAnswer, Unreached>) {
    let key = |what: &str| format!("{name}_{what}");
    match answer {
        Err(Unreached { phase, why }) => {
            facts.push(name, "unreached");
            facts.push(&key("words"), format!("{phase}: {why}"));
        }
        Ok(GitAnswer { status, verdict, words, moved_to, retry_after }) => {
            facts.push(name, verdict);
            facts.push(&key("status"), status.to_string());
            facts.push(&key("words"), words);
            if let Some(after) = retry_after {
                facts.push(&key("retry_after"), after.to_string());
            }
            if let Some(url) = moved_to {
                facts.push(&key("moved_to"), url);
            }
        }
    }
}

/// The path of the project whose repository this is, as it was typed.
fn project_path(repository: &str) -> Option<String> {
    let path = repository.trim_matches('/');
    let place: Place = path.parse().ok()?;
    path.get(..place.to_string().len()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_of_a_repository_is_told_as_it_was_typed() {
        for (typed, path) in [
            ("Group/App.git", Some("Group/App")),
            ("group/app", Some("group/app")),
            ("/group/app.wiki.git/", Some("group/app")),
            ("group/app.git/info/lfs", Some("group/app")),
            ("group/../app", None),
            ("", None),
            ("a%2fb", None),
        ] {
            assert_eq!(project_path(typed).as_deref(), path, "{typed}");
        }
    }
}
