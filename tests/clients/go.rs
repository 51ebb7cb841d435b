//! go, with a private module.

use super::{fill, is_installed};
use crate::support::clients::Desk;

#[test]
fn go_gets_a_private_module() {
    if !is_installed("go") {
        return;
    }
    let desk = Desk::new();
    // No module's name has a port in it, so git is told where `gitlab.test` is.
    fill(&desk, &[("go.mod", "module gitlab.test/group/app.git\n"), ("one.go", "package app\n\nconst One = 1\n")]);
    let instead = format!("url.{}/.insteadOf", desk.sandbox.gitlab.url());
    desk.sandbox.git(["config", "--global", &instead, "https://gitlab.test/"]).succeeded();
    let directory = desk.sandbox.path("module");
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::write(directory.join("go.mod"), "module example.com/uses\n").expect("written");
    let go = |words: &[&str]| {
        let mut go = desk.command("go", &directory);
        // `-modcacherw`, or nobody could remove the directory afterwards.
        go.env("GOPRIVATE", "gitlab.test").env("GOFLAGS", "-mod=mod -modcacherw").env("GOTOOLCHAIN", "local");
        go.env("GOPATH", desk.sandbox.path("go")).env("GOCACHE", desk.sandbox.path("go-cache"));
        go.args(words);
        go
    };
    desk.works(go(&["get", "gitlab.test/group/app.git@main"]));
    desk.was_asked_at_most(3);
    let required = std::fs::read_to_string(directory.join("go.mod")).expect("readable");
    assert!(required.contains("gitlab.test/group/app.git v0.0.0-"), "{required}");
    desk.works(go(&["list", "-m", "-versions", "gitlab.test/group/app.git"]));
    desk.was_asked_at_most(3 + 2);
    desk.is_clean();
}
