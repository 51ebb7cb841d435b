//! Why a server was not reached: the same sentence wherever that turns out, and the command that
//! mends it where there is one.

use std::borrow::Cow;

/// What happened, for people. `phase` is how far it came (`dns`, `connect`, `tls`, `timeout`; of
/// others nothing is known), `why` what the library says of it, which says more to a search engine.
pub fn cause(phase: &str, why: &str) -> String {
    let says = |part: &str| why.to_ascii_lowercase().contains(part);
    match phase {
        // The only one of its answers that says nothing about the name.
        "dns" if says("temporary failure") || says("try again") => {
            format!("names can't be looked up now ({why}); is this machine online?")
        }
        "dns" => "no host has that name (mistyped?)".into(),
        "connect" if says("refused") => {
            "nothing listens there (connection refused): it is down, or has another port".into()
        }
        "connect" => format!("no way leads there ({})", without_number(why)),
        "tls" => format!("{} ({why})", cause_in_tls(why)),
        "timeout" => "it did not answer in time".into(),
        _ => without_number(why).into_owned(),
    }
}

/// The command that mends it at this base URL. The file is for the person to find.
pub fn mend(why: &str, url: &str) -> Option<String> {
    is_untrusted(why).then(|| format!("git config --global http.{url}/.sslCAInfo FILE"))
}

fn cause_in_tls(why: &str) -> &'static str {
    let says = |part: &str| squeezed(why).contains(part);
    match () {
        () if is_untrusted(why) => "the certificate is signed by an authority that is not trusted here",
        () if says("notvalidyet") => "the certificate is not valid yet; is the clock of this machine right?",
        () if says("expired") => "the certificate has expired",
        () if says("notvalidforname") => "the certificate is for another name",
        () if says("corruptmessage") || says("invalidcontenttype") => {
            "what answers there does not speak TLS; is it http://, or another port?"
        }
        () if says("sslcainfo") => "the file of certificate authorities can't be used",
        () => "the certificate or the encryption is not accepted",
    }
}

/// A bad signature is that of an authority which was made anew under the name of one that is trusted.
fn is_untrusted(why: &str) -> bool {
    ["unknownissuer", "badsignature"].iter().any(|part| squeezed(why).contains(part))
}

/// Names and sentences of the library alike.
fn squeezed(why: &str) -> String {
    why.to_ascii_lowercase().replace(' ', "")
}

/// The operating system's words without the number that they have there.
fn without_number(why: &str) -> Cow<'_, str> {
    match why.split_once(" (os error ").map(|(before, after)| (before, after.split_once(')'))) {
        Some((before, Some((_, after)))) => format!("{before}{after}").into(),
        _ => why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_libraries_are_said_in_those_of_people() {
        for (phase, why, sentence) in [
            ("dns", "Name or service not known", "no host has that name (mistyped?)"),
            ("dns", "nodename nor servname provided, or not known", "no host has that name (mistyped?)"),
            (
                "dns",
                "Temporary failure in name resolution",
                "names can't be looked up now (Temporary failure in name resolution); is this machine online?",
            ),
            (
                "connect",
                "Connection refused (os error 111)",
                "nothing listens there (connection refused): it is down, or has another port",
            ),
            ("connect", "No route to host (os error 113)", "no way leads there (No route to host)"),
            ("timeout", "operation timed out", "it did not answer in time"),
            (
                "tls",
                "invalid peer certificate: UnknownIssuer",
                "the certificate is signed by an authority that is not trusted here (invalid peer certificate: \
                 UnknownIssuer)",
            ),
            (
                "tls",
                "received corrupt message of type InvalidContentType",
                "what answers there does not speak TLS; is it http://, or another port? (received corrupt message of \
                 type InvalidContentType)",
            ),
            ("other", "Broken pipe (os error 32) (through the proxy x)", "Broken pipe (through the proxy x)"),
            ("other", "odd (os error", "odd (os error"),
        ] {
            assert_eq!(cause(phase, why), sentence, "{phase} {why}");
        }
    }

    #[test]
    fn an_authority_that_is_not_trusted_can_be() {
        let command = "git config --global http.https://gitlab.example/git/.sslCAInfo FILE";
        for why in
            ["invalid peer certificate: UnknownIssuer", "unknown issuer", "invalid peer certificate: BadSignature"]
        {
            assert_eq!(mend(why, "https://gitlab.example/git").as_deref(), Some(command));
        }
        assert_eq!(mend("Connection refused", "https://gitlab.example"), None);
    }
}
