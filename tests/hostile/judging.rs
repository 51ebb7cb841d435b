//! What git can say of a password with `store` and `erase`: H59 to H64, H74 to H77, N05 and N06.

use std::time::Duration;

use gitlab_stand_in::{Endpoint, Fault, What};

use super::{NAMED, linked_and_named, token_of};
use crate::support::Sandbox;

/// Tells something, and hears nothing.
#[track_caller]
fn tell(sandbox: &Sandbox, verb: &str, text: impl AsRef<[u8]>) {
    let silent = sandbox.helper(verb, text);
    assert_eq!((silent.code, silent.stdout.as_str(), silent.stderr.as_str()), (Some(0), "", ""), "{verb}: {silent:?}");
    assert!(silent.took < Duration::from_secs(3), "{verb}: {silent:?}");
}

/// Rows H59, H60, H61, H62, H63, H64 and H77.
#[test]
fn what_is_said_of_passwords_that_are_not_ours_changes_nothing() {
    let sandbox = linked_and_named();
    let token = token_of(&sandbox.helper("get", NAMED));
    let requests = sandbox.gitlab.requests().len();
    let foreign = "protocol=https\nhost=evil.example\n";
    let future = "password_expiry_utc=4102444800\n";
    for (verb, text) in [
        // H59, H61: of another host, also with our token.
        ("erase", format!("{foreign}username=oauth2\npassword={token}\n")),
        ("store", format!("{foreign}username=oauth2\npassword={token}\n")),
        ("store", format!("{foreign}username=me\npassword=hunter2\n{future}")),
        // H60: of ours, another password.
        ("erase", format!("{NAMED}username=oauth2\npassword=hunter2\n")),
        ("erase", format!("{NAMED}username=oauth2\npassword={token}x\n")),
        ("erase", format!("{NAMED}username=oauth2\npassword={}\n", &token[1..])),
        ("erase", format!("{NAMED}username=oauth2\npassword={}\n", token.to_uppercase())),
        // H62: nothing is adopted.
        ("store", format!("{NAMED}username=oauth2\npassword=hunter2\noauth_refresh_token=hunter3\n{future}")),
        ("store", format!("{NAMED}username=mallory\npassword={token}\noauth_refresh_token=hunter3\n")),
        // H63.
        ("store", format!("{NAMED}username=oauth2\npassword=hunter2\npassword_expiry_utc=1\n")),
        ("store", format!("{NAMED}username=oauth2\npassword=hunter2\nephemeral=1\n")),
        ("store", format!("capability[]=authtype\n{NAMED}authtype=Bearer\ncredential=hunter2\n")),
        // H64.
        ("store", format!("{NAMED}nonsense\npassword={token}\n")),
        ("erase", format!("{NAMED}nonsense\npassword={token}\n")),
        ("erase", format!("{NAMED}password={token}\npassword=x\n")),
        ("store", String::new()),
        ("erase", "\n".into()),
        ("store", format!("{NAMED}password={}\n", "x".repeat(2 << 20))),
        ("erase", format!("{NAMED}password={token}{}\n", "x".repeat(2 << 20))),
        // H77: cut off.
        ("erase", format!("{NAMED}username=oauth2\n")),
        ("erase", format!("{NAMED}username=oauth2\npassword=")),
        ("erase", format!("{NAMED}username=oauth2\npassword={}", &token[..20])),
        ("erase", "protocol=https".into()),
    ] {
        tell(&sandbox, verb, text);
    }
    assert_eq!(sandbox.helper("get", foreign).stdout, "", "nothing comes back");
    assert_eq!(token_of(&sandbox.helper("get", NAMED)), token);
    assert_eq!(sandbox.gitlab.requests().len(), requests, "nobody was asked anything");
}

/// Rows H74, H75 and H76.
#[test]
fn a_dead_token_that_is_named_goes_out_no_more_and_takes_no_other_along() {
    let sandbox = Sandbox::linked();
    let mut seen = vec![sandbox.token()];
    // After a third refusal within a minute there would be a pause.
    for _ in 0..2 {
        sandbox.gitlab.expire_access_tokens("alice");
        tell(&sandbox, "erase", format!("{}username=oauth2\npassword={}\n", sandbox.question(), seen[seen.len() - 1]));
        let next = token_of(&sandbox.get());
        assert!(!seen.contains(&next), "it is dead");
        // All of the dead again, by whoever has them still.
        for old in &seen {
            tell(&sandbox, "erase", format!("{}username=oauth2\npassword={old}\n", sandbox.question()));
        }
        assert_eq!(token_of(&sandbox.get()), next);
        seen.push(next);
    }
    assert_eq!(sandbox.gitlab.token_requests(), 2);
}

/// Row N06.
#[test]
fn an_erase_while_a_renewal_runs_is_about_the_token_that_it_names() {
    let sandbox = Sandbox::linked();
    let old = sandbox.token();
    sandbox.age_token(7200, 0);
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.gitlab.fault(Fault::once_after(Endpoint::Token, What::Delay(Duration::from_secs(1))));
    let asking = sandbox.start_helper("get", &sandbox.question());
    sandbox.wait_for_renewal_to_begin();
    sandbox.erase(&old);
    let new = token_of(&asking.finish());
    assert_ne!(new, old);
    sandbox.erase(&old);
    assert_eq!(token_of(&sandbox.get()), new);
    assert_eq!(sandbox.gitlab.token_requests(), 1);
}

/// Row N05.
#[test]
fn a_thousand_erases_of_a_living_token_cause_a_handful_of_requests() {
    use std::io::{Read, Write};
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    let (socket, before) = (sandbox.socket(), sandbox.gitlab.requests().len());
    // Faster than a helper can be started, a hostile server that answers 401 could not be.
    let erase = format!("action=erase\n{}password={token}\n\n", sandbox.question());
    for _ in 0..1_000 {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).expect("a daemon");
        stream.write_all(erase.as_bytes()).expect("written");
        stream.read_to_end(&mut Vec::new()).expect("an answer");
    }
    let caused = sandbox.gitlab.requests().len() - before;
    assert!(caused <= 6, "{caused} requests");
    assert_eq!(sandbox.get().stdout, "quit=1\n", "and then there is silence for a while");
}
