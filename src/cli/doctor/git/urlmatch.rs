//! Which sections of git's config count for an address, as git-config(1) says of `http.<url>.*`.

/// An address, or the part of one that a section names.
struct Parts<'u> {
    scheme: Option<&'u str>,
    user: Option<&'u str>,
    /// Host and port.
    authority: &'u str,
    /// Without slashes at its end.
    path: &'u str,
}

impl<'u> Parts<'u> {
    fn of(url: &'u str) -> Self {
        let (scheme, rest) = url.split_once("://").map_or((None, url), |(scheme, rest)| (Some(scheme), rest));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, authority) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        Self { scheme, user, authority, path: path.trim_end_matches('/') }
    }

    /// Host and port in lower case, without the port that goes without saying.
    fn host(&self, scheme: Option<&str>) -> String {
        let usual = if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) { ":80" } else { ":443" };
        self.authority.strip_suffix(usual).unwrap_or(self.authority).to_ascii_lowercase()
    }
}

/// Whether a section with this URL in its name counts for the address.
pub(super) fn covers(pattern: &str, url: &str) -> bool {
    let (wanted, given) = (Parts::of(pattern), Parts::of(url));
    let (wanted_host, host) = (wanted.host(given.scheme), given.host(given.scheme));
    let same_label = |(wanted, label): (&str, &str)| wanted == "*" || wanted == label;
    // Only helpers may be set for a scheme or a host alone.
    let same_host = wanted_host.is_empty()
        || (host.split('.').count() == wanted_host.split('.').count()
            && wanted_host.split('.').zip(host.split('.')).all(same_label));
    let same_scheme =
        wanted.scheme.is_none_or(|wanted| given.scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(wanted)));
    let below = given.path.strip_prefix(wanted.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    same_scheme && same_host && below && wanted.user.is_none_or(|wanted| given.user == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_counts_where_git_lets_it_count() {
        let url = "https://alice@gitlab.example/git/group/app.git";
        for pattern in [
            "https://gitlab.example",
            "HTTPS://GitLab.Example:443/",
            "https://alice@gitlab.example/",
            "https://*.example",
            "https://gitlab.example/git/",
            "https://gitlab.example/git/group/app.git",
            "gitlab.example",
        ] {
            assert!(covers(pattern, url), "{pattern}");
        }
        for pattern in [
            "https://other.example",
            "http://gitlab.example",
            "https://bob@gitlab.example",
            "https://gitlab.example:8443",
            "https://gitlab.example/gi",
            "https://gitlab.example/git/group/app.git/more",
        ] {
            assert!(!covers(pattern, url), "{pattern}");
        }
    }
}
