//! How git reaches a server: what of its config and environment gets in the way.

use super::{Settings, View, remove, with_fix};
use crate::cli::doctor::finding::Finding;
use crate::protocol::Code;

/// `proxy`
pub(in crate::cli::doctor) fn proxy(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    if let Some(proxy) = Settings::value(&settings.http, "http.proxy") {
        return match proxy.is_empty() {
            true => Finding::ok("git's config says: none (an empty http.proxy)"),
            false => Finding::ok(format!("{}, from git's config (http.proxy)", without_user(proxy))),
        };
    }
    // As curl reads them: http_proxy counts in lower case alone.
    let names: &[&str] = match view.instance.to_string().starts_with("https:") {
        true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => &["http_proxy", "all_proxy", "ALL_PROXY"],
    };
    let Some((name, proxy)) = names.iter().find_map(|name| Some((name, view.variable(name)?))) else {
        return Finding::ok("none is set");
    };
    let exceptions = ["no_proxy", "NO_PROXY"].iter().find_map(|name| view.variable(name)).unwrap_or_default();
    let authority = view.instance.authority();
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
    let excepted = exceptions
        .split(',')
        .map(|name| name.trim().trim_start_matches('.'))
        .any(|name| name == "*" || (!name.is_empty() && (host == name || host.ends_with(&format!(".{name}")))));
    match excepted {
        true => Finding::ok(format!("none: {host} is in no_proxy")),
        false => Finding::ok(format!("{}, from {name} in the environment", without_user(proxy))),
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

/// `certificate-check`
pub(in crate::cli::doctor) fn certificate_check(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    let text = "git does not check certificates, so whoever is on the way can read your tokens";
    if view.variable("GIT_SSL_NO_VERIFY").is_some() {
        return Finding::warn(format!("{text} (GIT_SSL_NO_VERIFY)")).fix("unset GIT_SSL_NO_VERIFY");
    }
    let value = Settings::value(&settings.http, "http.sslverify");
    if !is_false(value) {
        return Finding::ok("git checks certificates");
    }
    let line = settings.line("http", "sslverify", value.unwrap_or_default());
    with_fix(Finding::warn(format!("{text} (http.sslVerify)")), line.and_then(remove))
}

/// `certificate-file`
pub(in crate::cli::doctor) fn certificate_file(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    let value = Settings::value(&settings.http, "http.sslcainfo").filter(|value| !value.is_empty());
    let (file, source) = match (view.variable("GIT_SSL_CAINFO"), value) {
        (Some(file), _) => (file, "GIT_SSL_CAINFO"),
        (None, Some(file)) => (file, "http.sslCAInfo"),
        (None, None) => return Finding::ok("the system's certificate authorities count"),
    };
    let path = match (file.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => file.into(),
    };
    match std::fs::File::open(&path) {
        Ok(_) => Finding::ok(format!("{file} ({source})")),
        Err(why) => {
            let finding = Finding::fail(Code::Unreachable, format!("{source} names {file}: {why}"));
            match source {
                "GIT_SSL_CAINFO" => finding.fix("unset GIT_SSL_CAINFO"),
                _ => with_fix(finding, settings.line("http", "sslcainfo", file).and_then(remove)),
            }
        }
    }
}

/// `extra-header`: a header of git's config that goes before any helper's answer.
pub(in crate::cli::doctor) fn extra_header(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    // An empty one clears those before it.
    let values = settings.http.iter().filter(|(key, _)| key == "http.extraheader").map(|(_, value)| value.as_str());
    let counting = values.rev().take_while(|value| !value.is_empty());
    let authorization =
        |value: &&str| value.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("authorization"));
    match counting.clone().find(authorization) {
        // The value is a secret.
        Some(value) => {
            let line = settings.line("http", "extraheader", value);
            let place = line.map(|line| format!(" ({} in {})", line.key, line.origin.trim_start_matches("file:")));
            let text = format!(
                "http.extraHeader sends an Authorization of its own{}, so ours does not count",
                place.unwrap_or_default()
            );
            with_fix(Finding::fail(Code::Failed, text), line.and_then(remove))
        }
        None => Finding::ok("http.extraHeader sends no Authorization"),
    }
}

fn is_false(value: Option<&str>) -> bool {
    value.is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0"))
}
