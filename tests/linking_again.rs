//! Linking once more, where something lies in the way.

use std::fs;

use crate::support::Sandbox;

#[test]
fn directories_that_were_cleaned_away_are_made_again() {
    let sandbox = Sandbox::linked();
    for directory in ["accounts", "tokens"] {
        fs::remove_dir_all(sandbox.state().join(directory)).expect("removed");
    }
    sandbox.link();
    assert!(sandbox.lives(&sandbox.token()));
    // A renewal needs them, too.
    assert!(sandbox.lives(&sandbox.renewed()));
}

#[test]
fn a_copy_of_what_is_known_of_an_account_brings_it_not_back() {
    let sandbox = Sandbox::linked();
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    let copy = profile.with_file_name("1 (copy).json");
    fs::copy(profile, &copy).expect("copied");
    let token = sandbox.token();
    assert!(sandbox.lives(&token), "the real one is used");
    let told = sandbox.verb(["status"]).ended_with(4);
    assert!(told.stderr.contains("1 (copy).json") && told.stderr.contains("can be removed"), "{told:?}");
    sandbox.verb(["unlink"]).succeeded();
    assert!(!sandbox.verb(["status"]).stdout.contains("alice"), "it is gone");
    fs::remove_file(copy).expect("removed");
    sandbox.verb(["status"]).ended_with(3);
}
