//! git's config and environment, and what `--fix` does to it.

use std::fs;

use super::{Diagnosis, doctor, doctor_in, mend_in};
use crate::support::{Sandbox, run};

#[test]
fn an_entry_that_is_gone_or_stale_is_put_back_by_fix() {
    let sandbox = Sandbox::linked();
    let key = format!("credential.{}.helper", sandbox.gitlab.url());
    let stale = sandbox.path("old/git-credential-gitlab");
    sandbox.git(["config", "--global", "--unset-all", &key]).succeeded();
    doctor(&sandbox, &[]).ended_with(1).expect("helper", "fail", "does not ask").mended_by("helper", "configure");
    let fixed = doctor(&sandbox, &["--fix"]);
    fixed.ended_with(0).expect("helper", "ok", "").expect("helper-program", "ok", "");
    assert!(fixed.finished.stderr.contains("mended: git is to ask us"), "{:?}", fixed.finished);
    sandbox.git(["config", "--global", "--replace-all", &key, stale.to_str().expect("text")]).succeeded();
    doctor(&sandbox, &[]).ended_with(1).expect("helper-program", "fail", "which is no program");
    doctor(&sandbox, &["--fix"]).ended_with(0).expect("helper-program", "ok", "");
    sandbox.clone("group/app", "app");
}

#[test]
fn fix_moves_our_entry_and_leaves_everything_else_as_it_was() {
    let sandbox = Sandbox::linked();
    let file = sandbox.home().join(".gitconfig");
    let theirs = "[credential]\n\thelper = cache # mine\n[alias]\n\tst = status\n";
    let before = fs::read_to_string(&file).expect("text");
    fs::write(&file, before + theirs).expect("written");
    let found = doctor(&sandbox, &[]);
    found.ended_with(0).expect("helper-order", "warn", "comes later").mended_by("helper-order", "configure");
    doctor(&sandbox, &["--fix"]).expect("helper-order", "ok", "");
    let after = fs::read_to_string(&file).expect("text");
    assert!(after.contains(theirs), "{after}");
    let nothing = doctor(&sandbox, &["--fix"]);
    assert!(nothing.finished.stderr.contains("nothing that is ours needs mending"), "{:?}", nothing.finished);
    assert_eq!(fs::read_to_string(&file).expect("text"), after);
}

#[test]
fn fix_mends_the_order_of_helpers_whatever_else_our_section_has() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    sandbox.verb(["use", "alice", "--for", "group/app"]).succeeded();
    sandbox.git(["config", "--global", "--add", "credential.helper", "store"]).succeeded();
    doctor(&sandbox, &[]).expect("helper-order", "warn", "comes later");
    let fixed = doctor(&sandbox, &["--fix"]);
    fixed.expect("helper-order", "ok", "").expect("paths", "ok", "useHttpPath");
    assert!(fixed.finished.stderr.contains("\nmended: git is to ask us"), "{:?}", fixed.finished);
    sandbox.git_in(&clone, ["fetch", "--quiet"]).succeeded();
    assert!(!sandbox.home().join(".git-credentials").exists(), "a token was written there");
}

#[test]
fn what_fix_did_not_mend_is_not_called_mended() {
    let sandbox = Sandbox::linked();
    let file = sandbox.home().join(".gitconfig");
    let key = format!("credential.{}.helper", sandbox.gitlab.url());
    // Only the repository's own config, which is not ours to change, has the older path.
    let clone = sandbox.clone("group/app", "app");
    for value in ["", "/nowhere/git-credential-gitlab"] {
        sandbox.git_in(&clone, ["config", "--local", "--add", &key, value]).succeeded();
    }
    let before = fs::read_to_string(&file).expect("text");
    let mut command = sandbox.command(crate::support::HELPER);
    command.args(["doctor", "--json", "--fix"]).current_dir(&clone);
    let found = Diagnosis::of(run::finish(command, ""));
    found.ended_with(1).expect("helper-program", "fail", "which is no program");
    assert!(found.finished.stderr.contains("\nnot mended: git is to ask us"), "{:?}", found.finished);
    assert_eq!(fs::read_to_string(&file).expect("text"), before);
}

#[test]
fn git_config_that_thwarts_us_is_named_line_by_line() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let url = sandbox.gitlab.url().to_owned();
    for (key, value, check, result, says) in [
        ("http.extraHeader", "Authorization: Bearer hunter2", "extra-header", "fail", "Authorization of its own"),
        ("http.sslVerify", "false", "certificate-check", "warn", "does not check"),
        ("http.sslCAInfo", "/nowhere/ca.pem", "certificate-file", "fail", "/nowhere/ca.pem"),
        ("http.proxy", "", "proxy", "ok", "none"),
        ("credential.username", "bob", "user-name", "warn", "none of your accounts"),
        ("url.git@elsewhere:.insteadOf", &format!("{url}/"), "address-rules", "fail", "over ssh"),
        ("credential.helper", "store", "helper-order", "warn", "store"),
        ("credential.helper", "", "helper", "fail", "comes later"),
    ] {
        sandbox.git_in(&clone, ["config", "--local", key, value]).succeeded();
        let found = doctor_in(&sandbox, &clone);
        found.expect(check, result, says);
        assert!(!found.finished.stdout.contains("hunter2") && !found.finished.stderr.contains("hunter2"));
        if result != "ok" {
            // What is suggested is a command that does it.
            let command = found.check(check)["fix"].as_str().expect("a command").to_owned();
            if command.starts_with("git config") {
                let mut shell = sandbox.command("sh");
                shell.args(["-c", &command]).current_dir(&clone);
                run::finish(shell, "").succeeded();
                let mended = doctor_in(&sandbox, &clone);
                mended.expect(check, "ok", "");
            }
        }
        sandbox.git_in(&clone, ["config", "--local", "--unset-all", key]);
    }
    doctor_in(&sandbox, &clone).ended_with(0);
}

#[test]
fn a_proxy_that_nobody_listens_at_is_told_with_its_place() {
    let mut sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let dead = "http://me:hunter2@127.0.0.1:1";
    for (scope, key) in [("--global", "http.proxy"), ("--local", "remote.origin.proxy")] {
        sandbox.git_in(&clone, ["config", scope, key, dead]).succeeded();
        let found = doctor_in(&sandbox, &clone);
        found.ended_with(5).expect("proxy", "fail", "by the proxy http://127.0.0.1:1").expect("proxy", "fail", key);
        found.mended_by("proxy", key);
        assert!(!found.finished.stdout.contains("hunter2"));
        assert_ne!(sandbox.git_in(&clone, ["fetch"]).code, Some(0));
        let mut shell = sandbox.command("sh");
        shell.args(["-c", found["proxy"]["fix"].as_str().expect("a command")]).current_dir(&clone);
        run::finish(shell, "").succeeded();
        doctor_in(&sandbox, &clone).ended_with(0).expect("proxy", "ok", "none is set");
    }
    sandbox.set("http_proxy", dead);
    doctor_in(&sandbox, &clone).ended_with(5).expect("proxy", "fail", "http_proxy").mended_by("proxy", "unset http_");
    sandbox.set("no_proxy", "127.0.0.1");
    doctor_in(&sandbox, &clone).ended_with(0).expect("proxy", "ok", "no_proxy");
    sandbox.git_in(&clone, ["fetch"]).succeeded();
    sandbox.unset("no_proxy");
    // One that listens is judged by what git gets there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    sandbox.set("http_proxy", format!("http://{}", listener.local_addr().expect("an address")));
    drop(std::thread::spawn(move || listener.incoming().for_each(drop)));
    doctor_in(&sandbox, &clone).ended_with(5).expect("proxy", "ok", "http_proxy").expect("git-works", "fail", "itself");
}

#[test]
fn a_broken_git_config_is_one_finding() {
    let sandbox = Sandbox::linked();
    fs::write(sandbox.home().join(".gitconfig"), "[user\nname = x\n").expect("written");
    let found = doctor(&sandbox, &[]);
    found.ended_with(1).expect("git-config", "fail", ".gitconfig").expect("helper", "skip", "");
    // git would not open the file.
    let mut shell = sandbox.command("sh");
    shell.env("EDITOR", "sed -i s/user/user]/").args(["-c", found["git-config"]["fix"].as_str().expect("a command")]);
    run::finish(shell, "").succeeded();
    doctor(&sandbox, &[]).expect("git-config", "ok", "");
}

#[test]
fn an_emptied_list_of_helpers_in_the_environment_is_told() {
    let mut sandbox = Sandbox::linked();
    for (name, value) in [
        ("GIT_CONFIG_PARAMETERS", "'credential.helper='"),
        ("TERMINAL_EMULATOR", "JetBrains-JediTerm"),
        ("GIT_ASKPASS", "/bin/true"),
    ] {
        sandbox.set(name, value);
    }
    let found = doctor(&sandbox, &[]);
    found.ended_with(1).expect("helper", "fail", "environment").expect("command-config", "warn", "JetBrains");
    found.expect("ide", "warn", "Use credential helper").expect("prompts", "warn", "GIT_ASKPASS");
}

#[test]
fn the_line_that_counts_is_taken_out_and_no_other_from_anywhere_in_the_repository() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let below = clone.join("some/where");
    fs::create_dir_all(&below).expect("made");
    let config = |words: &[&str]| sandbox.git_in(&clone, ["config", "--local"].iter().chain(words).copied());
    for (key, value, check) in [
        ("http.proxy", "http://127.0.0.1:1", "proxy"),
        ("http.sslCAInfo", "/nowhere/ca.pem", "certificate-file"),
        ("http.sslVerify", "false", "certificate-check"),
        ("http.extraHeader", "Authorization: Bearer hunter2", "extra-header"),
        ("credential.username", "bob", "user-name"),
    ] {
        let (section, name) = key.split_once('.').expect("two parts");
        let elsewhere = format!("{section}.https://other.example.{name}");
        config(&[key, value]).succeeded();
        config(&[&elsewhere, value]).succeeded();
        let found = doctor_in(&sandbox, &below);
        assert!(["fail", "warn"].contains(&found[check]["result"].as_str().expect("text")), "{:#}", found[check]);
        mend_in(&sandbox, &below, &found, check);
        assert_eq!(config(&["--get", key]).code, Some(1), "{key} is still there");
        assert_eq!(config(&["--get", &elsewhere]).succeeded().stdout.trim(), value);
        doctor_in(&sandbox, &below).ended_with(0).expect(check, "ok", "");
        config(&["--unset", &elsewhere]).succeeded();
    }
}

#[test]
fn of_several_values_only_the_one_that_harms_is_taken_out() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let other = format!("{}/", sandbox.gitlab.url());
    for (key, kept, harmful, check) in [
        ("http.extraHeader", "X-Trace: on", "authorization: Bearer hunter2", "extra-header"),
        ("url.git@elsewhere:.insteadOf", "work:", other.as_str(), "address-rules"),
    ] {
        for value in [harmful, kept] {
            sandbox.git_in(&clone, ["config", "--local", "--add", key, value]).succeeded();
        }
        let found = doctor_in(&sandbox, &clone);
        found.ended_with(1).expect(check, "fail", "");
        mend_in(&sandbox, &clone, &found, check);
        doctor_in(&sandbox, &clone).ended_with(0).expect(check, "ok", "");
        assert_eq!(sandbox.git_in(&clone, ["config", "--local", "--get-all", key]).stdout.trim(), kept);
    }
}

#[test]
fn github_desktop_is_known_however_git_hands_its_settings_on() {
    let mut sandbox = Sandbox::linked();
    for written in
        ["'credential.helper=' 'credential.helper=desktop'", "'credential.helper'='' 'credential.helper'='desktop'"]
    {
        sandbox.set("GIT_CONFIG_PARAMETERS", written);
        doctor(&sandbox, &[]).expect("ide", "warn", "GitHub Desktop").expect("helper", "fail", "environment");
    }
    sandbox.unset("GIT_CONFIG_PARAMETERS");
    for (name, value) in [
        ("GIT_CONFIG_COUNT", "2"),
        ("GIT_CONFIG_KEY_0", "credential.helper"),
        ("GIT_CONFIG_VALUE_0", ""),
        ("GIT_CONFIG_KEY_1", "credential.helper"),
        ("GIT_CONFIG_VALUE_1", "desktop"),
    ] {
        sandbox.set(name, value);
    }
    doctor(&sandbox, &[]).expect("ide", "warn", "GitHub Desktop");
}

#[test]
fn the_terminal_of_a_jetbrains_ide_is_no_warning_by_itself() {
    let mut sandbox = Sandbox::linked();
    sandbox.set("TERMINAL_EMULATOR", "JetBrains-JediTerm");
    doctor(&sandbox, &[]).ended_with(0).expect("ide", "ok", "if the IDE itself asks for passwords");
}

#[test]
fn a_helper_that_is_a_snippet_is_named_without_what_is_in_it_and_taken_out() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let key = format!("credential.{}.helper", sandbox.gitlab.url());
    for (value, shown) in [
        ("!f() { echo password=hunter2; }; f", "the helper \"!"),
        ("/usr/lib/git-credential-x.y --token=hunter2", "the helper \"/usr/lib/git-credential-x.y …\""),
    ] {
        sandbox.git_in(&clone, ["config", "--local", "--add", &key, value]).succeeded();
        let found = doctor_in(&sandbox, &clone);
        found.expect("helper-order", "warn", shown);
        assert!(!found.finished.stdout.contains("hunter2"), "{:?}", found.finished);
        mend_in(&sandbox, &clone, &found, "helper-order");
        assert_eq!(doctor_in(&sandbox, &clone)["helper-order"]["result"], "ok");
    }
}

#[test]
fn a_pipe_in_a_files_place_hangs_nobody() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let pipe = sandbox.path("pipe");
    let mut make = sandbox.command("mkfifo");
    make.arg(&pipe);
    run::finish(make, "").succeeded();
    let path = pipe.to_str().expect("text");
    sandbox.git_in(&clone, ["config", "--local", "http.sslCAInfo", path]).succeeded();
    doctor_in(&sandbox, &clone).expect("certificate-file", "fail", "neither a file nor a directory");
    sandbox.git_in(&clone, ["config", "--local", "--unset", "http.sslCAInfo"]).succeeded();
    // git itself waits for ever for such a file.
    sandbox.git_in(&clone, ["config", "--local", "include.path", path]).succeeded();
    let mut command = sandbox.command(crate::support::HELPER);
    command.args(["doctor", "--json"]).current_dir(&clone);
    let told = run::finish(command, "");
    assert!(told.stdout.contains("git config did not answer") && told.took < crate::support::PATIENCE, "{told:?}");
}
