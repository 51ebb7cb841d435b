//! git config is the person's: ours is added and removed, and nothing else is touched.

use std::fs;

use crate::support::{HELPER, Sandbox};

#[test]
fn other_helpers_and_comments_stay_as_they_are() {
    let sandbox = Sandbox::new();
    let path = sandbox.home().join(".gitconfig");
    let own = "# my own\n[credential]\n\thelper = cache --timeout 900\n[credential \"https://github.com\"]\n\thelper = !gh auth git-credential\n[alias]\n\tst = status # short\n";
    fs::write(&path, own).expect("written");
    sandbox.verb(["configure", "gitlab.example.com"]).succeeded();
    let configured = fs::read_to_string(&path).expect("readable");
    assert!(configured.starts_with(own), "{configured}");
    assert!(configured.contains("[credential \"https://gitlab.example.com\"]"), "{configured}");
    sandbox.verb(["unconfigure", "gitlab.example.com"]).succeeded();
    assert_eq!(fs::read_to_string(&path).expect("readable"), own);
}

#[test]
fn a_helper_that_would_get_the_token_too_is_named() {
    let sandbox = Sandbox::new();
    let path = sandbox.home().join(".gitconfig");
    fs::write(&path, "[credential \"https://gitlab.example.com\"]\n\tusername = me\n[credential]\n\thelper = store\n")
        .expect("written");
    let told = sandbox.verb(["configure", "gitlab.example.com"]).succeeded();
    assert!(told.stderr.contains("store"), "{told:?}");
}

#[test]
fn a_broken_git_config_is_named_and_left_alone() {
    let sandbox = Sandbox::new();
    let path = sandbox.home().join(".gitconfig");
    fs::write(&path, "[user\nname = x\n").expect("written");
    for words in [&["configure", "gitlab.example.com"][..], &["link", "gitlab.example.com", "--client-id", "x"]] {
        let told = sandbox.verb(words.iter().copied());
        assert_ne!(told.code, Some(0), "{told:?}");
        assert!(told.stderr.contains(".gitconfig"), "{told:?}");
    }
    assert_eq!(fs::read_to_string(&path).expect("readable"), "[user\nname = x\n");
}

#[test]
fn git_asks_only_us_for_a_configured_host() {
    let sandbox = Sandbox::new();
    sandbox.git(["config", "--global", "credential.helper", "!echo password=stolen; echo username=x; :"]).succeeded();
    sandbox.link();
    let mut fill = sandbox.command("git");
    fill.args(["credential", "fill"]);
    let filled = crate::support::run::finish(fill, sandbox.question()).succeeded();
    assert_eq!(filled.attribute("password"), Some(sandbox.token()));
    assert!(fs::read_to_string(sandbox.home().join(".gitconfig")).expect("readable").contains(HELPER));
}
