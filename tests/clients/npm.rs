//! npm, with a package from git.

use std::process::Command;

use super::{fill, is_installed};
use crate::support::clients::Desk;

/// npm, with nothing of this machine and no registry.
fn npm(desk: &Desk) -> Command {
    let mut npm = desk.command("npm", &desk.sandbox.home());
    npm.args(["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=silly"]);
    // Nobody listens there.
    npm.env("npm_config_registry", "http://127.0.0.1:9/").env("npm_config_cache", desk.sandbox.path("npm-cache"));
    npm
}

#[test]
fn npm_installs_a_package_from_git_twice() {
    if !is_installed("npm") {
        return;
    }
    let desk = Desk::new();
    fill(
        &desk,
        &[("package.json", "{\"name\": \"tiny\", \"version\": \"1.0.0\"}\n"), ("index.js", "module.exports = 1\n")],
    );
    let home = desk.sandbox.home();
    std::fs::write(home.join("package.json"), "{\"name\": \"home\", \"version\": \"1.0.0\"}\n").expect("written");
    let mut install = npm(&desk);
    install.arg("install").arg(format!("git+{}", desk.sandbox.project("group/app")));
    desk.works(install);
    assert!(home.join("node_modules/tiny/index.js").is_file());
    desk.was_asked_at_most(4);
    std::fs::remove_dir_all(home.join("node_modules")).expect("removed");
    let mut again = npm(&desk);
    again.arg("ci");
    desk.works(again);
    assert!(home.join("node_modules/tiny/index.js").is_file());
    desk.was_asked_at_most(4 + 2);
    desk.is_clean();
}
