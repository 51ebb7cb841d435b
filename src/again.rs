//! The command that asks for the same link once more, for whoever has to.

use crate::credential::Attributes;
use crate::protocol::key;
use crate::shell::quoted;

/// The command that asks for the same once more. How long it waits is left out: it was too short, perhaps.
pub fn command(asked: &Attributes) -> String {
    let mut words = vec!["git credential-gitlab link".to_owned()];
    words.extend(asked.text("host").map(quoted));
    for (name, flag) in [
        ("client_id", "--client-id"),
        ("scopes", "--scopes"),
        ("account", "--account"),
        ("store", "--store"),
        (key::MIN_LIFE, "--min-life"),
    ] {
        words.extend(asked.text(name).map(|value| format!("{flag} {}", quoted(value))));
    }
    // Not how, as the way may have been the mistake; and a secret belongs into no command.
    for (name, flag) in [("spare", "--spare"), ("read_only", "--read-only"), ("allow_http", "--allow-http")] {
        words.extend(asked.flag(name).then(|| flag.to_owned()));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_try_again_asks_for_the_same() {
        let asked = Attributes::new().with("timeout", "9").with("client_id", "1a").with("scopes", "read_api it's");
        let asked = asked.with("host", "gitlab.example").with("spare", "1").with(key::MIN_LIFE, "60");
        let expected = r"git credential-gitlab link gitlab.example --client-id 1a --scopes 'read_api it'\''s' --min-life 60 --spare";
        assert_eq!(command(&asked), expected);
    }
}
