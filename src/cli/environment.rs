//! What the shell that a link is typed in says about the network, for the daemon, which has an
//! environment of its own.

use std::path::Path;

use crate::credential::Attributes;
use crate::protocol::{NETWORK_VARIABLES, key};

/// The variables whose values are paths. The daemon works in another directory than this shell.
const PATHS: [&str; 5] = ["GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY", "SSL_CERT_FILE"];

/// For one link alone, and it is warned of.
const NOT_KEPT: &str = "GIT_SSL_NO_VERIFY";

/// Adds what this process sees to a request.
pub(super) fn add_to(request: &mut Attributes) {
    for name in NETWORK_VARIABLES {
        if let Ok(value) = std::env::var(name) {
            request.push(key::ENVIRONMENT, format!("{name}={}", for_the_daemon(name, value)));
        }
    }
}

/// What is kept of it with the account, for the person: they may not know that a project's
/// settings put it into their shell. Names alone: a proxy's address may have a password in it.
pub(super) fn kept() -> Option<String> {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let names: Vec<&str> = NETWORK_VARIABLES.into_iter().filter(|name| *name != NOT_KEPT).filter(is_set).collect();
    let names = names.split_last().map(|(last, others)| match others {
        [] => (*last).to_owned(),
        others => format!("{} and {last}", others.join(", ")),
    })?;
    Some(format!("from now on it is reached as this shell says, also from elsewhere ({names})"))
}

fn for_the_daemon(name: &str, value: String) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match name {
        "SSL_CERT_DIR" => {
            let directories = std::env::split_paths(&value).map(|path| absolute(&path));
            std::env::join_paths(directories).ok().and_then(|all| all.into_string().ok()).unwrap_or(value)
        }
        name if PATHS.contains(&name) => absolute(Path::new(&value)).into_os_string().into_string().unwrap_or(value),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)] // the list of directories
    #[test]
    fn the_daemon_gets_paths_that_mean_the_same_in_its_directory() {
        let here = std::env::current_dir().expect("a directory").display().to_string();
        for (name, value, sent) in [
            ("GIT_SSL_CAINFO", "ca.pem", format!("{here}/ca.pem")),
            ("SSL_CERT_FILE", "/etc/ca.pem", "/etc/ca.pem".into()),
            ("SSL_CERT_DIR", "/etc/a:b", format!("/etc/a:{here}/b")),
            ("GIT_SSL_CERT", "", String::new()),
            ("no_proxy", "a,b", "a,b".into()),
        ] {
            assert_eq!(for_the_daemon(name, value.into()), sent, "{name}");
        }
    }
}
