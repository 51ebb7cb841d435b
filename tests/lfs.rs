//! git-lfs works as git does: up and down, with locks, and while tokens end.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gitlab_stand_in::{Endpoint, Fault, Request, Role, What};

use crate::accounts::{link, two_accounts};
use crate::support::clients::Desk;
use crate::support::{PATIENCE, Started, gits};

/// So much that it comes in many pieces.
const FIVE_MEGABYTES: usize = 5_000_000;

/// Bytes that no compression makes fewer.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(length).collect()
}

/// A desk with LFS set up for the person.
fn desk() -> Desk {
    let desk = Desk::new();
    install(&desk);
    desk
}

/// For every clone that comes.
fn install(desk: &Desk) {
    desk.sandbox.git(["lfs", "install", "--skip-repo"]).succeeded();
}

/// A clone in which `*.bin` is kept by LFS.
fn clone(desk: &Desk, project: &str, to: &str) -> PathBuf {
    let clone = desk.sandbox.clone(project, to);
    desk.sandbox.git_in(&clone, ["lfs", "install", "--local"]).succeeded();
    desk.sandbox.git_in(&clone, ["lfs", "track", "*.bin"]).succeeded();
    clone
}

/// Commits all there is.
fn commit(desk: &Desk, clone: &Path, message: &str) {
    desk.sandbox.git_in(clone, ["add", "--all"]).succeeded();
    desk.sandbox.git_in(clone, ["commit", "--quiet", "-m", message]).succeeded();
}

/// A commit with so many small objects.
fn commit_objects(desk: &Desk, clone: &Path, count: u64) {
    for number in 0..count {
        fs::write(clone.join(format!("{number}.bin")), noise(number, 100)).expect("written");
    }
    commit(desk, clone, "many");
}

fn is_lfs(request: &Request) -> bool {
    matches!(request.endpoint, Endpoint::Lfs | Endpoint::LfsObject)
}

fn is_upload(request: &Request) -> bool {
    request.endpoint == Endpoint::LfsObject && request.method == "PUT"
}

fn uploads(requests: &[Request]) -> usize {
    requests.iter().filter(|it| is_upload(it)).count()
}

#[test]
fn five_megabytes_go_up_and_come_down_again_with_every_git() {
    for git in gits() {
        let mut desk = desk();
        desk.sandbox.use_git(&git);
        let first = clone(&desk, "group/app", "first");
        desk.was_asked(1);
        let content = noise(7, FIVE_MEGABYTES);
        fs::write(first.join("large.bin"), &content).expect("written");
        commit(&desk, &first, "large");
        desk.sandbox.git_in(&first, ["push", "--quiet"]).succeeded();
        // git, the locks, and the batch.
        desk.was_asked(1 + 3);
        // What is checked out comes by LFS's filter.
        let smudged = desk.sandbox.clone("group/app", "smudged");
        assert!(fs::read(smudged.join("large.bin")).expect("there") == content, "{git:?}");
        desk.was_asked(4 + 2);
        // The other way: pointers first, then all of them at once.
        desk.sandbox.set("GIT_LFS_SKIP_SMUDGE", "1");
        let pulled = desk.sandbox.clone("group/app", "pulled");
        assert!(fs::read(pulled.join("large.bin")).expect("there").starts_with(b"version https://git-lfs"));
        desk.sandbox.unset("GIT_LFS_SKIP_SMUDGE");
        desk.sandbox.git_in(&pulled, ["lfs", "pull"]).succeeded();
        assert!(fs::read(pulled.join("large.bin")).expect("there") == content, "{git:?}");
        desk.was_asked(6 + 2);
        assert_eq!(uploads(&desk.sandbox.gitlab.requests()), 1);
        desk.is_clean();
    }
}

#[test]
fn files_are_locked_listed_and_unlocked() {
    let desk = desk();
    let clone = clone(&desk, "group/app", "app");
    fs::write(clone.join("large.bin"), "x").expect("written");
    commit(&desk, &clone, "one");
    desk.sandbox.git_in(&clone, ["push", "--quiet"]).succeeded();
    let lfs = |words: &[&str]| desk.sandbox.git_in(&clone, [&["lfs"], words].concat());
    assert!(lfs(&["lock", "large.bin"]).succeeded().stdout.contains("Locked large.bin"));
    let listed = lfs(&["locks"]).succeeded().stdout;
    assert!(listed.contains("large.bin") && listed.contains("Alice Doe"), "{listed}");
    let again = lfs(&["lock", "large.bin"]);
    assert!(again.code != Some(0) && format!("{again:?}").contains("already"), "{again:?}");
    assert!(lfs(&["unlock", "large.bin"]).succeeded().stdout.contains("Unlocked large.bin"));
    assert!(!lfs(&["locks"]).succeeded().stdout.contains("large.bin"));
    desk.is_clean();
}

#[test]
fn a_reporter_may_pull_and_is_refused_a_push_in_gitlabs_words() {
    let desk = desk();
    let clone = clone(&desk, "group/app", "app");
    fs::write(clone.join("large.bin"), noise(1, 1000)).expect("written");
    commit(&desk, &clone, "one");
    desk.sandbox.git_in(&clone, ["push", "--quiet"]).succeeded();
    desk.sandbox.gitlab.grant("alice", "group/app", Role::Reporter);
    let other = desk.sandbox.clone("group/app", "other");
    assert_eq!(fs::read(other.join("large.bin")).expect("there").len(), 1000);
    let token = desk.sandbox.token();
    fs::write(clone.join("more.bin"), noise(2, 1000)).expect("written");
    commit(&desk, &clone, "two");
    // git itself is refused before LFS is asked, so LFS is asked alone.
    let refused = desk.sandbox.git_in(&clone, ["lfs", "push", "origin", "main"]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("Access forbidden. Check your access level."), "{refused:?}");
    let refused = desk.sandbox.git_in(&clone, ["lfs", "lock", "large.bin"]);
    assert!(refused.code != Some(0) && format!("{refused:?}").contains("Access forbidden"), "{refused:?}");
    assert_eq!(desk.sandbox.token(), token, "no login was lost");
    desk.is_clean();
}

#[test]
fn a_token_that_ends_between_gits_push_and_lfs_costs_one_push() {
    let desk = desk();
    let clone = clone(&desk, "group/app", "app");
    fs::write(clone.join("large.bin"), noise(1, 1000)).expect("written");
    commit(&desk, &clone, "one");
    let gitlab = &desk.sandbox.gitlab;
    gitlab.fault(Fault::once(Endpoint::Lfs, What::Delay(Duration::from_secs(1))));
    let mut push = desk.command("git", &clone);
    push.args(["push", "--quiet"]);
    let push = Started::new(push);
    assert!(gitlab.wait_until(PATIENCE, |requests| requests.iter().any(|it| it.endpoint == Endpoint::Lfs)));
    gitlab.expire_access_tokens("alice");
    let push = push.finish();
    // LFS said that its token was refused, got another, and went on. git had sent the first one
    // before, sends it again with its pack, and does not ask a second time.
    assert_eq!(uploads(&gitlab.requests()), 1, "{push:?}");
    assert!(push.code != Some(0) && push.stderr.contains("401"), "{push:?}");
    desk.sandbox.git_in(&clone, ["push", "--quiet"]).succeeded();
    assert_eq!(uploads(&gitlab.requests()), 1, "what is there is not sent again");
    assert_eq!(gitlab.token_requests(), 2);
    desk.left_nothing();
}

#[test]
fn objects_go_up_while_tokens_end_on_the_way() {
    let desk = desk();
    let clone = clone(&desk, "group/app", "app");
    // LFS asks for a hundred at a time.
    commit_objects(&desk, &clone, 250);
    let gitlab = &desk.sandbox.gitlab;
    let mut push = desk.command("git", &clone);
    push.args(["lfs", "push", "origin", "main"]);
    let push = Started::new(push);
    for objects in [1, 101] {
        assert!(gitlab.wait_until(PATIENCE, |requests| uploads(requests) >= objects));
        gitlab.expire_access_tokens("alice");
    }
    push.finish().succeeded();
    assert_eq!(uploads(&gitlab.requests()), 250, "each once");
    assert!(gitlab.failed_logins() <= 2, "{}", gitlab.failed_logins());
    // One at the start, and one for each that ended before a batch was asked for.
    assert!((2..=3).contains(&gitlab.token_requests()), "{}", gitlab.token_requests());
    desk.sandbox.git_in(&clone, ["push", "--quiet"]).succeeded();
    desk.left_nothing();
}

#[test]
fn transfers_go_on_when_their_own_tokens_end() {
    let desk = desk();
    let clone = clone(&desk, "group/app", "app");
    commit_objects(&desk, &clone, 150);
    let gitlab = &desk.sandbox.gitlab;
    let mut push = desk.command("git", &clone);
    push.args(["lfs", "push", "origin", "main"]);
    let push = Started::new(push);
    assert!(gitlab.wait_until(PATIENCE, |requests| uploads(requests) >= 10));
    gitlab.advance_clock(Duration::from_secs(7200));
    push.finish().succeeded();
    let stored = gitlab.requests().iter().filter(|it| is_upload(it) && it.status == Some(200)).count();
    assert_eq!(stored, 150);
    // Each transfer that was refused is asked for again; we are asked for each batch, not for each object.
    desk.was_asked_at_most(6);
    assert_eq!(gitlab.token_requests(), 2);
    desk.left_nothing();
}

#[test]
fn the_account_of_the_group_answers_lfs_too() {
    let sandbox = two_accounts();
    sandbox.verb(["use", "bob", "--for", "work"]).succeeded();
    let desk = Desk::at(sandbox);
    install(&desk);
    let clone = clone(&desk, "work/api", "api");
    fs::write(clone.join("large.bin"), noise(1, 1000)).expect("written");
    commit(&desk, &clone, "one");
    desk.sandbox.git_in(&clone, ["push", "--quiet"]).succeeded();
    assert_eq!(fs::read(desk.sandbox.clone("work/api", "again").join("large.bin")).expect("there").len(), 1000);
    let requests = desk.sandbox.gitlab.requests();
    let who: Vec<_> = requests.iter().filter(|it| is_lfs(it)).map(|it| it.who.as_deref()).collect();
    assert!(!who.is_empty() && who.iter().flatten().all(|name| *name == "bob"), "{who:?}");
    assert_eq!(desk.sandbox.gitlab.failed_logins(), 0);
    desk.left_nothing();
}

#[test]
fn a_read_only_account_pulls_and_pushes_nothing() {
    let mut desk = desk();
    let clone = clone(&desk, "group/app", "app");
    fs::write(clone.join("large.bin"), noise(1, 1000)).expect("written");
    commit(&desk, &clone, "one");
    desk.sandbox.git_in(&clone, ["push", "--quiet"]).succeeded();
    link(&desk.sandbox, "alice", &["--read-only"]).succeeded();
    desk.sandbox.set("GIT_CREDENTIAL_GITLAB_ACCOUNT", "alice+read-only");
    let other = desk.sandbox.clone("group/app", "other");
    assert_eq!(fs::read(other.join("large.bin")).expect("there").len(), 1000);
    fs::write(other.join("more.bin"), noise(2, 1000)).expect("written");
    commit(&desk, &other, "two");
    let before = uploads(&desk.sandbox.gitlab.requests());
    let refused = desk.sandbox.git_in(&other, ["lfs", "push", "origin", "main"]);
    assert!(refused.code != Some(0) && refused.stderr.contains("Access forbidden"), "{refused:?}");
    assert_eq!(uploads(&desk.sandbox.gitlab.requests()), before);
    desk.left_nothing();
}
