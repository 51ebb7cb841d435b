//! The pages a person sees when the browser comes back: what happened, and what to do next.
//!
//! Each is one file without a script, and the browser may load nothing for it. They are the same
//! to look at on a phone and a desktop, by day and by night; tests/pages.rs looks at them.

use super::callback::Page;
use crate::daemon::profile::Profile;
use crate::instance::Instance;

/// Nothing of a page may be loaded from elsewhere, kept, framed, or told to others.
pub(super) const HEADERS: [(&str, &str); 7] = [
    ("content-type", "text/html; charset=utf-8"),
    // The hash is that of STYLE. Where it is not, the page stays bare, and the browser's console
    // (in tests/pages.rs: the failure) says what it has to be.
    (
        "content-security-policy",
        "default-src 'none'; style-src 'sha256-1QVKI7P2N+5yRqlXWLpwCBB7IjSDASGarjihOWuVj0o='; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Every colour of a text has a contrast of at least 4.5 to what is behind it, in both schemes.
const STYLE: &str = r#"
:root {
  color-scheme: light dark;
  --ground: #f6f5f3; --sheet: #fff; --line: #dedcd8; --ink: #1d1c22; --soft: #5c5a63;
  --done: #1a7044; --careful: #8f4d00; --failed: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131217; --sheet: #1c1b21; --line: #38363f; --ink: #eeedf1; --soft: #aaa8b2;
    --done: #5cc48c; --careful: #e6b566; --failed: #f58b80;
  }
}
* { box-sizing: border-box; }
body {
  display: grid; align-content: center; justify-items: center; min-height: 100svh; margin: 0; padding: 1.5rem;
  background: var(--ground); color: var(--ink); font: 1.0625rem/1.6 system-ui, sans-serif;
}
main {
  width: 100%; max-width: 34rem; padding: 2.25rem; overflow-wrap: anywhere;
  background: var(--sheet); border: 1px solid var(--line); border-radius: .875rem;
}
svg { display: block; width: 2.75rem; height: 2.75rem; margin-bottom: 1.25rem; }
.done { color: var(--done); }
.careful { color: var(--careful); }
.failed { color: var(--failed); }
h1 { margin: 0; font-size: 1.625rem; font-weight: 650; line-height: 1.25; letter-spacing: -.01em; text-wrap: balance; }
p { margin: .75rem 0 0; text-wrap: pretty; }
p + p { margin-top: 1rem; color: var(--soft); }
a { color: inherit; }
pre {
  margin: .75rem 0 0; padding: .75rem 1rem; white-space: pre-wrap; -webkit-user-select: all; user-select: all;
  background: var(--ground); border: 1px solid var(--line); border-radius: .5rem;
  font: .9375rem/1.6 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace;
}
span { display: inline-block; }
footer { margin-top: 1.25rem; color: var(--soft); font-size: .875rem; text-align: center; }
@media (max-width: 30rem) { body { padding: 1rem; } main { padding: 1.5rem; } }
"#;

/// How it went: told by a shape, by a word, and by a colour.
enum Mark {
    Done,
    Careful,
    Failed,
}

impl Mark {
    fn svg(&self) -> String {
        let (class, word, shape) = match self {
            Self::Done => ("done", "Done", "M7.5 12.5l3 3 6-6.5"),
            Self::Careful => ("careful", "Attention", "M12 7v6m0 3.5v.01"),
            Self::Failed => ("failed", "Failed", "M8.5 8.5l7 7m0-7l-7 7"),
        };
        format!(
            r#"<svg class="{class}" role="img" aria-label="{word}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"><circle cx="12" cy="12" r="10.5"/><path d="{shape}"/></svg>"#
        )
    }
}

/// What there is to do below the last sentence.
enum Action<'a> {
    Nothing,
    /// A command to type in the terminal.
    Type(&'a str),
    /// An address to go to.
    Open(&'a str),
}

const CLOSE: &str = "Go back to the terminal. You can close this page.";
const AGAIN: &str = "To try again, go back to the terminal and type:";
const LOOK: &str = "To see how it stands, go back to the terminal and type:";
const STATUS: Action<'static> = Action::Type("git credential-gitlab status");

/// The account is linked.
pub(super) fn linked(profile: &Profile) -> Page {
    Page::Shown(html(Mark::Done, "Linked", &is_linked(profile), CLOSE, Action::Nothing))
}

/// The same, and it has a spare login.
pub(super) fn linked_with_spare(profile: &Profile) -> Page {
    let what = format!("{} A spare login is ready.", is_linked(profile));
    Page::Shown(html(Mark::Done, "Linked", &what, CLOSE, Action::Nothing))
}

/// The account is linked, but has no spare login: why.
pub(super) fn no_spare(profile: &Profile, why: &str) -> Page {
    let what = format!("{} There is no spare login: {why}", is_linked(profile));
    let command = format!("{} --spare", profile.link_command());
    Page::Shown(html(Mark::Careful, "Linked, without a spare", &what, AGAIN, Action::Type(&command)))
}

/// Nothing is linked: why, and the command that tries again.
pub(super) fn not_linked(why: &str, again: &str) -> Page {
    // In a terminal the command is the end of the sentence; here it is shown below.
    let (why, command) = why.rfind(again).map_or((why, again), |at| why.split_at(at));
    let why = why.trim_end_matches([':', ' ']);
    let why = [", then type", ", then", " To try again"].iter().find_map(|end| why.strip_suffix(end)).unwrap_or(why);
    Page::Shown(html(Mark::Failed, "Not linked", why, AGAIN, Action::Type(command)))
}

/// Nothing is linked, because the person said no, or GitLab did.
pub(super) fn no_consent(error: &str, again: &str) -> Page {
    let said = if error == "access_denied" { String::new() } else { format!(" (GitLab says {error})") };
    not_linked(&format!("Consent was not given{said}, so nothing has changed."), again)
}

/// The terminal has stopped waiting, and then the browser came.
pub(super) fn too_late(instance: &Instance, again: &str) -> Page {
    let what = format!("{} was not linked: the terminal had stopped waiting for you.", instance.short());
    Page::Shown(html(Mark::Failed, "Too late", &what, AGAIN, Action::Type(again)))
}

/// The link takes longer than a browser waits for a page, or broke off.
pub(super) fn unfinished() -> String {
    html(Mark::Careful, "Not finished", "The link takes longer than this page can wait, or it broke off.", LOOK, STATUS)
}

/// A browser that nobody waits for: an old tab, a page opened again, a guess.
pub(super) fn stranger() -> String {
    let what = "It was used already, or belongs to an earlier try. Nothing has changed.";
    html(Mark::Careful, "Nobody waits for this page", what, LOOK, STATUS)
}

/// An address that has no page.
pub(super) fn nothing() -> String {
    let what = "This is where your browser comes back to when you link a GitLab account, and nothing else.";
    html(Mark::Careful, "Nothing here", what, "You can close this page.", Action::Nothing)
}

/// What comes with the way to the second consent, for a browser that does not go by itself.
pub(super) fn onward(url: &str) -> String {
    let what = "Your account is linked. GitLab asks once more, for the spare login.";
    html(Mark::Careful, "One more consent", what, "If your browser does not go there by itself:", Action::Open(url))
}

fn is_linked(profile: &Profile) -> String {
    format!("Your account {} at {} is linked.", profile.username, profile.instance.short())
}

/// A page with these words.
fn html(mark: Mark, title: &str, what: &str, next: &str, action: Action) -> String {
    let end = if what.ends_with(['.', '?', '!']) { "" } else { "." };
    let (mark, title, what, next) = (mark.svg(), escape(title), escape(what), escape(next));
    let action = match action {
        Action::Nothing => String::new(),
        Action::Type(command) => {
            // A line breaks between words, and not after the hyphens of an option.
            let words: Vec<_> = command.split(' ').map(|word| format!("<span>{}</span>", escape(word))).collect();
            format!("<pre><code>{}</code></pre>\n", words.join(" "))
        }
        Action::Open(url) => format!("<p><a href=\"{}\">Go on to GitLab</a></p>\n", escape(url)),
    };
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · git-credential-gitlab</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{mark}
<h1>{title}</h1>
<p>{what}{end}</p>
<p>{next}</p>
{action}</main>
<footer>git-credential-gitlab, on this machine</footer>
</body>
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
        let said = "<script>alert('1')</script>";
        for action in [Action::Nothing, Action::Type(said), Action::Open(said)] {
            let page = html(Mark::Failed, said, said, said, action);
            assert!(!page.contains("<script>"), "{page}");
        }
    }

    #[test]
    fn a_command_is_shown_once() {
        let again = "git credential-gitlab link gitlab.example --account bob";
        let why = format!("you signed in as alice; sign out of GitLab, then type: {again}");
        let Page::Shown(page) = not_linked(&why, again) else { panic!("a page") };
        assert!(page.contains("<p>you signed in as alice; sign out of GitLab.</p>"), "{page}");
        assert_eq!(page.matches("credential-gitlab</span> <span>link").count(), 1, "{page}");
        let why = format!("it is confidential: then give its secret: {again} --client-secret-stdin");
        let Page::Shown(page) = not_linked(&why, again) else { panic!("a page") };
        assert!(page.contains("<p>it is confidential: then give its secret.</p>"), "{page}");
        assert!(page.contains("<span>--client-secret-stdin</span></code>"), "{page}");
    }

    #[test]
    fn a_browser_that_follows_nothing_is_shown_the_way() {
        let page = onward("https://gitlab.example/oauth/authorize?a=1&b=2");
        assert!(page.contains(r#"<a href="https://gitlab.example/oauth/authorize?a=1&amp;b=2">"#), "{page}");
    }
}
