//! A redirect of the GitLab's own address: it is explained to the person, and not followed.

use reqwest::header::ACCEPT;
use reqwest::{Method, Request, Url};

use crate::credential::printable;
use crate::instance::Instance;

/// A base path that is longer is none.
const LONGEST_BASE: usize = 100;

/// Where a GitLab sends people whom it does not know.
const SIGN_IN: &str = "/users/sign_in";

/// Whether a request has nothing secret in it, which an answer could repeat.
pub(super) fn is_bare(request: &Request) -> bool {
    let harmless = request.headers().keys().all(|name| name == ACCEPT);
    harmless && request.method() == Method::GET && request.url().query().is_none()
}

/// What a redirect means. Of where it leads only the host is shown: the rest may carry a code, or
/// repeat what was sent. Where nothing secret was sent, and the rest is what was asked for below
/// another base path, that is shown too.
pub(super) fn explained(instance: &Instance, asked: &Url, location: &str, is_bare: bool) -> String {
    let Some(to) = asked.join(location).ok().filter(|to| to.has_host()) else { return String::new() };
    let origin = printable(&to.origin().ascii_serialization(), 200);
    let asked_below = asked.path().strip_prefix(instance.base_path()).unwrap_or_default();
    let base = [asked_below, SIGN_IN]
        .into_iter()
        .filter(|below| !below.is_empty())
        .find_map(|below| to.path().strip_suffix(below));
    let base = if to.path() == "/" { Some("") } else { base };
    let known = base.filter(|base| base.is_empty() || (is_bare && base.len() <= LONGEST_BASE));
    let elsewhere = known.and_then(|base| Instance::parse(&format!("{origin}{base}")).ok()).filter(|it| it != instance);
    match elsewhere {
        Some(there) => {
            format!(
                ", a redirect to {there}; if your GitLab is there, link that address instead: git credential-gitlab \
                 link {there}"
            )
        }
        None => format!(", a redirect to {origin}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained_at(gitlab: &str, location: &str, is_bare: bool) -> String {
        let instance = Instance::parse(gitlab).expect("an address");
        let asked = instance.page("/oauth/token/info").parse().expect("a URL");
        explained(&instance, &asked, location, is_bare)
    }

    #[test]
    fn where_the_gitlab_is_now_is_said() {
        for (gitlab, location, there) in [
            ("http://old.example", "https://old.example/oauth/token/info", "https://old.example"),
            ("old.example", "https://new.example/oauth/token/info", "https://new.example"),
            ("old.example", "https://new.example", "https://new.example"),
            (
                "old.example",
                "https://new.example:8443/git/lab/users/sign_in?x=hunter2",
                "https://new.example:8443/git/lab",
            ),
            ("old.example", "/gitlab/oauth/token/info", "https://old.example/gitlab"),
            ("old.example/gitlab", "//new.example/oauth/token/info", "https://new.example"),
        ] {
            let said = explained_at(gitlab, location, true);
            assert!(
                said.ends_with(&format!("git credential-gitlab link {there}")) && !said.contains("hunter2"),
                "{said}"
            );
        }
    }

    #[test]
    fn nothing_but_the_host_is_shown_of_an_address_that_may_repeat_a_secret() {
        for (location, is_bare, said) in [
            ("https://sso.example/hunter2?code=hunter2#hunter2", true, ", a redirect to https://sso.example"),
            ("https://u:hunter2@sso.example/", true, ", a redirect to https://sso.example; "),
            ("https://new.example/hunter2/oauth/token/info", false, ", a redirect to https://new.example"),
            ("https://new.example/hunter2=/oauth/token/info", true, ", a redirect to https://new.example"),
            ("/hunter2", true, ", a redirect to https://old.example"),
            ("/oauth/token/info?again", true, ", a redirect to https://old.example"),
            ("mailto:hunter2", true, ""),
            ("https://", true, ""),
        ] {
            let found = explained_at("old.example", location, is_bare);
            assert!(found.starts_with(said) && !found.contains("hunter2"), "{location}: {found}");
        }
    }
}
