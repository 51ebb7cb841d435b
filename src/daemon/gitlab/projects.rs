//! Projects that an account may reach, page by page.
//!
//! Whatever a server sends is untrusted here: a project without a usable number or path is left
//! out and counted, other values are made printable, and no page is looked for elsewhere than on
//! the same server.

use std::time::Duration;

use reqwest::header::{HeaderMap, LINK};
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use super::{GitLab, Trouble};
use crate::credential::printable;
use crate::daemon::secret::Secret;
use crate::instance::Instance;
use crate::place::Place;

/// The most that GitLab puts into a page, so the fewest requests.
pub const PER_PAGE: usize = 100;

/// A hundred projects have 300 to 500 KB, more with long descriptions. One page is in memory at
/// a time.
const MAX_PAGE: usize = 4 * 1024 * 1024;

/// The database of a large GitLab takes seconds for a hundred projects, and half a megabyte
/// takes some over a slow VPN. Nothing is lost if it fails: it is only asked again.
const PAGE_WITHIN: Duration = Duration::from_secs(60);

/// GitLab's own limit for a full path, a name and a branch.
const LONGEST_NAME: usize = 255;

/// A base URL and a full path have less.
const LONGEST_URL: usize = 1000;

/// What [`Trouble::Refused`] says where the token is dead.
pub const UNAUTHORIZED: &str = "401";
/// The token's scopes don't include this call.
pub const INSUFFICIENT_SCOPE: &str = "insufficient_scope";
/// There is no such group, or this account may not know of it.
pub const NOT_FOUND: &str = "404";
/// GitLab before 12.7 does not know this way to page.
pub const NO_KEYSET: &str = "405";

/// Which projects.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// With this in the name or path.
    pub search: Option<String>,
    /// Or in the path of a group around it.
    pub search_paths: bool,
    /// Below this group.
    pub group: Option<String>,
    /// With at least this role.
    pub min_access: Option<u32>,
    /// Archived ones alone.
    pub archived: bool,
}

/// One project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// GitLab's number.
    pub id: u64,
    /// `group/sub/app`.
    pub path: String,
    /// Its name for people.
    pub name: String,
    /// Where git finds it.
    pub http_url: String,
    /// Where people find it.
    pub web_url: String,
    /// The role, if the server says; see [`crate::access`].
    pub access_level: Option<u32>,
    /// `private`, `internal` or `public`.
    pub visibility: String,
    /// Nobody can push any more.
    pub archived: bool,
    /// None while it is empty.
    pub default_branch: Option<String>,
    /// RFC 3339, if the server says.
    pub last_activity_at: Option<String>,
}

/// Some projects, and where the next ones are.
#[derive(Debug)]
pub struct Page {
    /// In the order of their numbers.
    pub projects: Vec<Project>,
    /// How many make no sense.
    pub left_out: usize,
    /// None after the last page.
    pub next: Option<Url>,
}

impl GitLab {
    /// Where the first page is. `keyset`: each page begins where the last one ended, however many
    /// there are; not every GitLab has it.
    pub fn first_page(&self, wanted: &Wanted, per_page: usize, keyset: bool) -> Result<Url, Trouble> {
        let mut page = self.listing(wanted)?;
        if keyset {
            page.query_pairs_mut().append_pair("pagination", "keyset");
        }
        page.query_pairs_mut().append_pair("per_page", &per_page.clamp(1, PER_PAGE).to_string());
        if let Some(level) = wanted.min_access {
            page.query_pairs_mut().append_pair("min_access_level", &level.to_string());
        }
        Ok(page)
    }

    /// Where those of a range of numbers are in which the account has at least this role. Nothing
    /// but their numbers is of interest, so `simple` spares the server the rest.
    pub fn those_with(&self, level: u32, wanted: &Wanted, (first, last): (u64, u64)) -> Result<Url, Trouble> {
        let mut page = self.listing(wanted)?;
        page.query_pairs_mut()
            .append_pair("simple", "true")
            .append_pair("per_page", &PER_PAGE.to_string())
            .append_pair("id_after", &first.saturating_sub(1).to_string())
            .append_pair("id_before", &last.saturating_add(1).to_string())
            .append_pair("min_access_level", &level.to_string());
        Ok(page)
    }

    /// The same for a group, whose list can't be cut by numbers: where the first page of them is.
    pub fn those_of_group_with(&self, level: u32, wanted: &Wanted) -> Result<Url, Trouble> {
        let mut page = self.first_page(&Wanted { min_access: Some(level), ..wanted.clone() }, PER_PAGE, false)?;
        page.query_pairs_mut().append_pair("simple", "true");
        Ok(page)
    }

    fn listing(&self, wanted: &Wanted) -> Result<Url, Trouble> {
        let path = match &wanted.group {
            None => "/api/v4/projects".into(),
            Some(group) => format!("/api/v4/groups/{}/projects", group.replace('/', "%2F")),
        };
        let mut page =
            Url::parse(&self.instance.page(&path)).map_err(|_| Trouble::transient("its address makes no URL"))?;
        let mut query = page.query_pairs_mut();
        query.append_pair("order_by", "id").append_pair("sort", "asc");
        match (&wanted.group, wanted.min_access) {
            (None, _) => drop(query.append_pair("membership", "true")),
            // A group lists every public project too, unless a role is asked for; and others that
            // are shared with it, which are not below it.
            (Some(_), min_access) => {
                query.append_pair("include_subgroups", "true").append_pair("with_shared", "false");
                if min_access.is_none() {
                    query.append_pair("min_access_level", &crate::access::ROLES[0].0.to_string());
                }
            }
        }
        if let Some(text) = &wanted.search {
            query.append_pair("search", text);
        }
        if wanted.search_paths {
            query.append_pair("search_namespaces", "true");
        }
        if wanted.archived {
            query.append_pair("archived", "true");
        }
        drop(query);
        Ok(page)
    }

    /// One page.
    pub async fn projects(&self, token: &Secret, page: &Url) -> Result<Page, Trouble> {
        let mut request = self.http.get(page.as_str(), Some(token.expose()))?;
        *request.timeout_mut() = Some(PAGE_WITHIN);
        let answer = self.http.send_up_to(request, MAX_PAGE).await?;
        if answer.status() != 200 {
            return Err(refused(answer.status().as_u16(), answer.body(), token));
        }
        let listed: Vec<Listed> = serde_json::from_slice(answer.body())
            .map_err(|_| Trouble::transient("what the server sent is not a list of projects"))?;
        let count = listed.len();
        let projects: Vec<Project> = listed.into_iter().filter_map(|it| it.project(&self.instance)).collect();
        let next = match next_link(answer.headers()) {
            Some(next) => Some(self.followed(page, &next)?),
            None => None,
        };
        Ok(Page { left_out: count - projects.len(), projects, next })
    }

    /// The next page, if it is one of this GitLab's API: the token goes along.
    fn followed(&self, from: &Url, next: &str) -> Result<Url, Trouble> {
        let api = Url::parse(&self.instance.page("/api/v4/")).ok();
        let next = from.join(next).ok();
        let ours = |next: &Url| {
            next.origin() == from.origin()
                && api.is_some_and(|api| next.path().starts_with(api.path()))
                && next.username().is_empty()
                && next.password().is_none()
        };
        next.filter(ours).ok_or_else(|| {
            Trouble::transient("the server says that the next page is at another address, where the token must not go")
        })
    }
}

/// What a status other than 200 means, in the server's words unless they repeat the token.
fn refused(status: u16, body: &[u8], token: &Secret) -> Trouble {
    #[derive(Default, Deserialize)]
    struct Said {
        error: Option<String>,
        message: Option<String>,
    }
    let said: Said = serde_json::from_slice(body).unwrap_or_default();
    let error = match &said.error {
        Some(word) if status == 403 && word == INSUFFICIENT_SCOPE => INSUFFICIENT_SCOPE.into(),
        _ => status.to_string(),
    };
    let why = match said.error.or(said.message).filter(|text| !text.contains(token.expose())) {
        Some(text) => format!("the server answered {status} ({})", printable(&text, 200)),
        None => format!("the server answered {status}"),
    };
    Trouble::Refused { error, why }
}

/// The address in `Link: <…>; rel="next"`.
fn next_link(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let links = values.flat_map(|value| value.split('<').skip(1)).filter_map(|link| link.split_once('>'));
    let is_next = |parameters: &str| {
        parameters.split([';', ',']).any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"))
    };
    links.into_iter().find(|(_, parameters)| is_next(parameters)).map(|(url, _)| url.to_owned())
}

/// What stands in a list of projects.
#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Project(Row),
    /// One that makes no sense keeps no other from being read.
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Row {
    id: u64,
    path_with_namespace: String,
    name: Option<String>,
    http_url_to_repo: Option<String>,
    web_url: Option<String>,
    visibility: Option<String>,
    archived: Option<bool>,
    default_branch: Option<String>,
    last_activity_at: Option<String>,
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
struct Permissions {
    project_access: Option<Access>,
    group_access: Option<Access>,
}

#[derive(Deserialize)]
struct Access {
    access_level: u32,
}

impl Listed {
    fn project(self, instance: &Instance) -> Option<Project> {
        let Listed::Project(row) = self else { return None };
        let path = row.path_with_namespace;
        // Every project is below a person or a group; and no option of any command begins so.
        let plain = path.contains('/') && !path.starts_with('-') && path.parse::<Place>().is_ok();
        if path.len() > LONGEST_NAME || !plain {
            return None;
        }
        let address = |sent: Option<String>, usual: String| {
            let sent = Url::parse(sent.as_deref().unwrap_or_default()).ok();
            // A name before its host could choose another account, or hide which host it is.
            let bare = |url: &Url| url.username().is_empty() && url.password().is_none();
            let usable =
                |url: &Url| matches!(url.scheme(), "https" | "http") && bare(url) && url.as_str().len() <= LONGEST_URL;
            sent.filter(usable).map_or(usual, String::from)
        };
        let short = |text: String| Some(printable(&text, LONGEST_NAME)).filter(|text| !text.is_empty());
        // Empty where the person has no role of their own there: it comes through a group that the
        // project is shared with, or, on older GitLabs, from a group further up.
        let roles = row.permissions.map(|it| [it.project_access, it.group_access]);
        let access_level = roles.into_iter().flatten().flatten().map(|access| access.access_level).max();
        let visibility = row.visibility.filter(|word| matches!(word.as_str(), "private" | "internal" | "public"));
        Some(Project {
            id: row.id,
            name: row.name.and_then(short).unwrap_or_else(|| path.clone()),
            // Where the server does not say, they are made as every GitLab makes them.
            http_url: address(row.http_url_to_repo, instance.page(&format!("/{path}.git"))),
            web_url: address(row.web_url, instance.page(&format!("/{path}"))),
            access_level,
            visibility: visibility.unwrap_or_else(|| crate::access::UNKNOWN.into()),
            archived: row.archived.unwrap_or(false),
            default_branch: row.default_branch.and_then(short),
            last_activity_at: row.last_activity_at.and_then(moment),
            path,
        })
    }
}

/// A moment as RFC 3339, to the second.
fn moment(text: String) -> Option<String> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    jiff::Timestamp::from_second(moment.as_second()).ok().map(|moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::gitlab::{Endpoints, Network};

    fn gitlab() -> GitLab {
        let instance = Instance::parse("https://example.com/gitlab").expect("an address");
        GitLab::new(instance, String::new(), None, Endpoints::default(), Network::default())
    }

    fn read(json: &str) -> Vec<Option<Project>> {
        let listed: Vec<Listed> = serde_json::from_str(json).expect("a list");
        listed.into_iter().map(|it| it.project(&gitlab().instance)).collect()
    }

    #[test]
    fn the_next_page_is_found_among_links() {
        let link = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(LINK, value.parse().expect("a header"));
            }
            next_link(&headers)
        };
        let next = Some("https://h/a?b=1,2".to_owned());
        assert_eq!(link(&["<https://h/f>; rel=\"first\", <https://h/a?b=1,2>; rel=\"next\""]), next);
        assert_eq!(link(&["<https://h/f>; rel=\"first\"", "<https://h/a?b=1,2>;rel=next"]), next);
        for none in ["", "<https://h/a>; rel=\"prev\"", "<https://h/a", ">; rel=\"next\"", "rel=\"next\""] {
            assert_eq!(link(&[none]), None, "{none}");
        }
    }

    #[test]
    fn a_page_is_followed_on_the_same_gitlab_alone() {
        let gitlab = gitlab();
        let first = gitlab.first_page(&Wanted::default(), 100, true).expect("an address");
        for good in ["https://example.com/gitlab/api/v4/projects?id_after=7", "?id_after=7"] {
            assert!(gitlab.followed(&first, good).is_ok(), "{good}");
        }
        for bad in [
            "https://evil.example/gitlab/api/v4/projects",
            "http://example.com/gitlab/api/v4/projects",
            "https://example.com:8443/gitlab/api/v4/projects",
            "https://example.com/api/v4/projects",
            "https://example.com/gitlab/api/v4/../../x",
            "https://me@example.com/gitlab/api/v4/projects",
            "//evil.example/gitlab/api/v4/projects",
            "data:,x",
        ] {
            assert!(gitlab.followed(&first, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_best_role_counts_and_what_is_missing_is_not_invented() {
        let json = r#"[
            {"id": 1, "path_with_namespace": "g/a", "permissions":
                {"project_access": {"access_level": 20}, "group_access": {"access_level": 40}}},
            {"id": 2, "path_with_namespace": "g/b", "permissions": {"project_access": null, "group_access": null}},
            {"id": 3, "path_with_namespace": "g/c", "name": "a\nb\u001b[2J", "default_branch": "",
                "http_url_to_repo": "file:///etc", "visibility": "\u001b", "last_activity_at": "soon"}]"#;
        let projects = read(json);
        let [Some(a), Some(b), Some(c)] = &projects[..] else { panic!("{projects:?}") };
        assert_eq!((a.access_level, b.access_level, c.access_level), (Some(40), None, None));
        assert_eq!((a.name.as_str(), a.http_url.as_str()), ("g/a", "https://example.com/gitlab/g/a.git"));
        assert_eq!((c.name.as_str(), c.visibility.as_str()), ("a\u{fffd}b\u{fffd}[2J", "unknown"));
        assert_eq!(c.http_url, "https://example.com/gitlab/g/c.git");
        assert_eq!((&c.default_branch, &c.last_activity_at), (&None, &None));
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let long = "x".repeat(100_000);
        let json = format!(
            r#"[null, 7, "x", [], {{}}, {{"id": "1", "path_with_namespace": "g/a"}}, {{"id": 1}},
                {{"id": 1, "path_with_namespace": "g/\u001b[2J"}}, {{"id": 1, "path_with_namespace": "g/../a"}},
                {{"id": 1, "path_with_namespace": "g/a\nb"}}, {{"id": 1, "path_with_namespace": "g/{long}"}}, {{"id": 1, "path_with_namespace": "-g/a"}},
                {{"id": -1, "path_with_namespace": "g/a"}}]"#
        );
        assert!(read(&json).iter().all(Option::is_none));
    }
}
