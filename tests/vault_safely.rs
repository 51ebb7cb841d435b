//! Encrypted files lose nothing and show nothing, whoever breaks off, swaps or reads them.

use std::fs;
use std::path::PathBuf;

use crate::support::vault::{PASSPHRASE, Vaulted, kernel_keeps_keys};
use crate::support::{DAEMON, HELPER, Sandbox, Started, eventually, make_private, run};
use crate::vault::files_below;

/// alice and bob are linked.
fn two() -> Vaulted {
    let vaulted = Vaulted::new();
    vaulted.gitlab.add_user("bob", "Bob");
    vaulted.link_as("bob", [vaulted.gitlab.url(), "--yes"]).succeeded();
    vaulted
}

/// The token of an account.
fn token_of(sandbox: &Sandbox, name: &str) -> run::Finished {
    sandbox.helper("get", format!("{}username={name}\n", sandbox.question()))
}

fn tokens(sandbox: &Sandbox) -> [String; 2] {
    ["alice", "bob"].map(|name| token_of(sandbox, name).token())
}

/// Has the server kill the tokens, and gets the next.
fn renew(sandbox: &Sandbox) {
    for name in ["alice", "bob"] {
        let old = token_of(sandbox, name).token();
        sandbox.gitlab.expire_access_tokens(name);
        sandbox.erase(&old);
        assert_ne!(token_of(sandbox, name).token(), old);
    }
}

fn records(sandbox: &Sandbox) -> [PathBuf; 2] {
    let mut files = sandbox.state_files(".tokens");
    files.sort();
    files.try_into().expect("two logins")
}

#[test]
fn no_token_is_in_any_file_after_encrypting_and_one_renewal() {
    let vaulted = two();
    let [alice, _] = records(&vaulted);
    // What crashes leave: half a write, and a record of nobody that is known.
    let plain = fs::read(&alice).expect("readable");
    for left in ["tokens.new", "x~9.tokens", "x~9~second.tokens", "x~8.tokens.new"] {
        let path = if left == "tokens.new" { alice.with_extension(left) } else { alice.with_file_name(left) };
        fs::write(path, &plain).expect("written");
    }
    let before = find_secrets(&vaulted);
    assert!(before > 0, "the search finds what is there");
    vaulted.encrypt().succeeded();
    assert_eq!(find_secrets(&vaulted), 0);
    renew(&vaulted);
    assert_eq!(find_secrets(&vaulted), 0);
    assert!(vaulted.vault([]).stdout.contains(": 4 logins in "));
}

/// In how many files below the home directory there is something that the server has issued.
fn find_secrets(vaulted: &Vaulted) -> usize {
    let secrets = vaulted.gitlab.secrets();
    assert!(secrets.len() > 4);
    let has_some = |path: &PathBuf| {
        let bytes = fs::read(path).expect("readable");
        let text = String::from_utf8_lossy(&bytes);
        let found = secrets.iter().any(|secret| text.contains(secret.as_str()));
        found || text.contains(PASSPHRASE)
    };
    files_below(vaulted.home()).iter().filter(|path| has_some(path)).count()
}

#[test]
fn a_file_in_another_ones_place_opens_for_nobody_and_is_left_alone() {
    let vaulted = two();
    vaulted.encrypt().succeeded();
    let before = tokens(&vaulted);
    vaulted.verb(["daemon", "stop"]).succeeded();
    let files = records(&vaulted);
    let [alice, bob] = files.each_ref().map(|file| fs::read(file).expect("readable"));
    fs::write(&files[0], &bob).expect("written");
    fs::write(&files[1], &alice).expect("written");
    for name in ["alice", "bob"] {
        let refused = token_of(&vaulted, name).succeeded();
        assert!(refused.stdout == "quit=1\n" && refused.stderr.contains("damaged"), "{refused:?}");
    }
    vaulted.vault(["decrypt"]).ended_with(1);
    let told = vaulted.encrypt().ended_with(1);
    assert!(told.stderr.contains("damaged") && told.stderr.contains("link or unlink"), "{told:?}");
    assert_eq!(files.each_ref().map(|file| fs::read(file).expect("readable")), [bob.clone(), alice.clone()]);
    assert!(vaulted.key_file().exists(), "the only way to them stays");
    vaulted.verb(["daemon", "stop"]).succeeded();
    fs::write(&files[0], alice).expect("written");
    fs::write(&files[1], bob).expect("written");
    assert_eq!(tokens(&vaulted), before);
}

#[test]
fn a_changed_byte_anywhere_is_damage_that_a_link_mends() {
    let vaulted = Vaulted::with_passphrase();
    let [file] = &vaulted.state_files(".tokens")[..] else { panic!("one login") };
    let good = fs::read(file).expect("readable");
    // The mark, the version, the nonce, the ciphertext, its tag.
    for at in [0, 29, 40, 100, good.len() - 1] {
        vaulted.verb(["daemon", "stop"]).succeeded();
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        fs::write(file, &bad).expect("written");
        let refused = vaulted.get().succeeded();
        assert_eq!(refused.stdout, "quit=1\n", "{at}");
        assert!(refused.stderr.contains("it was left as it is"), "{at}: {refused:?}");
        assert_eq!(fs::read(file).expect("readable"), bad, "{at}");
    }
    vaulted.link();
    vaulted.token();
    assert_eq!(vaulted.gitlab.token_requests(), 0);
}

#[test]
fn a_record_that_was_left_in_the_clear_is_read_and_encrypted_with_the_next_save() {
    let vaulted = Vaulted::new();
    let [file] = &vaulted.state_files(".tokens")[..] else { panic!("one login") };
    let plain = fs::read(file).expect("readable");
    let token = vaulted.token();
    vaulted.encrypt().succeeded();
    vaulted.verb(["daemon", "stop"]).succeeded();
    fs::write(file, plain).expect("written");
    assert_eq!(vaulted.token(), token);
    let shown = vaulted.vault([]).succeeded();
    assert!(shown.stderr.contains("1 login of them not encrypted yet"), "{shown:?}");
    vaulted.gitlab.expire_access_tokens("alice");
    vaulted.erase(&token);
    assert_ne!(vaulted.token(), token);
    assert_eq!(find_secrets(&vaulted), 0);
}

#[test]
fn whoever_asks_meanwhile_gets_the_token() {
    let vaulted = two();
    let before = tokens(&vaulted);
    let question = format!("{}username=bob\n", vaulted.question());
    let asking = || (0..20).map(|_| vaulted.start_helper("get", &question)).collect::<Vec<_>>();
    for verb in ["encrypt", "decrypt"] {
        let asked = asking();
        match verb {
            "encrypt" => vaulted.encrypt().succeeded(),
            _ => vaulted.vault([verb]).succeeded(),
        };
        for asked in asked.into_iter().chain(asking()) {
            assert_eq!(asked.finish().token(), before[1], "{verb}");
        }
    }
    assert_eq!(vaulted.gitlab.token_requests(), 0);
}

/// Has the daemon die at a place while it runs a verb of `vault`.
fn die_at(vaulted: &mut Vaulted, place: &str, verb: &[&str]) {
    vaulted.verb(["daemon", "stop"]).succeeded();
    vaulted.sandbox.set("GIT_CREDENTIAL_GITLAB_FAULT", place);
    let mut command = vaulted.command(HELPER);
    command.arg("vault").args(verb);
    let died = run::finish(command, format!("{PASSPHRASE}\n"));
    assert_ne!(died.code, Some(0), "{place}: {died:?}");
    vaulted.sandbox.unset("GIT_CREDENTIAL_GITLAB_FAULT");
    vaulted.vault([]); // notes what the kernel keeps
}

/// Every login can be read: at once or, where the key is not here, after an unlock.
fn all_is_there(vaulted: &Vaulted, before: &[String; 2], place: &str) {
    assert_eq!(tokens(vaulted), *before, "{place}");
    vaulted.reboot();
    if vaulted.key_file().exists() {
        vaulted.unlock().succeeded();
    }
    assert_eq!(tokens(vaulted), *before, "{place}, after a reboot");
}

#[test]
fn a_crash_at_any_step_of_encrypting_costs_no_login() {
    if !kernel_keeps_keys() {
        return;
    }
    for place in ["before-key", "after-key", "after-rewrite"] {
        let mut vaulted = two();
        let before = tokens(&vaulted);
        die_at(&mut vaulted, place, &["encrypt", "--passphrase-stdin"]);
        assert_eq!(vaulted.key_file().exists(), place != "before-key");
        all_is_there(&vaulted, &before, place);
        vaulted.encrypt().succeeded();
        assert_eq!(find_secrets(&vaulted), 0, "{place}");
        assert_eq!(tokens(&vaulted), before, "{place}");
        renew(&vaulted);
    }
}

#[test]
fn a_crash_at_any_step_of_decrypting_costs_no_login() {
    if !kernel_keeps_keys() {
        return;
    }
    for place in ["after-leaving", "after-rewrite", "before-end", "after-end"] {
        let mut vaulted = two();
        vaulted.encrypt().succeeded();
        let before = tokens(&vaulted);
        die_at(&mut vaulted, place, &["decrypt"]);
        assert_eq!(vaulted.key_file().exists(), place != "after-end");
        all_is_there(&vaulted, &before, place);
        if place == "after-rewrite" {
            let shown = vaulted.vault([]).succeeded();
            assert!(shown.stderr.contains("decrypting them broke off"), "{shown:?}");
        }
        match place {
            "before-end" => vaulted.encrypt().succeeded(), // changed one's mind
            "after-end" => vaulted.vault(["decrypt"]).ended_with(2),
            _ => vaulted.vault(["decrypt"]).succeeded(),
        };
        assert_eq!(vaulted.key_file().exists(), place == "before-end");
        assert_eq!(find_secrets(&vaulted) == 0, place == "before-end");
        renew(&vaulted);
    }
}

#[test]
fn two_daemons_on_one_directory_share_an_encryption() {
    let vaulted = Vaulted::new();
    let token = vaulted.token();
    let directory = vaulted.path("other");
    make_private(&directory);
    // The same home in a container or under cron: another socket, the same state.
    let socket = directory.join("socket");
    let mut daemon = vaulted.command(DAEMON);
    daemon.arg("--foreground").arg("--socket").arg(&socket);
    let mut daemon = Started::new(daemon);
    daemon.wait_for_line(|line| line.contains("ready"));
    let other = |words: &[&str], input: &str| {
        let mut command = vaulted.command(HELPER);
        command.args(words).env("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
        run::finish(command, input)
    };
    let question = vaulted.question();
    assert_eq!(other(&["get"], &question).token(), token);
    vaulted.encrypt().succeeded();
    let kept = vaulted.kernel_forgets();
    // It has the token, but finds no key when it is time to renew.
    vaulted.gitlab.expire_access_tokens("alice");
    other(&["erase"], &format!("{question}password={token}\n")).succeeded();
    let refused = other(&["get"], &question).succeeded();
    assert_eq!(refused.stdout, "quit=1\n");
    assert!(refused.stderr.contains("locked") && refused.stderr.contains("vault unlock"), "{refused:?}");
    assert_eq!(vaulted.gitlab.token_requests(), 0, "nothing is spent");
    let shown = other(&["vault"], "").ended_with(4);
    assert!(shown.stdout.contains(", locked: 1 login"), "{shown:?}");
    // This one has it.
    vaulted.erase(&token);
    let renewed = vaulted.token();
    assert_ne!(renewed, token);
    // With the key in the kernel the other one goes on by itself, without it after an unlock.
    if kept {
        vaulted.unlock().succeeded();
    } else {
        other(&["vault", "unlock", "--passphrase-stdin"], PASSPHRASE).succeeded();
    }
    eventually("the other one goes on", || other(&["get"], &question).attribute("password").as_ref() == Some(&renewed));
    assert_eq!(vaulted.gitlab.token_requests(), 1);
    other(&["daemon", "stop"], "").succeeded();
    daemon.finish();
}
