//! Each check of git's config, once where it is well and once where it is not.

use super::super::finding::Outcome::{self, Fail, Ok as Well, Skip, Warn};
use super::*;
use crate::cli::accounts::example;
use crate::cli::git_config::Line;

const OURS: &str = "/opt/git-credential-gitlab";

fn line(origin: &str, key: &str, value: &str) -> Line {
    Line { origin: origin.into(), key: key.into(), value: value.into() }
}

/// A host that is linked and configured, with more lines behind and more in the environment.
fn view(more: &[(&str, &str)], environment: &[(&str, &str)]) -> View {
    let home = format!("file:{}", std::env::home_dir().expect("a home").join(".gitconfig").display());
    let host = "credential.https://gitlab.example.helper";
    let mut lines = vec![line(&home, host, ""), line(&home, host, OURS)];
    lines.extend(more.iter().map(|(key, value)| line(&home, key, value)));
    let section = |name: &str| {
        let of = more.iter().filter(|(key, _)| key.starts_with(name) && key.matches('.').count() == 1);
        of.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let url = "https://gitlab.example".into();
    let settings = Settings { http: section("http."), credential: section("credential."), lines, url };
    View {
        instance: Instance::parse("gitlab.example").expect("a host"),
        accounts: vec![Account { paths: Vec::new(), ..example() }],
        name: None,
        remote: None,
        settings: Ok(settings),
        environment: environment.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        proxy_refusal: None,
        works: Works::Yes,
    }
}

fn of(check: fn(&View) -> Finding, more: &[(&str, &str)], environment: &[(&str, &str)]) -> Outcome {
    check(&view(more, environment)).outcome
}

#[test]
fn all_is_well_where_all_is_well() {
    for check in [
        config,
        helper,
        helper_order,
        user_name,
        paths,
        address_rules,
        prompts,
        proxy,
        certificate_check,
        certificate_file,
        extra_header,
        git_works,
        command_config,
        ide,
    ] {
        let finding = check(&view(&[], &[]));
        assert_eq!((finding.outcome, &finding.fix), (Well, &None), "{finding:?}");
    }
}

#[test]
fn a_helper_that_is_not_asked_is_configured_by_fix() {
    let mut nothing = view(&[], &[]);
    nothing.settings.as_mut().map(|it| it.lines.clear()).expect("read");
    let finding = helper(&nothing);
    assert_eq!((finding.outcome, finding.mend), (Fail, Some(Mend::Configure(nothing.instance.clone()))));
    nothing.accounts.clear();
    assert_eq!(helper(&nothing).outcome, Skip);
    let cleared = helper(&view(&[("credential.helper", "")], &[]));
    assert!(cleared.fix.expect("one").contains("gitlab configure"), "our entry moves behind it");
}

#[test]
fn a_list_that_a_command_empties_is_told_apart() {
    let mut emptied = view(&[], &[("GIT_CONFIG_PARAMETERS", "'credential.helper='")]);
    let settings = emptied.settings.as_mut().expect("read");
    settings.lines.push(line("command line:", "credential.helper", ""));
    assert_eq!((helper(&emptied).outcome, helper(&emptied).mend), (Fail, None));
    assert_eq!(command_config(&emptied).outcome, Warn);
}

#[test]
fn a_helper_by_name_is_not_found_by_a_desktop() {
    let mut named = view(&[("credential.helper", "gitlab")], &[]);
    named.settings.as_mut().map(|it| drop(it.lines.drain(..2))).expect("read");
    assert_eq!(helper(&named).outcome, Warn);
}

#[test]
fn a_stale_path_is_told() {
    let finding = helper_program(&view(&[], &[]));
    assert_eq!((finding.outcome, finding.mend.is_some()), (Fail, true));
    let here = std::env::current_exe().expect("a path").display().to_string();
    let mut there = view(&[], &[]);
    let linked = std::path::PathBuf::from(here).with_file_name("git-credential-gitlab");
    if linked.is_file() {
        let value = crate::cli::helper_path::to_value(&linked).expect("a value");
        there.settings.as_mut().map(|it| it.lines[1].value = value).expect("read");
        assert_eq!(helper_program(&there).outcome, Well);
    }
}

#[test]
fn helpers_that_are_told_our_tokens_are_named() {
    let after = helper_order(&view(&[("credential.helper", "store")], &[]));
    assert!(after.outcome == Warn && after.detail.contains("comes later"), "{after:?}");
    let mut before = view(&[], &[]);
    let settings = before.settings.as_mut().expect("read");
    settings.lines[0].value = "cache".into();
    let before = helper_order(&before);
    assert!(before.outcome == Warn && before.detail.contains("before us"), "{before:?}");
}

#[test]
fn a_foreign_helper_in_a_system_file_is_only_suggested() {
    let mut system = view(&[], &[]);
    let settings = system.settings.as_mut().expect("read");
    settings.lines.push(line("file:.git/config", "credential.helper", "it's"));
    let finding = helper_order(&system);
    assert_eq!(finding.mend, None);
    let command = r"git config --file .git/config --fixed-value --unset-all credential.helper 'it'\''s'";
    assert_eq!(finding.fix.as_deref(), Some(command));
}

#[test]
fn a_user_name_that_is_nobodys_is_told() {
    assert_eq!(of(user_name, &[("credential.username", "bob")], &[]), Warn);
    assert_eq!(of(user_name, &[("credential.username", "Alice")], &[]), Well);
    assert_eq!(of(user_name, &[("credential.username", "alice+read-only")], &[]), Fail);
    let mut remote = view(&[], &[]);
    remote.remote = Some("https://bob:hunter2@gitlab.example/group/app.git".into());
    let finding = user_name(&remote);
    assert!(finding.outcome == Warn && !format!("{finding:?}").contains("hunter2"), "{finding:?}");
}

#[test]
fn an_account_by_path_needs_the_path() {
    let mut chosen = view(&[], &[]);
    chosen.accounts = vec![example()];
    assert_eq!(paths(&chosen).outcome, Fail);
    let mut told = view(&[("credential.usehttppath", "yes")], &[]);
    told.accounts = vec![example()];
    assert_eq!(paths(&told).outcome, Well);
}

#[test]
fn rules_that_lead_elsewhere_are_told() {
    let rule = |key: &str| address_rules(&view(&[(key, "https://gitlab.example/")], &[]));
    let ssh = rule("url.git@gitlab.example:.insteadof");
    assert!(ssh.outcome == Warn && ssh.detail.contains("ssh"), "{ssh:?}");
    assert_eq!(rule("url.ssh://git@gitlab.example/.pushinsteadof").outcome, Warn);
    assert_eq!(rule("url.https://mirror.example/.insteadof").outcome, Warn);
    assert_eq!(rule("url.https://gitlab.example/.insteadof").outcome, Well);
    let secret = rule("url.https://oauth2:hunter2@other.example/.insteadof");
    assert!(secret.outcome == Warn && !format!("{secret:?}").contains("hunter2"), "{secret:?}");
}

#[test]
fn a_prompt_is_told_where_nobody_answers_before_it() {
    let askpass = [("GIT_ASKPASS", "/usr/bin/ksshaskpass")];
    assert_eq!(of(prompts, &[], &askpass), Well);
    assert_eq!(of(prompts, &[("credential.helper", ""), ("core.askpass", "x")], &[]), Warn);
}

#[test]
fn the_proxy_that_counts_is_said_without_its_password() {
    let said = |more: &[(&str, &str)], environment: &[(&str, &str)]| proxy(&view(more, environment)).detail;
    let secret = ("http.proxy", "http://me:hun@ter2@proxy:3128/x");
    let of_config = said(&[secret], &[("https_proxy", "http://other")]);
    assert!(of_config.starts_with("http://proxy:3128, from http.proxy in /"), "{of_config}");
    assert_eq!(
        said(&[], &[("HTTPS_PROXY", "http://u:hunter2@p:1")]),
        "http://p:1, from HTTPS_PROXY in the environment"
    );
    assert!(said(&[], &[("https_proxy", "p:1"), ("no_proxy", "x, .example")]).starts_with("none"));
    assert!(said(&[("http.proxy", "")], &[]).starts_with("none: http.proxy in /"));
}

#[test]
fn certificates_that_are_not_checked_or_not_there_are_told() {
    let unchecked = certificate_check(&view(&[("http.sslverify", "false")], &[]));
    assert!(unchecked.outcome == Warn && unchecked.fix.expect("one").contains("--unset-all http.sslverify"));
    assert_eq!(of(certificate_check, &[], &[("GIT_SSL_NO_VERIFY", "1")]), Warn);
    assert_eq!(of(certificate_file, &[("http.sslcainfo", "/nowhere/ca.pem")], &[]), Fail);
    assert_eq!(of(certificate_file, &[("http.sslcainfo", "/")], &[]), Well);
}

#[test]
fn an_authorization_of_git_config_is_told_and_not_shown() {
    let found = extra_header(&view(&[("http.extraheader", "Authorization: Bearer hunter2")], &[]));
    assert!(found.outcome == Fail && !format!("{found:?}").contains("hunter2"), "{found:?}");
    assert_eq!(of(extra_header, &[("http.extraheader", "X-A: b")], &[]), Well);
    let cleared = [("http.extraheader", "AUTHORIZATION: basic x"), ("http.extraheader", "")];
    assert_eq!(of(extra_header, &cleared, &[]), Well);
}

#[test]
fn ides_with_helpers_of_their_own_are_named() {
    let jetbrains = [("TERMINAL_EMULATOR", "JetBrains-JediTerm")];
    let given = |value: &str, environment: &[(&str, &str)]| {
        let mut view = view(&[], environment);
        let settings = view.settings.as_mut().expect("read");
        settings.lines.push(line(COMMAND_LINE, "credential.helper", value));
        ide(&view)
    };
    assert_eq!([given("desktop", &[]).outcome, given("", &jetbrains).outcome], [Warn, Warn]);
    // In its terminal nothing tells whether its menus do so.
    let hint = ide(&view(&[], &jetbrains));
    assert!(hint.outcome == Well && hint.detail.contains("Use credential helper"), "{hint:?}");
    assert_eq!(of(ide, &[], &[("VSCODE_GIT_IPC_HANDLE", "/x")]), Well);
}

#[test]
fn a_config_that_cannot_be_read_is_one_failure_and_no_more() {
    let mut broken = view(&[], &[]);
    broken.settings = Err(GitError::Refused("fatal: bad config line 1 in file /home/alice/.gitconfig".into()));
    let finding = config(&broken);
    let command = if cfg!(windows) { "notepad" } else { "${EDITOR:-vi}" };
    assert_eq!((finding.outcome, finding.fix), (Fail, Some(format!("{command} /home/alice/.gitconfig"))));
    for check in [helper, helper_program, helper_order, user_name, paths, address_rules, proxy, extra_header] {
        assert_eq!(check(&broken).outcome, Skip);
    }
}
