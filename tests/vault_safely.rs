//! Encrypted files lose nothing and show nothing, whoever breaks off, swaps or reads them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::memory::times_in_memory;
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

/// Another daemon on the same directory, whose calls of these names on a path come late.
fn slow_daemon(vaulted: &Vaulted, path: &Path, calls: &str, seconds: u32) -> (Started, PathBuf) {
    let directory = vaulted.path("slow");
    make_private(&directory);
    let socket = directory.join("socket");
    let mut daemon = vaulted.command("strace");
    daemon.args(["-f", "-qq", "-o"]).arg(vaulted.path("trace")).arg("-P").arg(path);
    daemon.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:delay_enter={seconds}s:when=1")]);
    daemon.arg(DAEMON).arg("--foreground").arg("--socket").arg(&socket);
    let mut daemon = Started::new(daemon);
    daemon.wait_for_line(|line| line.contains("ready"));
    (daemon, socket)
}

#[test]
fn what_is_saved_while_another_daemon_decrypts_can_be_read() {
    if !kernel_keeps_keys() {
        return;
    }
    let vaulted = two();
    vaulted.encrypt().succeeded();
    let [_, bob] = records(&vaulted);
    vaulted.verb(["unlink", "--account", "bob"]).succeeded();
    // It has sealed bob's record, and not begun to write it.
    let (mut daemon, socket) = slow_daemon(&vaulted, &bob.with_extension("tokens.new"), "unlink,unlinkat", 4);
    let mut link = vaulted.command(HELPER);
    link.args(["link", vaulted.gitlab.url(), "--client-id", &vaulted.client_id, "--yes", "--store", "file"]);
    link.env("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    let mut link = Started::new(link);
    let address = link.wait_for_line(|line| line.contains("/oauth/authorize?"));
    let mut browser = vaulted.browser("bob");
    let visit = std::thread::spawn(move || browser.visit(address.trim()).expect("a visit"));
    eventually("it is about to write", || bob.with_extension("lock").exists());
    std::thread::sleep(Duration::from_millis(500)); // it is as good as there
    vaulted.vault(["decrypt"]).succeeded();
    link.finish().succeeded();
    visit.join().expect("a visit");
    assert!(!vaulted.key_file().exists());
    token_of(&vaulted, "bob").token();
    assert!(fs::read(&bob).expect("there").starts_with(b"{"));
    let mut stop = vaulted.command(HELPER);
    stop.args(["daemon", "stop"]).env("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    run::finish(stop, "").succeeded();
    daemon.child.wait().expect("it ran");
}

#[test]
fn a_disk_that_hangs_while_encrypting_does_not_bring_an_old_pair_back() {
    if !kernel_keeps_keys() {
        return;
    }
    let vaulted = Vaulted::new();
    let token = vaulted.token();
    let [alice] = &vaulted.state_files(".tokens")[..] else { panic!("one login") };
    let (mut daemon, socket) = slow_daemon(&vaulted, &alice.with_extension("tokens.new"), "unlink,unlinkat", 8);
    let mut encrypt = vaulted.command(HELPER);
    encrypt.args(["vault", "encrypt", "--passphrase-stdin"]).env("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    // It gives up waiting for the disk.
    run::finish(encrypt, PASSPHRASE).ended_with(1);
    vaulted.vault([]);
    vaulted.gitlab.expire_access_tokens("alice");
    vaulted.erase(&token);
    let renewed =
        eventually_some("the account is free again", || vaulted.get().attribute("password").filter(|it| *it != token));
    eventually("the disk is back", || fs::read_to_string(vaulted.path("trace")).expect("readable").contains("DELAYED"));
    std::thread::sleep(Duration::from_millis(500)); // and what waited for it is written
    vaulted.kill_daemon();
    assert_eq!(vaulted.token(), renewed);
    let mut stop = vaulted.command(HELPER);
    stop.args(["daemon", "stop"]).env("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    run::finish(stop, "").succeeded();
    daemon.child.wait().expect("it ran");
}

#[test]
fn a_disk_that_hangs_while_renewing_does_not_bring_an_old_pair_back() {
    let vaulted = Vaulted::new();
    let token = vaulted.token();
    let [alice] = &vaulted.state_files(".tokens")[..] else { panic!("one login") };
    let (mut daemon, socket) = slow_daemon(&vaulted, &alice.with_extension("tokens.new"), "unlink,unlinkat", 8);
    let other = |verb: &str, input: &str| {
        let mut command = vaulted.command(HELPER);
        command.arg(verb).env("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
        run::finish(command, input)
    };
    assert_eq!(other("get", &vaulted.question()).token(), token);
    vaulted.gitlab.expire_access_tokens("alice");
    other("erase", &format!("{}password={token}\n", vaulted.question()));
    other("get", &vaulted.question());
    vaulted.erase(&token);
    let renewed = eventually_some("it is free again", || vaulted.get().attribute("password").filter(|it| *it != token));
    eventually("the disk is back", || fs::read_to_string(vaulted.path("trace")).expect("readable").contains("DELAYED"));
    std::thread::sleep(Duration::from_millis(500)); // and what waited for it is written
    vaulted.kill_daemon();
    assert_eq!(vaulted.token(), renewed);
    assert_eq!(vaulted.gitlab.token_requests(), 1);
    let mut stop = vaulted.command(HELPER);
    stop.args(["daemon", "stop"]).env("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
    run::finish(stop, "").succeeded();
    daemon.child.wait().expect("it ran");
}

fn eventually_some<T>(what: &str, find: impl Fn() -> Option<T>) -> T {
    let found = std::cell::RefCell::new(None);
    eventually(what, || {
        *found.borrow_mut() = find();
        found.borrow().is_some()
    });
    found.into_inner().expect("it was found")
}

#[test]
fn once_it_is_locked_neither_key_nor_passphrase_nor_token_is_in_memory() {
    let vaulted = Vaulted::with_passphrase();
    let pid = vaulted.daemon_pid();
    let Some(key) = vaulted.key_in_kernel().filter(|_| run::can_look_into(pid)) else { return };
    let token = vaulted.token();
    assert!(times_in_memory(pid, &key) > 0 && times_in_memory(pid, &token) > 0, "so it is seen");
    vaulted.vault(["lock"]).succeeded();
    for (what, secret) in [("key", &key[..]), ("passphrase", PASSPHRASE.as_bytes()), ("token", token.as_bytes())] {
        eventually(what, || times_in_memory(pid, secret) == 0);
    }
    // A new daemon that gets it from the kernel, and one that is told it.
    vaulted.unlock().succeeded();
    vaulted.kill_daemon();
    let token = vaulted.token();
    let pid = vaulted.daemon_pid();
    vaulted.vault(["lock"]).succeeded();
    for (what, secret) in [("key", &key[..]), ("token", token.as_bytes())] {
        eventually(what, || times_in_memory(pid, secret) == 0);
    }
}
