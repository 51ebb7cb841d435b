//! What `link`, `unlink` and `configure` say.

use gitlab_stand_in::{Application, Endpoint, Fault, Role, What};

use super::transcript::Transcript;
use crate::support::keyring::Desktop;
use crate::support::tokens::days;
#[cfg(target_os = "linux")]
use crate::support::vault::Vaulted;
use crate::support::{Finished, Sandbox};

/// The words of a link, after the verb.
fn to<'a>(sandbox: &'a Sandbox, more: &[&'a str]) -> Vec<&'a str> {
    [&[sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes"], more].concat()
}

#[test]
fn what_is_read_while_linking_in_a_browser() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.add_user("bob", "Bob");
    sandbox.gitlab.add_user("carol", "Carol");
    let mut page = Transcript::new(&sandbox);
    page.after("Nobody has said which application").verb(&["link", sandbox.gitlab.url()]);
    page.after("With its id").link(&to(&sandbox, &[]), sandbox.browser("alice"));
    page.after("Once more").link(&[sandbox.gitlab.url()], sandbox.browser("alice"));
    page.after("A second account").link(&to(&sandbox, &["--spare"]), sandbox.browser("bob"));
    page.after("Another person than expected").link(&to(&sandbox, &["--account", "alice"]), sandbox.browser("carol"));
    page.after("Consent is denied").link(&to(&sandbox, &[]), sandbox.browser("alice").deny());
    page.after("One that can only read").link(&to(&sandbox, &["--read-only"]), sandbox.browser("alice"));
    page.after("Nobody comes").verb(&[&["link"], &to(&sandbox, &["--web", "--timeout", "1"])[..]].concat());
    page.ends("link-browser");
}

#[test]
fn what_is_read_while_linking_without_a_browser() {
    let sandbox = Sandbox::new();
    let mut page = Transcript::new(&sandbox);
    let words = to(&sandbox, &["--device", "--timeout", "1"]);
    page.after("A code that nobody enters").verb(&[&["link"], &words[..]].concat());
    let words = to(&sandbox, &["--timeout", "1"]);
    page.after("Code and address, and nobody comes").verb(&[&["link"], &words[..]].concat());
    let words = to(&sandbox, &["--paste", "--timeout", "2"]);
    let pasted = "http://127.0.0.1:1/?error=access_denied\nhttps://example.com/\nnothing\n";
    page.after("Addresses that are not the one").verb_with_input(&[&["link"], &words[..]].concat(), pasted);
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::AuthorizeDevice, not_found()) });
    page.after("A GitLab without the device grant").verb(&[&["link"], &to(&sandbox, &["--device"])[..]].concat());
    page.ends("link-elsewhere");
}

fn not_found() -> What {
    What::Status { code: 404, headers: Vec::new(), body: "Not Found".into() }
}

#[test]
fn what_is_read_when_a_link_can_not_begin() {
    let mut sandbox = Sandbox::new();
    let confidential = sandbox.gitlab.add_application(Application { confidential: true, ..Application::default() });
    let deleted = sandbox.gitlab.add_application(Application::default()).client_id;
    sandbox.gitlab.delete_application(&deleted);
    sandbox.set("GIT_CREDENTIAL_GITLAB_STORE", "file");
    let url = sandbox.gitlab.url();
    let mut page = Transcript::new(&sandbox);
    let link = |words: &[&'static str]| [&["link"], words].concat();
    page.after("Not an address").verb(&link(&["http//x y"]));
    page.after("Clear text over a network").verb(&link(&["http://gitlab.example.org", "--client-id", "1a2b3c"]));
    page.after("A name that leads nowhere").verb(&link(&["gitlab.invalid", "--client-id", "1a2b3c"]));
    page.after("Nobody listens").verb(&link(&["http://127.0.0.1:1", "--client-id", "1a2b3c"]));
    page.after("A page of a project").verb(&["link", &format!("{url}/group/app"), "--client-id", "1a2b3c"]);
    page.after("No GitLab").verb(&["link", &format!("{url}/elsewhere"), "--client-id", "1a2b3c", "--timeout", "1"]);
    page.after("An id that the server does not know").verb(&["link", url, "--client-id", "1a2b3c"]);
    page.after("A deleted application").verb(&["link", url, "--client-id", &deleted]);
    page.after("Its secret is missing").verb(&["link", url, "--client-id", &confidential.client_id]);
    let words = ["link", url, "--client-id", &confidential.client_id, "--client-secret-stdin"];
    page.after("A wrong secret").verb_with_input(&words, "wrong\n");
    page.after("A keyring where none is").verb(&["link", url, "--client-id", &sandbox.client_id, "--store", "keyring"]);
    page.after("Two ways at once").verb(&["link", url, "--web", "--device"]);
    page.ends("link-not-begun");
}

#[test]
fn what_is_read_while_linking_with_a_token() {
    let sandbox = Sandbox::new();
    let gitlab = &sandbox.gitlab;
    let mine = gitlab.add_pat("alice", "read_api write_repository self_rotate", Some(days(90))).token;
    let ending = gitlab.add_pat("alice", "read_repository", Some(days(5))).token;
    let useless = gitlab.add_pat("alice", "read_user", None).token;
    let project = gitlab.add_access_token("group/app", "read_repository", Role::Developer, days(60)).token;
    let deploy = gitlab.add_deploy_token("group/app", "read_repository");
    let mut page = Transcript::new(&sandbox);
    let link = ["link", gitlab.url(), "--token-stdin", "--yes"];
    page.after("One of mine").verb_with_input(&link, &mine);
    page.after("One that ends soon, and can only fetch").verb_with_input(&link, &ending);
    page.after("One that git can not use").verb_with_input(&link, &useless);
    page.after("That of a project").verb_with_input(&link, &project);
    page.after("A deploy token").verb_with_input(&link, &deploy.token);
    page.after("Nonsense").verb_with_input(&link, "hunter2 \u{1b}[2J\n");
    page.after("An invented one").verb_with_input(&link, "glpat-aaaaaaaaaaaaaaaaaaaa\n");
    page.after("Nothing").verb_with_input(&link, "");
    page.after("Whose they are").verb(&["status"]);
    page.ends("link-token");
}

#[test]
fn what_is_read_where_there_is_a_keyring() {
    let mut sandbox = Sandbox::new();
    let desktop = Desktop::with_keyring(&mut sandbox);
    let mut page = Transcript::new(&sandbox);
    page.after("Into the keyring").link(&to(&sandbox, &[]), sandbox.browser("alice"));
    page.verb(&["status"]);
    sandbox.verb(["daemon", "stop"]).succeeded();
    desktop.lock();
    page.after("It is locked").get();
    page.verb(&["status"]);
    page.verb(&["unlink"]);
    page.ends("keyring");
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_read_of_the_encryption() {
    let vaulted = Vaulted::new();
    let sandbox = &*vaulted;
    let mut page = Transcript::new(sandbox);
    page.verb(&["vault"]);
    page.verb(&["vault", "unlock"]);
    page.verb(&["vault", "encrypt", "--with", "passphrase"]);
    page.verb_with_input(&["vault", "encrypt", "--passphrase-stdin"], "\n");
    page.verb_with_input(&["vault", "encrypt", "--passphrase-stdin"], "short\n");
    page.verb(&["status"]);
    page.after("Locked").verb(&["vault", "lock"]);
    page.verb(&["vault"]);
    page.get();
    page.verb(&["status"]);
    page.verb(&["status", "--short"]);
    page.verb(&["repos"]);
    page.verb(&["import", "group/app"]);
    page.verb(&["link", sandbox.gitlab.url(), "--client-id", &sandbox.client_id]);
    page.verb(&["vault", "decrypt"]);
    page.after("Unlocked").verb_with_input(&["vault", "unlock", "--passphrase-stdin"], "wrong\n");
    page.verb_with_input(&["vault", "unlock", "--passphrase-stdin"], "short\n");
    page.verb(&["vault", "decrypt"]);
    page.ends("vault");
}

#[test]
fn what_is_read_while_unlinking() {
    let sandbox = crate::accounts::two_accounts();
    let mut page = Transcript::new(&sandbox);
    page.after("Which one?").verb(&["unlink"]);
    page.after("Nobody of that name").verb(&["unlink", "--account", "carol"]);
    page.after("Another GitLab").verb(&["unlink", "gitlab.example.org"]);
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Any, What::Close) });
    page.after("The server is down").verb(&["unlink", "--account", "bob"]);
    page.verb(&["unlink", "--account", "bob", "--local"]);
    sandbox.gitlab.clear_faults();
    page.after("The last one").verb(&["unlink"]);
    page.after("Nobody is left").verb(&["unlink"]);
    page.verb(&["unlink", "--all"]);
    page.ends("unlink");
}

#[test]
fn what_is_read_while_git_is_set_up() {
    let sandbox = Sandbox::new();
    let mut page = Transcript::new(&sandbox);
    page.verb(&["configure", "gitlab.example.org"]);
    page.after("Again").verb(&["configure", "gitlab.example.org"]);
    page.after("With an id for all").verb(&["configure", "gitlab.example.org", "--client-id", "1a2b3c"]);
    sandbox.git(["config", "--global", "--add", "credential.helper", "store"]).succeeded();
    page.after("Somebody else behind ours").verb(&["configure", "gitlab.example.com"]);
    page.after("Back").verb(&["unconfigure", "gitlab.example.org"]);
    let again: Finished = page.verb(&["unconfigure", "gitlab.example.org"]);
    assert!(!again.stderr.is_empty(), "it says that nothing was there");
    page.ends("configure");
}
