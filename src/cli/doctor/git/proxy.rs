//! The proxy that git goes by: which one is set, where, and whether anything listens there.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::settings::remove;
use super::{Settings, View};
use crate::cli::doctor::finding::Finding;
use crate::cli::doctor::remote::Remote;
use crate::protocol::Code;

/// A proxy is near.
const CONNECTED_WITHIN: Duration = Duration::from_secs(3);

/// What git is told about a proxy.
struct Told<'v> {
    /// Empty: none.
    url: &'v str,
    /// Its setting, for a sentence.
    place: String,
    /// The command that removes the setting.
    undo: Option<String>,
}

/// What git goes by, in git's own order: that of the remote, of the config, of the environment.
fn told(view: &View) -> Result<Option<Told<'_>>, Finding> {
    let settings = view.settings()?;
    let of_remote = view.name.as_ref().and_then(|name| {
        let key = format!("remote.{}.proxy", name.name);
        settings.lines.iter().rfind(|line| line.key == key)
    });
    let of_http = || {
        let value = Settings::value(&settings.http, "http.proxy")?;
        Some((value, settings.line("http", "proxy", value)))
    };
    if let Some((url, line)) = of_remote.map(|line| (line.value.as_str(), Some(line))).or_else(of_http) {
        let place = line.map_or_else(
            || "http.proxy".into(),
            |line| format!("{} in {}", line.key, line.origin.trim_start_matches("file:")),
        );
        return Ok(Some(Told { url, place, undo: line.and_then(remove) }));
    }
    // As curl reads them: http_proxy counts in lower case alone.
    let names: &[&str] = match view.instance.to_string().starts_with("https:") {
        true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => &["http_proxy", "all_proxy", "ALL_PROXY"],
    };
    let found = names.iter().find_map(|name| Some((name, view.variable(name)?)));
    Ok(found.map(|(name, url)| Told {
        url,
        place: format!("{name} in the environment"),
        undo: Some(format!("unset {name}")),
    }))
}

/// Whether git goes past every proxy to this host, whoever names one.
fn is_excepted(view: &View) -> bool {
    let exceptions = ["no_proxy", "NO_PROXY"].iter().find_map(|name| view.variable(name)).unwrap_or_default();
    let authority = view.instance.authority();
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
    let mut names = exceptions.split(',').map(|name| name.trim().trim_start_matches('.'));
    names.any(|name| name == "*" || (!name.is_empty() && (host == name || host.ends_with(&format!(".{name}")))))
}

/// Tries whether the proxy's port can be connected to: why not.
pub(in crate::cli::doctor) fn refusal(view: &View) -> Option<String> {
    let is_asked = !matches!(view.remote(), Some(Remote::Ssh { .. } | Remote::Other));
    let told = told(view).ok()??;
    let at = address(told.url).filter(|_| is_asked && !is_excepted(view))?;
    let (sender, answer) = mpsc::channel();
    // Nothing bounds how long a name is looked up, so nobody waits for this thread.
    thread::spawn(move || drop(sender.send(connect(&at))));
    answer.recv_timeout(CONNECTED_WITHIN).unwrap_or_else(|_| Err("it did not answer in time".into())).err()
}

fn connect(at: &(String, u16)) -> Result<(), String> {
    let addresses = (at.0.as_str(), at.1).to_socket_addrs().map_err(|why| why.to_string())?;
    let mut last = Err("its name leads to no address".to_owned());
    for address in addresses {
        last = TcpStream::connect_timeout(&address, CONNECTED_WITHIN).map(drop).map_err(|why| why.to_string());
        if last.is_ok() {
            break;
        }
    }
    last
}

/// The host and port of a proxy, as curl reads them; none if it is no address.
fn address(url: &str) -> Option<(String, u16)> {
    let shown = without_user(url);
    let (scheme, authority) = shown.split_once("://").unwrap_or(("http", &shown));
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, if scheme.eq_ignore_ascii_case("https") { 443 } else { 1080 }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// `proxy`
pub(in crate::cli::doctor) fn proxy(view: &View) -> Finding {
    let Told { url, place, undo } = match told(view) {
        Ok(Some(told)) => told,
        Ok(None) => return Finding::ok("none is set"),
        Err(skip) => return skip,
    };
    let shown = without_user(url);
    match &view.proxy_refusal {
        _ if url.is_empty() => Finding::ok(format!("none: {place} is empty")),
        _ if is_excepted(view) => Finding::ok(format!("none: {} is in no_proxy", view.instance.authority())),
        None => Finding::ok(format!("{shown}, from {place}")),
        Some(why) => {
            let text = format!("git goes to {} by the proxy {shown} ({place}), which fails: {why}", view.instance);
            Finding { fix: undo, ..Finding::fail(Code::Unreachable, text) }
        }
    }
}

/// An address without the user name and password of its front.
fn without_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host =
        rest.rsplit_once('@').map_or(authority, |(_, after)| after.split(['/', '?', '#']).next().unwrap_or_default());
    if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_found_where_curl_looks_for_it() {
        for (url, host, port) in [
            ("http://me:secret@proxy.example:3128/", "proxy.example", 3128),
            ("proxy.example", "proxy.example", 1080),
            ("https://proxy.example", "proxy.example", 443),
            ("socks5h://[::1]:9", "::1", 9),
            ("http://[::1]", "::1", 1080),
        ] {
            assert_eq!(address(url), Some((host.to_owned(), port)), "{url}");
        }
        assert_eq!(address(""), None);
        assert_eq!(address("http://h:port"), None);
    }
}
