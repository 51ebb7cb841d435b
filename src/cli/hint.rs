//! What to look for when no browser comes back.
//!
//! A GitLab that does not like the application says so on a page of its own, and sends the browser
//! nowhere. Nobody here can see that, so after a while it is said unasked.

use std::time::Duration;

use super::call::text;
use crate::credential::Attributes;

/// Who signs in and agrees needs about as long, a second factor included; and a page with an error
/// has not been looked at for much longer.
const LOOK_AFTER: Duration = Duration::from_secs(45);

/// Said once, at most.
#[derive(Debug)]
pub(super) struct Hint(Option<String>);

impl Hint {
    /// What the application has to be like, and what else can be done.
    pub(super) fn new(block: &Attributes, another_way: Option<&str>) -> Self {
        let value = |key| Some(text(block, key)).filter(|value| !value.is_empty());
        let named = |what: &str, key| value(key).map_or_else(|| what.into(), |value| format!("{what} ({value})"));
        let mut hint = format!(
            "No browser has come back yet. If it shows an error of GitLab, compare the application there: {}, {}, {}, \
             and \"Confidential\" not ticked unless you gave its secret. If GitLab wants your e-mail address confirmed, \
             do that, then open the address again.",
            named("its id", "client_id"),
            named("redirect URI", "registered_redirect_uri"),
            named("scopes", "scopes"),
        );
        if let Some(way) = another_way {
            hint += &format!(" Another way is a code: {way}");
        }
        Self(Some(hint))
    }

    /// The text, the first time that so long was waited.
    pub(super) fn after(&mut self, waited: Duration) -> Option<String> {
        if waited < LOOK_AFTER { None } else { self.0.take() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_and_not_too_early() {
        let mut hint = Hint::new(&Attributes::new(), None);
        assert_eq!(hint.after(Duration::from_secs(44)), None);
        assert!(hint.after(LOOK_AFTER).is_some());
        assert_eq!(hint.after(LOOK_AFTER * 2), None);
    }

    #[test]
    fn it_names_what_can_be_compared_and_another_way() {
        let block = Attributes::new()
            .with("client_id", "1a2b3c")
            .with("registered_redirect_uri", "http://127.0.0.1")
            .with("scopes", "read_api write_repository");
        let said = |block, way| Hint::new(block, way).after(LOOK_AFTER).expect("long enough");
        let text = said(&block, Some("type d"));
        for part in [
            "its id (1a2b3c), redirect URI (http://127.0.0.1), scopes (read_api write_repository), and",
            "e-mail",
            "a code: type d",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        // A daemon of before does not say what it asks for.
        assert!(said(&Attributes::new(), None).contains("its id, redirect URI, scopes, and"));
    }
}
