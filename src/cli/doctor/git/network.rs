//! How git reaches a server: what of its config and environment gets in the way.

use super::settings::{remove, remove_header};
use super::{Settings, View};
use crate::cli::doctor::finding::Finding;
use crate::cli::git_config::Line;
use crate::protocol::Code;

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
    Finding::warn(format!("{text} (http.sslVerify)")).fix_if(line.and_then(remove))
}

/// Where git finds the certificates of the server's authority, and its own: the variable goes before
/// the setting.
const FILES: [(&str, &str); 4] = [
    ("GIT_SSL_CAINFO", "http.sslCAInfo"),
    ("GIT_SSL_CAPATH", "http.sslCAPath"),
    ("GIT_SSL_CERT", "http.sslCert"),
    ("GIT_SSL_KEY", "http.sslKey"),
];

/// `certificate-file`
pub(in crate::cli::doctor) fn certificate_file(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    let mut told = Vec::new();
    for (variable, key) in FILES {
        let value = Settings::value(&settings.http, &key.to_ascii_lowercase()).filter(|value| !value.is_empty());
        let Some((file, source)) =
            view.variable(variable).map(|file| (file, variable)).or(value.map(|file| (file, key)))
        else {
            continue;
        };
        if let Err(why) = open(file) {
            let finding = Finding::fail(Code::Unreachable, format!("{source} names {file}: {why}"));
            return match source == variable {
                true => finding.fix(format!("unset {variable}")),
                false => finding.fix_if(settings.line("http", &key["http.".len()..], file).and_then(remove)),
            };
        }
        told.push(format!("{file} ({source})"));
    }
    match told.is_empty() {
        true => Finding::ok("the system's certificate authorities count"),
        false => Finding::ok(told.join(", ")),
    }
}

/// As git opens a file or directory of its config.
fn open(file: &str) -> std::io::Result<std::fs::File> {
    let path = match (file.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => file.into(),
    };
    let found = std::fs::metadata(&path)?;
    // A pipe would keep us waiting, as it would git.
    match found.is_file() || found.is_dir() {
        true => std::fs::File::open(path),
        false => Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is neither a file nor a directory")),
    }
}

/// `extra-header`: a header of git's config that goes before any helper's answer.
pub(in crate::cli::doctor) fn extra_header(view: &View) -> Finding {
    let settings = match view.settings() {
        Ok(settings) => settings,
        Err(skip) => return skip,
    };
    let is_authorization = |line: &&&Line| {
        line.value.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("authorization"))
    };
    match settings.list("http", "extraHeader").iter().find(is_authorization) {
        // The value is a secret.
        Some(line) => {
            let text = format!(
                "http.extraHeader sends an Authorization of its own ({} in {}), so ours does not count",
                line.key,
                line.origin.trim_start_matches("file:")
            );
            Finding::fail(Code::Failed, text).fix_if(remove_header(line))
        }
        None => Finding::ok("http.extraHeader sends no Authorization"),
    }
}

fn is_false(value: Option<&str>) -> bool {
    value.is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0"))
}
