//! cargo, by its own git (libgit2) and by the one that is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::fill;
use crate::support::clients::Desk;
use crate::support::{HELPER, run};

/// What makes cargo run git.
const WITH_CLI: (&str, &str) = ("CARGO_NET_GIT_FETCH_WITH_CLI", "true");

const MANIFEST: &str = "[package]\nname = \"tiny\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";

/// A crate that depends on one in the private `group/app`.
fn crate_with_dependency(desk: &Desk) -> PathBuf {
    fill(desk, &[("Cargo.toml", MANIFEST), ("src/lib.rs", "pub fn one() -> u8 { 1 }\n")]);
    let directory = desk.sandbox.path("crate");
    fs::create_dir_all(directory.join("src")).expect("a directory");
    let dependency = format!("[dependencies]\ntiny = {{ git = \"{}\" }}\n", desk.sandbox.project("group/app"));
    let manifest = MANIFEST.replace("\"tiny\"", "\"uses-tiny\"");
    fs::write(directory.join("Cargo.toml"), format!("{manifest}{dependency}")).expect("written");
    fs::write(directory.join("src/lib.rs"), "pub use tiny::one;\n").expect("written");
    directory
}

/// cargo itself, not rustup's stand-in for it, which looks for its toolchains at home.
fn cargo(desk: &Desk, directory: &Path) -> Command {
    let program = Path::new(env!("CARGO"));
    let mut cargo = desk.command(program, directory);
    cargo.env("CARGO_HOME", desk.sandbox.path("cargo-home")).env("RUSTC", program.with_file_name("rustc"));
    cargo
}

/// Runs `cargo fetch` as if nothing had been fetched before.
fn fetch(desk: &Desk, directory: &Path, settings: &[(&str, &str)]) -> Command {
    // The first one makes none.
    let _ = fs::remove_dir_all(desk.sandbox.path("cargo-home"));
    let mut cargo = cargo(desk, directory);
    // It takes a 401 for trouble on the way, and would try again three times.
    cargo.arg("fetch").env("CARGO_NET_RETRY", "0").envs(settings.iter().copied());
    cargo
}

/// Lets cargo's own git find our helper: it does not look below a host with its port.
fn set_helper_for_host_without_port(desk: &Desk) {
    desk.sandbox.git(["config", "--global", "credential.http://localhost.helper", HELPER]).succeeded();
}

fn has_fetched(desk: &Desk) -> bool {
    desk.sandbox.path("cargo-home/git/checkouts").is_dir()
}

#[test]
fn cargos_own_git_works_where_the_helper_is_set_for_the_host() {
    let desk = Desk::on_localhost();
    let directory = crate_with_dependency(&desk);
    set_helper_for_host_without_port(&desk);
    desk.works(fetch(&desk, &directory, &[]));
    assert!(has_fetched(&desk));
    desk.was_asked(1);
    desk.is_clean();
}

#[test]
fn cargo_with_the_installed_git_works_as_git_does() {
    let desk = Desk::new();
    let directory = crate_with_dependency(&desk);
    desk.works(fetch(&desk, &directory, &[WITH_CLI]));
    assert!(has_fetched(&desk));
    desk.was_asked(1);
    desk.is_clean();
}

#[test]
fn where_cargos_own_git_does_not_ask_the_installed_one_does() {
    let by_number = ("by its number", Desk::new(), [].as_slice());
    let with_port = ("with a port", Desk::on_localhost(), [].as_slice());
    let with_setting = ("with an http setting", Desk::on_localhost(), [("CARGO_HTTP_TIMEOUT", "20")].as_slice());
    // It is not used for this address; that it is there is enough.
    let with_proxy = ("with a proxy", Desk::on_localhost(), [("HTTPS_PROXY", "http://127.0.0.1:9")].as_slice());
    // Asked by number, it would tell the helper no host.
    by_number.1.sandbox.git(["config", "--global", "credential.helper", HELPER]).succeeded();
    set_helper_for_host_without_port(&with_setting.1);
    set_helper_for_host_without_port(&with_proxy.1);
    for (what, desk, settings) in [by_number, with_port, with_setting, with_proxy] {
        let directory = crate_with_dependency(&desk);
        let refused = run::finish(fetch(&desk, &directory, settings), "");
        assert!(refused.code != Some(0) && desk.questions() == 0, "{what}: {refused:?}");
        desk.works(fetch(&desk, &directory, &[settings, &[WITH_CLI]].concat()));
        desk.was_asked(1);
        desk.is_clean();
    }
}

#[test]
fn cargos_own_git_never_says_that_a_token_was_refused_and_status_finds_out() {
    let desk = Desk::on_localhost();
    let directory = crate_with_dependency(&desk);
    set_helper_for_host_without_port(&desk);
    desk.works(fetch(&desk, &directory, &[]));
    // The server ends the token before its time. It is served again and again, until somebody says so.
    desk.sandbox.gitlab.expire_access_tokens("alice");
    for _ in 0..2 {
        let refused = run::finish(fetch(&desk, &directory, &[]), "");
        assert!(refused.code != Some(0) && refused.stderr.contains("credentials were incorrect"), "{refused:?}");
    }
    desk.sandbox.verb(["status", "--check"]).succeeded();
    desk.works(fetch(&desk, &directory, &[]));
    // The login itself is over.
    desk.sandbox.gitlab.revoke_tokens("alice");
    assert_ne!(run::finish(fetch(&desk, &directory, &[]), "").code, Some(0));
    let told = desk.sandbox.verb(["status", "--check"]);
    assert!(told.code != Some(0) && told.stdout.contains("invalid_grant"), "{told:?}");
    desk.sandbox.link();
    desk.works(fetch(&desk, &directory, &[]));
    desk.left_nothing();
}
