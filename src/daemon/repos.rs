//! What an account may reach, page by page, as fast as somebody reads.
//!
//! Nothing is asked of the server before what came last was taken: a client that stops reading
//! stops this, and one page at a time is in memory.

use std::collections::HashMap;
use std::time::Duration;

use url::Url;

use super::account::{Account, Refusal};
use super::accounts::{Accounts, instance_in};
use super::gitlab::projects::{
    INSUFFICIENT_SCOPE, NO_KEYSET, NOT_FOUND, PER_PAGE, Page, Project, UNAUTHORIZED, Wanted,
};
use super::gitlab::{GitLab, Trouble};
use crate::access;
use crate::credential::Attributes;
use crate::place::Place;
use crate::protocol::{Code, Failure, key};
use crate::rights;

/// A server that wants to be left alone for longer is told of, not waited for: GitLab counts
/// requests per minute.
const LONGEST_WAIT: i64 = 60;

/// How often it is waited for, for one page.
const MOST_WAITS: u32 = 2;

/// Why there are no more projects.
#[derive(Debug)]
pub enum Stopped {
    /// There is no token to ask with.
    NoToken(Refusal),
    /// Anything else, in words.
    Failed(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Stopped::Failed(failure)
    }
}

/// A list that is being read.
#[derive(Debug)]
pub struct Listing {
    /// Whose.
    pub account: Account,
    gitlab: GitLab,
    wanted: Wanted,
    next: Option<Url>,
    keyset: bool,
    /// The highest number so far: every page must get further.
    last_id: u64,
    /// How many there were.
    pages: usize,
    /// Projects that came, from the first on whose role is not known yet.
    open: Vec<Project>,
    /// The group's projects once more, for each role with which the account has them.
    by_role: Vec<AtLeast>,
    /// How many more are wanted.
    room: usize,
    left_out: usize,
}

impl Listing {
    /// Begins a list; nothing is asked yet.
    pub async fn begin(request: &Attributes, accounts: &Accounts) -> Result<Self, Failure> {
        let usage = |text: String| Failure::new(Code::Usage, text);
        let instance = accounts.meant_instance(instance_in(request)?)?;
        let text = |key: &str| request.text(key).filter(|text| !text.is_empty()).map(str::to_owned);
        let min_access = match request.text("min_access") {
            None => None,
            Some(word) => Some(access::level(word).ok_or_else(|| usage(format!("{word}: there is no such role")))?),
        };
        let group = text("group").map(|group| group.trim_matches('/').to_owned());
        if let Some(why) = group.as_ref().and_then(|group| group.parse::<Place>().err()) {
            return Err(usage(why.to_string()));
        }
        let room = match request.text("limit") {
            None => usize::MAX,
            Some(number) => number.parse().map_err(|_| usage(format!("{number}: the limit is no number")))?,
        };
        let (search_paths, archived) = (request.flag("search_paths"), request.flag("archived"));
        let wanted = Wanted { search: text("search"), search_paths, group, min_access, archived };
        let account = accounts.meant(&instance, request.text(key::ACCOUNT)).await?;
        let gitlab = account.api().await;
        let mut listing = Self {
            account,
            gitlab,
            wanted,
            next: None,
            keyset: true,
            last_id: 0,
            pages: 0,
            open: Vec::new(),
            by_role: Vec::new(),
            room,
            left_out: 0,
        };
        listing.next = Some(listing.first_page(true)?);
        Ok(listing)
    }

    /// The next projects; none after the last ones. Those that are known are not kept waiting for
    /// the roles in others.
    pub async fn page(&mut self) -> Result<Option<Vec<Project>>, Stopped> {
        if !self.open.is_empty() {
            let mut projects = std::mem::take(&mut self.open);
            self.find_roles(&mut projects).await;
            return Ok(Some(projects));
        }
        let Some(address) = self.next.take().filter(|_| self.room > 0) else { return Ok(None) };
        let page = match self.ask(&address).await {
            Ok(page) => page,
            Err(Asked::Trouble(Trouble::Refused { error, .. })) if error == NO_KEYSET && self.keyset => {
                self.keyset = false;
                self.ask(&self.first_page(false)?).await.map_err(|why| self.stopped(why))?
            }
            Err(why) => return Err(self.stopped(why)),
        };
        let Page { mut projects, left_out, next } = page;
        self.left_out += left_out;
        self.pages += 1;
        let highest = projects.iter().map(|project| project.id).max();
        // The last page may be empty. One that names another and brought nothing new goes in a
        // circle, and would do so for ever.
        if next.is_some() && highest.is_none_or(|id| id <= self.last_id) {
            let why = format!("the list of {} has no end: the server goes in a circle", self.account.profile.who());
            return Err(Failure::new(Code::Unreachable, why).into());
        }
        self.last_id = highest.unwrap_or(self.last_id);
        projects.truncate(self.room);
        self.room -= projects.len();
        self.next = next;
        match projects.iter().position(|project| project.access_level.is_none()) {
            Some(0) => self.find_roles(&mut projects).await,
            Some(first) => self.open = projects.split_off(first),
            None => {}
        }
        Ok(Some(projects))
    }

    /// The block that ends the reply.
    pub fn end(&self) -> Attributes {
        Attributes::new()
            .with("host", self.account.profile.instance.to_string())
            .with("label", self.account.profile.label())
            .with("left_out", self.left_out.to_string())
            .with(key::DONE, "1")
    }

    fn first_page(&self, keyset: bool) -> Result<Url, Failure> {
        let page = self.gitlab.first_page(&self.wanted, self.room.min(PER_PAGE), keyset);
        page.map_err(|why| Failure::new(Code::Failed, why.to_string()))
    }

    /// Finds out which role the account has where the list does not say: GitLab does not say it
    /// for a project that is shared with a group, nor, if it is older, below a group's group. But
    /// it knows which projects one has at least some role in. What can't be found out stays open.
    async fn find_roles(&mut self, projects: &mut [Project]) {
        let mut open: HashMap<u64, &mut Option<u32>> = projects
            .iter_mut()
            .filter(|project| project.access_level.is_none())
            .map(|project| (project.id, &mut project.access_level))
            .collect();
        let least = self.wanted.min_access.unwrap_or(0);
        let mut by_role = std::mem::take(&mut self.by_role);
        for (at, (level, _)) in access::ROLES.into_iter().rev().filter(|(level, _)| *level >= least).enumerate() {
            let (Some(first), Some(last)) = (open.keys().min(), open.keys().max()) else { break };
            let found = match self.wanted.group {
                // The answer has no more numbers than the page that is looked at.
                None => match self.gitlab.those_with(level, &self.wanted, (*first, *last)) {
                    Ok(address) => self.ids(&address).await.map(|(ids, _)| ids),
                    Err(why) => Err(why.into()),
                },
                Some(_) => {
                    if by_role.len() == at {
                        by_role.push(AtLeast::new(self.gitlab.those_of_group_with(level, &self.wanted).ok()));
                    }
                    self.up_to(*last, &mut by_role[at]).await
                }
            };
            let Ok(found) = found else { break };
            for id in found {
                if let Some(access_level) = open.remove(&id) {
                    *access_level = Some(level);
                }
            }
        }
        self.by_role = by_role;
    }

    /// Reads on in such a list as far as this number: the numbers that were not passed before. It
    /// is a part of the list that is shown, and has no more pages.
    async fn up_to(&self, last: u64, list: &mut AtLeast) -> Result<Vec<u64>, Asked> {
        while list.ids.last().is_none_or(|id| *id < last)
            && list.pages < self.pages
            && let Some(address) = list.next.clone()
        {
            let (ids, next) = self.ids(&address).await?;
            list.ids.extend(ids);
            list.next = next;
            list.pages += 1;
        }
        let passed = list.ids.partition_point(|id| *id <= last);
        Ok(list.ids.drain(..passed).collect())
    }

    /// The numbers on a page, and where the next one is. An old GitLab does not know every role,
    /// and has none with it.
    async fn ids(&self, address: &Url) -> Result<(Vec<u64>, Option<Url>), Asked> {
        match self.ask(address).await {
            Ok(page) => Ok((page.projects.iter().map(|project| project.id).collect(), page.next)),
            Err(Asked::Trouble(Trouble::Refused { .. })) => Ok((Vec::new(), None)),
            Err(why) => Err(why),
        }
    }

    /// Asks for a page: once more if the token was dead, or the server was busy for a moment.
    async fn ask(&self, address: &Url) -> Result<Page, Asked> {
        let (mut refused, mut waits) = (false, 0);
        loop {
            let token = self.account.get(None).await.map_err(Asked::Refusal)?.token;
            match self.gitlab.projects(&token, address).await {
                Ok(page) => return Ok(page),
                Err(Trouble::Refused { error, .. }) if error == UNAUTHORIZED && !refused => {
                    refused = true;
                    self.account.refused(token).await;
                }
                Err(Trouble::Transient { retry_after: Some(wait @ 0..=LONGEST_WAIT), .. }) if waits < MOST_WAITS => {
                    waits += 1;
                    tokio::time::sleep(Duration::from_secs(wait.unsigned_abs())).await;
                }
                Err(why) => return Err(Asked::Trouble(why)),
            }
        }
    }

    /// Why it ends here, for the person.
    fn stopped(&self, why: Asked) -> Stopped {
        let why = match why {
            Asked::Refusal(refusal) => return Stopped::NoToken(refusal),
            Asked::Trouble(why) => why,
        };
        let profile = &self.account.profile;
        let (who, code) = (profile.who(), why.code());
        let text = match &why {
            Trouble::Refused { error, .. } if error == INSUFFICIENT_SCOPE => {
                let scopes = match profile.scopes.as_slice() {
                    [] => String::new(),
                    scopes => format!(" (it has {})", scopes.join(" ")),
                };
                let link = match profile.kind.as_str() {
                    "token" => profile.link_command(),
                    _ => rights::link_with_scopes(&profile.link_command(), profile.read_only),
                };
                format!(
                    "the token of {who} may not list projects: it lacks the scope read_api{scopes}; \
                     to link with it: {link}"
                )
            }
            Trouble::Refused { error, .. } if error == UNAUTHORIZED && profile.kind == "token" => format!(
                "{} does not let the token of {who} list projects; deploy tokens can't, a personal access token with \
                 the scope read_api can. To link one: {}",
                profile.instance,
                profile.link_command()
            ),
            Trouble::Refused { error, .. } if error == UNAUTHORIZED => format!(
                "the server refuses the token of {who}, also after it was checked; \
                 to see more: git credential-gitlab status --check"
            ),
            Trouble::Refused { error, .. } if error == NOT_FOUND && self.wanted.group.is_some() => {
                let group = self.wanted.group.as_deref().unwrap_or_default();
                let host = profile.instance.short();
                format!(
                    "there is no group {group} that {who} may see; to search for it: \
                     git credential-gitlab repos {host} --search WORD"
                )
            }
            Trouble::Transient { retry_after: Some(wait), .. } => {
                format!("the projects of {who} could not be listed: {why}, and wants to be asked again in {wait} s")
            }
            _ => format!("the projects of {who} could not be listed: {why}"),
        };
        Failure::new(code, text).into()
    }
}

/// Those of a group in which the account has at least a certain role, as far as they were read.
#[derive(Debug)]
struct AtLeast {
    next: Option<Url>,
    pages: usize,
    /// The numbers beyond what was shown, in their order.
    ids: Vec<u64>,
}

impl AtLeast {
    fn new(first: Option<Url>) -> Self {
        Self { next: first, pages: 0, ids: Vec::new() }
    }
}

/// Why there is no page.
enum Asked {
    Refusal(Refusal),
    Trouble(Trouble),
}

impl From<Trouble> for Asked {
    fn from(why: Trouble) -> Self {
        Asked::Trouble(why)
    }
}

/// A project as a block of the reply.
pub fn block(project: &Project) -> Attributes {
    let Project {
        id,
        path,
        name,
        http_url,
        web_url,
        access_level,
        visibility,
        archived,
        default_branch,
        last_activity_at,
    } = project;
    let mut block = Attributes::new()
        .with("id", id.to_string())
        .with("path", path)
        .with("name", name)
        .with("http_url", http_url)
        .with("web_url", web_url)
        .with("access", access_level.map_or_else(|| access::UNKNOWN.into(), access::word))
        .with("visibility", visibility)
        .with("archived", if *archived { "1" } else { "0" });
    let may_be_missing = [
        ("access_level", &access_level.map(|level| level.to_string())),
        ("default_branch", default_branch),
        ("last_activity_at", last_activity_at),
    ];
    for (key, value) in may_be_missing {
        value.iter().for_each(|value| block.push(key, value));
    }
    block
}
