//! git config is the person's: ours is added and removed, and nothing else is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{HELPER, Sandbox, make_private, run};

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
fn our_entry_goes_behind_a_helper_that_would_get_the_token_too() {
    let sandbox = Sandbox::new();
    let path = sandbox.home().join(".gitconfig");
    let own = "[credential \"https://gitlab.example.com\"]\n\tusername = me\n[credential]\n\thelper = store\n";
    fs::write(&path, own).expect("written");
    let told = sandbox.verb(["configure", "gitlab.example.com"]).succeeded();
    assert!(!told.stderr.contains("store"), "{told:?}");
    let configured = fs::read_to_string(&path).expect("readable");
    assert!(configured.starts_with(own), "{configured}");
    sandbox.verb(["configure", "gitlab.example.com"]).succeeded();
    assert_eq!(fs::read_to_string(&path).expect("readable"), configured);
    sandbox.verb(["unconfigure", "gitlab.example.com"]).succeeded();
    assert_eq!(fs::read_to_string(&path).expect("readable"), own);
}

#[test]
fn a_helper_in_a_config_that_comes_later_is_named() {
    let mut sandbox = Sandbox::new();
    let system = sandbox.path("system");
    sandbox.set("GIT_CONFIG_SYSTEM", &system);
    sandbox.git(["config", "--global", "credential.helper", "store"]).succeeded();
    let mut configure = sandbox.command(HELPER);
    configure.args(["configure", "--system", "gitlab.example.com"]).env_remove("GIT_CONFIG_NOSYSTEM");
    let told = run::finish(configure, "").succeeded();
    assert!(told.stderr.contains("warning: git also gives") && told.stderr.contains("store"), "{told:?}");
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
    let filled = run::finish(fill, sandbox.question()).succeeded();
    assert_eq!(filled.attribute("password"), Some(sandbox.token()));
    assert!(fs::read_to_string(sandbox.home().join(".gitconfig")).expect("readable").contains(HELPER));
}

/// A helper on PATH that writes down that it was asked.
fn stand_in_helper(sandbox: &mut Sandbox, names: &[&str]) -> std::path::PathBuf {
    let (directory, asked) = (sandbox.path("bin"), sandbox.path("asked"));
    fs::create_dir(&directory).expect("a directory");
    for name in names {
        let program = directory.join(format!("git-credential-{name}"));
        fs::write(&program, format!("#!/bin/sh\necho {name} \"$@\" >> '{}'\n", asked.display())).expect("written");
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    }
    let path = std::env::var("PATH").expect("it is set");
    sandbox.set("PATH", format!("{}:{path}", directory.display()));
    asked
}

#[test]
fn whoever_comes_from_another_helper_links_and_has_moved() {
    // What `git credential-oauth configure` writes, with a GitLab of one's own; and what Git
    // Credential Manager's documentation asks for.
    let oauth = "[credential]\n\thelper = cache2 --timeout 21600\n\thelper = oauth2\n[credential \"{url}\"]\n\t\
                 oauthClientId = {id}\n\toauthScopes = read_api write_repository\n\toauthAuthURL = /oauth/authorize\n\t\
                 oauthTokenURL = /oauth/token\n\toauthDeviceAuthURL = /oauth/authorize_device\n";
    let manager = "[credential]\n\thelper = manager2\n[credential \"{url}\"]\n\tprovider = gitlab\n\t\
                   gitLabDevClientId = {id}\n\tgitLabDevRedirectUri = http://127.0.0.1/\n\tgitLabAuthModes = browser\n";
    // The scopes that the application has there: the Manager asks for these, and for no others.
    for (theirs, scopes) in [(oauth, "read_api write_repository"), (manager, "write_repository read_repository")] {
        let mut sandbox = Sandbox::new();
        sandbox.gitlab.set_scopes(&sandbox.client_id, scopes);
        let asked = stand_in_helper(&mut sandbox, &["cache2", "oauth2", "manager2"]);
        let url = sandbox.gitlab.url().to_owned();
        let config = theirs.replace("{url}", &url).replace("{id}", &sandbox.client_id);
        let file = sandbox.home().join(".gitconfig");
        let before = fs::read_to_string(&file).expect("text") + &config;
        fs::write(&file, &before).expect("written");
        // One command.
        sandbox.link_as("alice", [url.as_str(), "--yes"]).succeeded();
        sandbox.clone("group/app", "app");
        assert!(!asked.exists(), "{:?}", fs::read_to_string(&asked));
        // For every other host they are asked as before, and their settings are as they were.
        sandbox.git(["ls-remote", "https://elsewhere.invalid/x"]).ended_with(128);
        sandbox.verb(["unlink"]).succeeded();
        assert_eq!(fs::read_to_string(&file).expect("text"), before);
    }
}

/// A directory that anybody may look into, and nobody but root may write to.
fn unwritable() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o555)).expect("set");
    directory
}

#[test]
fn who_may_not_write_the_config_of_all_is_told_the_command_that_may() {
    let sandbox = Sandbox::new();
    let directory = unwritable();
    let is_root = run::finish(sandbox.command("id"), "").stdout.starts_with("uid=0");
    // Root may write anywhere, so somebody else does this; one who can get at our programs.
    let somebody = || {
        let mut command = sandbox.command(if is_root { "setpriv" } else { "env" });
        command.args(if is_root { &["--reuid=65534", "--clear-groups", HELPER][..] } else { &[HELPER] });
        command.env("HOME", directory.path()).current_dir("/");
        command.env("GIT_CONFIG_SYSTEM", directory.path().join("gitconfig")).env_remove("GIT_CONFIG_NOSYSTEM");
        command
    };
    let mut can_run = somebody();
    can_run.arg("version");
    if run::finish(can_run, "").code != Some(0) {
        eprintln!("skipped: nobody else can get at the programs here");
        return;
    }
    let mut configure = somebody();
    configure.args(["configure", "gitlab.example.com", "--system", "--client-id", "1a2b3c"]);
    let told = run::finish(configure, "").ended_with(1);
    let command = format!("sudo {HELPER} configure gitlab.example.com --system --client-id 1a2b3c\n");
    assert!(told.stderr.contains("; to do it as root: ") && told.stderr.ends_with(&command), "{told:?}");
}

#[test]
fn a_program_that_others_can_not_run_is_not_given_to_all_without_a_word() {
    let mut sandbox = Sandbox::new();
    let (programs, system) = (sandbox.path("programs"), sandbox.path("gitconfig of the system"));
    make_private(&programs);
    std::os::unix::fs::symlink(HELPER, programs.join("git-credential-gitlab")).expect("a link");
    sandbox.set("PATH", format!("{}:{}", programs.display(), std::env::var("PATH").expect("text")));
    sandbox.set("GIT_CONFIG_SYSTEM", &system);
    sandbox.set("GIT_CONFIG_NOSYSTEM", "0");
    let told = sandbox.verb(["configure", "gitlab.example.com", "--system"]).succeeded();
    let closed = format!("because {} is closed to them", programs.display());
    for part in
        ["warning: others on this machine can't run ", &closed, "/usr/local/bin/git-credential-gitlab configure"]
    {
        assert!(told.stderr.contains(part), "{part:?} in {told:?}");
    }
    // For oneself that is as it should be.
    let told = sandbox.verb(["configure", "gitlab.example.com"]).succeeded();
    assert!(!told.stderr.contains("others on this machine"), "{told:?}");
}
