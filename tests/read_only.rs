//! An account that can only read, beside the one that can do more: whoever is given the first never
//! gets the second.

use serde_json::json;

use crate::accounts::{ask, assert_403, assert_refused, clone_as, link, of, push, token, two_accounts};
use crate::support::Sandbox;

/// Alice's account and her read-only one.
fn with_read_only() -> Sandbox {
    let sandbox = Sandbox::linked();
    link(&sandbox, "alice", &["--read-only"]).succeeded();
    sandbox
}

#[test]
fn a_read_only_link_is_an_account_of_its_own_beside_the_normal_one() {
    let sandbox = Sandbox::linked();
    let (alice, files) = (sandbox.token(), sandbox.state_files(".json"));
    let told = link(&sandbox, "alice", &["--read-only"]).succeeded();
    assert_eq!(told.stdout, format!("linked {} as alice+read-only\n", sandbox.gitlab.url()));
    assert!(told.stderr.contains("alice+read-only may clone and fetch, not push"), "{told:?}");
    let account = of(&sandbox, "alice+read-only");
    assert_eq!((&account["username"], &account["read_only"]), (&json!("alice"), &json!(true)));
    assert_eq!(account["scopes"], json!(["read_api", "read_repository"]));
    assert_eq!(of(&sandbox, "alice")["read_only"], false);
    let shown = sandbox.verb(["status"]).succeeded().stdout;
    assert!(shown.contains(" as alice+read-only (Alice Doe)\n") && shown.contains("not push"), "{shown}");
    assert_eq!((sandbox.gitlab.live_pairs("alice"), sandbox.token()), (2, alice.clone()));
    assert_eq!(token(&sandbox, "username=alice"), alice);
    assert!(files.iter().all(|file| sandbox.state_files(".json").contains(file)), "the first one's files stay");
    // git, with either.
    push(&sandbox, &sandbox.clone("group/app", "normal")).succeeded();
    let clone = clone_as(&sandbox, "alice+read-only", "group/app");
    assert_403(&push(&sandbox, &clone));
    // Each is renewed, linked again and unlinked by itself.
    sandbox.verb(["daemon", "restart"]).succeeded();
    let weak = token(&sandbox, "username=alice+read-only");
    link(&sandbox, "alice", &["--account", "alice+read-only"]).succeeded();
    assert_ne!(token(&sandbox, "username=alice+read-only"), weak);
    assert_eq!(sandbox.token(), alice);
    sandbox.verb(["unlink", "--account", "alice+read-only"]).succeeded();
    assert_eq!((sandbox.token(), sandbox.gitlab.live_pairs("alice")), (alice, 1));
}

#[test]
fn a_read_only_link_alone_answers_everything_until_there_is_another() {
    let sandbox = Sandbox::new();
    link(&sandbox, "alice", &["--read-only"]).succeeded();
    let weak = sandbox.token();
    for more in ["username=alice", "username=alice+read-only", "path=group/app.git", "username=git"] {
        assert_eq!(token(&sandbox, more), weak, "{more}");
    }
    assert_403(&push(&sandbox, &sandbox.clone("group/app", "app")));
    // It is still her who answers to her name, not somebody else who may do more.
    sandbox.gitlab.add_user("bob", "Bob");
    link(&sandbox, "bob", &["--scopes", "read_api write_repository"]).succeeded();
    assert_eq!(token(&sandbox, "username=alice"), weak);
    assert_ne!(sandbox.token(), weak);
    sandbox.verb(["unlink", "--account", "bob"]).succeeded();
    // The application is known already; the full account answers from now on.
    let told = sandbox.link_as("alice", [sandbox.gitlab.url(), "--account", "alice", "--yes"]).succeeded();
    assert!(told.stderr.contains("alice may clone, fetch and push, and list projects"), "{told:?}");
    assert_eq!(
        (sandbox.token(), token(&sandbox, "username=alice+read-only")),
        (token(&sandbox, "username=alice"), weak)
    );
    sandbox.git_in(&sandbox.path("app"), ["push", "--quiet"]).succeeded();
}

#[test]
fn a_group_can_be_given_to_the_read_only_account() {
    let sandbox = with_read_only();
    sandbox.verb(["use", "alice+read-only", "--for", "group/app"]).succeeded();
    let clone = sandbox.clone("group/app", "app");
    assert_403(&push(&sandbox, &clone));
    sandbox.verb(["use", "alice", "--for", "group/app"]).succeeded();
    push(&sandbox, &clone).succeeded();
    // By default it answers only where the person says so.
    sandbox.verb(["use", "alice+read-only"]).succeeded();
    assert_eq!(sandbox.token(), token(&sandbox, "username=alice+read-only"));
}

#[test]
fn the_environment_names_an_account_and_nothing_goes_before_it() {
    let mut sandbox = with_read_only();
    let weak = token(&sandbox, "username=alice+read-only");
    sandbox.set("GIT_CREDENTIAL_GITLAB_ACCOUNT", "alice+read-only");
    for more in ["", "username=alice", "path=group/app.git", "account=alice"] {
        assert_eq!(token(&sandbox, more), weak, "{more}");
    }
    assert_403(&push(&sandbox, &sandbox.clone("group/app", "app")));
    assert_403(&push(&sandbox, &clone_as(&sandbox, "alice", "group/app")));
    sandbox.set("GIT_CREDENTIAL_GITLAB_ACCOUNT", "ALICE");
    push(&sandbox, &sandbox.clone("group/app", "again")).succeeded();
}

#[test]
fn an_account_that_is_asked_for_and_not_linked_is_replaced_by_no_other() {
    let mut sandbox = two_accounts();
    let url = sandbox.gitlab.url().to_owned();
    assert_refused(&ask(&sandbox, "username=alice+read-only"), &["the address asks for alice+read-only"]);
    assert_refused(&ask(&sandbox, "username=$(id)+read-only"), &["asks for an account that is not linked"]);
    sandbox.set("GIT_CREDENTIAL_GITLAB_ACCOUNT", "alice+read-only");
    let why = ["alice+read-only", "not linked there (linked: alice and bob)", "link http", "--account alice+read-only"];
    assert_refused(&ask(&sandbox, ""), &why);
    assert_refused(&ask(&sandbox, "username=bob"), &why);
    let cloned = sandbox.git(["clone", "--quiet", &sandbox.project("group/app"), "app"]);
    assert!(cloned.code != Some(0) && cloned.stderr.contains("told us to quit"), "{cloned:?}");
    let foreign = sandbox.helper("get", "protocol=https\nhost=github.com\n").succeeded();
    assert_eq!((foreign.stdout.as_str(), foreign.stderr.as_str()), ("", ""));
    sandbox.set("GIT_CREDENTIAL_GITLAB_ACCOUNT", "");
    sandbox.token();
    // Nor one that git config has for a path.
    sandbox.git(["config", "--global", &format!("credential.{url}/work.gitlabAccount"), "carol"]).succeeded();
    sandbox.verb(["daemon", "restart"]).succeeded();
    assert_refused(&ask(&sandbox, "path=work/api.git"), &["/work.gitlabAccount", "carol"]);
    assert_eq!(token(&sandbox, "path=group/app.git"), sandbox.token());
}

#[test]
fn a_read_only_link_never_asks_for_more() {
    let sandbox = Sandbox::linked();
    let url = sandbox.gitlab.url();
    sandbox.git(["config", "--global", &format!("credential.{url}.oauthScopes"), "api"]).succeeded();
    link(&sandbox, "alice", &["--read-only"]).succeeded();
    assert_eq!(of(&sandbox, "alice+read-only")["scopes"], json!(["read_api", "read_repository"]));
    let words = ["link", url, "--account", "alice+read-only", "--scopes", "read_api write_repository"];
    let refused = sandbox.verb(words).ended_with(2);
    assert!(refused.stderr.contains("write_repository"), "{refused:?}");
}

#[test]
fn link_and_status_say_what_the_token_may_do() {
    for (scopes, may, warned) in [
        ("read_api write_repository", "alice may clone, fetch and push, and list projects", false),
        ("read_api read_repository", "alice may clone and fetch, not push", false),
        ("api", "alice may clone, fetch and push, and everything else", false),
        ("read_user", "warning: alice may do nothing with git (read_user)", true),
    ] {
        let sandbox = Sandbox::new();
        let told = link(&sandbox, "alice", &["--scopes", scopes]).succeeded();
        assert!(told.stderr.contains(may), "{told:?}");
        assert_eq!(told.stderr.contains("--scopes"), warned, "{told:?}");
        let rights = may.split_once("may").expect("a verb").1.split(" (").next().expect("something");
        assert!(sandbox.verb(["status"]).stdout.contains(&format!("  may{rights}")), "{scopes}");
    }
}
