//! International host names, which have two spellings: `gitlab.bücher.example` is
//! `gitlab.xn--bcher-kva.example`.
//!
//! Inside this program a GitLab has the second. git hands on whichever stands in the address of a
//! repository, and for an address in the first it applies only the sections of its config that
//! are spelled in the first, too.

use std::borrow::Cow;

use crate::instance::{Instance, NotAnInstance};

/// Older software connects to another host for a name with one of these (`ss` for `ß`) than newer
/// does. Such a name is known by its ASCII spelling alone.
const AMBIGUOUS: [char; 4] = ['ß', 'ς', '\u{200c}', '\u{200d}'];

/// Reads what a person types, in whichever spelling.
pub fn parse(typed: &str) -> Result<Instance, NotAnInstance> {
    let start = typed.find("://").map_or(0, |at| at + 3);
    let end = typed[start..].find('/').map_or(typed.len(), |at| start + at);
    let authority = typed[start..end].trim().to_lowercase();
    let authority = String::from_utf8_lossy(&to_ascii(authority.as_bytes())).into_owned();
    Instance::parse(&[&typed[..start], &authority, &typed[end..]].concat())
}

/// A host, with or without a port, in its ASCII spelling. It may come from an attacker, so only
/// the one canonical Unicode spelling of a name is converted: whatever another program may take
/// for the same name, or for another one, stays as it is and is the name of no GitLab.
pub fn to_ascii(authority: &[u8]) -> Cow<'_, [u8]> {
    let converted = || {
        let authority = str::from_utf8(authority).ok()?;
        let (host, port) = authority.split_at(authority.rfind(':').unwrap_or(authority.len()));
        let ascii = idna::domain_to_ascii(host).ok()?;
        (unicode(&ascii)? == host.to_ascii_lowercase()).then_some(ascii + port)
    };
    match authority.is_ascii() {
        true => authority.into(),
        false => converted().map_or(authority.into(), |ascii| ascii.into_bytes().into()),
    }
}

/// The base URL of a GitLab in each of its spellings, that in ASCII last.
pub fn spellings(instance: &Instance) -> Vec<String> {
    let url = instance.to_string();
    let other = unicode(instance.host()).map(|host| url.replacen(instance.host(), &host, 1));
    other.into_iter().chain([url]).collect()
}

/// The canonical Unicode spelling of a name, if it has one.
fn unicode(ascii: &str) -> Option<String> {
    let (unicode, valid) = idna::domain_to_unicode(ascii);
    (valid.is_ok() && !unicode.is_ascii() && !unicode.contains(AMBIGUOUS)).then_some(unicode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_mean_the_same_gitlab() {
        let url = "https://gitlab.xn--bcher-kva.example";
        for typed in ["gitlab.bücher.example", "GitLab.Bücher.Example.", "HTTPS://gitlab.BÜCHER.example:443/", url] {
            assert_eq!(parse(typed).expect(typed).to_string(), url);
        }
        let below = parse("http://bücher.example:8080/git/lab").expect("an address");
        assert_eq!(below.to_string(), "http://xn--bcher-kva.example:8080/git/lab");
        let spellings = spellings(&below);
        assert_eq!(spellings, ["http://bücher.example:8080/git/lab", "http://xn--bcher-kva.example:8080/git/lab"]);
    }

    #[test]
    fn most_hosts_have_one_spelling() {
        for typed in ["gitlab.example", "https://[::1]:8443", "http://127.0.0.1/x", "xn--999999999.example"] {
            let instance = parse(typed).expect(typed);
            assert_eq!(spellings(&instance), [instance.to_string()]);
            assert_eq!(*to_ascii(instance.authority().as_bytes()), *instance.authority().as_bytes());
        }
    }

    #[test]
    fn what_only_looks_alike_is_the_name_of_no_gitlab() {
        let linked = ["gitlab.example", "gitlab.bücher.example", "xn--strae-oqa.example", "strasse.example", "[::1]"];
        let linked = linked.map(|typed| parse(typed).expect(typed));
        for host in [
            "ｇitlab.example",
            "gitlab。example",
            "gitlab.ex\u{ad}ample",
            "gitlab.e\u{17f}ample",
            "gitlab.bu\u{308}cher.example",
            "gitlab.BÜCHER.example",
            "straße.example",
            "gitlab.bücher.example:",
            "gitlab.bücher.example:4４3",
            "gitlab.bücher.example:8443",
            "gitlab.bücher.example@evil.example",
            "gitlab.bücher.example/",
            "[::１]",
        ] {
            let ascii = to_ascii(host.as_bytes());
            assert!(!linked.iter().any(|it| it.covers(b"https", &ascii, None)), "{host:?}");
        }
        for typed in ["ex ämple", "bücher@evil.example", "straße.example", "ä:ö", "ä..", "ä.example/ö"] {
            assert!(parse(typed).is_err(), "{typed}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(typed in "\\PC{0,40}", bytes: Vec<u8>) {
            let _ = parse(&typed);
            to_ascii(&bytes);
        }
    }
}
