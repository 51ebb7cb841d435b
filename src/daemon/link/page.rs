//! The page a person sees when the browser comes back: self-contained, and readable anywhere.

use super::loopback::Page;
use crate::daemon::profile::Profile;

/// Nothing of the page may be loaded from elsewhere, kept, or told to others.
pub(super) const HEADERS: [(&str, &str); 5] = [
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

/// The account is linked.
pub(super) fn linked(profile: &Profile) -> Page {
    Page::Shown(html("Linked", &format!("{} You can close this page.", acts_as(profile))))
}

/// The same, and it has a spare login.
pub(super) fn linked_with_spare(profile: &Profile) -> Page {
    let text = format!("{} A spare login is ready. You can close this page.", acts_as(profile));
    Page::Shown(html("Linked", &text))
}

/// The account is linked, but has no spare login: why.
pub(super) fn no_spare(profile: &Profile, why: &str) -> Page {
    let text = format!("{} There is no spare login: {why}. You can close this page.", acts_as(profile));
    Page::Shown(html("Linked, without a spare", &text))
}

/// Nothing is linked: why.
pub(super) fn not_linked(why: &str) -> Page {
    Page::Shown(html("Not linked", why))
}

fn acts_as(profile: &Profile) -> String {
    format!("git now acts as {} at {}.", profile.username, profile.instance)
}

/// A page with these words.
pub(super) fn html(title: &str, text: &str) -> String {
    let (title, text) = (escape(title), escape(text));
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · git-credential-gitlab</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto 0; padding: 0 1.5rem; }}
h1 {{ font-size: 1.6rem; margin: 0 0 .5rem; }}
p {{ margin: 0; overflow-wrap: anywhere; }}
</style>
<main>
<h1>{title}</h1>
<p>{text}</p>
</main>
</html>
"#
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_text_and_nothing_else() {
        let page = html("Not linked", "<script>alert('1')</script>");
        assert!(!page.contains("<script>"), "{page}");
    }
}
