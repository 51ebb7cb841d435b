//! Each check of a repository, once where it is well and once where it is not.

use super::super::finding::Outcome::{self, Fail, Ok as Well, Skip, Warn};
use super::*;

const GOOD: [(&str, &str); 10] = [
    ("host", "https://gitlab.example"),
    ("label", "alice"),
    ("project", "Group/App"),
    ("path_now", "group/app"),
    ("visibility", "private"),
    ("access_level", "30"),
    ("fetch", "open"),
    ("push", "open"),
    ("default_branch", "main"),
    ("branch_push", "yes"),
];

/// The good facts, with these in place of those of their names; an empty one is gone.
fn view(changed: &[(&str, &str)]) -> View {
    let kept = GOOD.iter().filter(|(key, _)| !changed.iter().any(|(other, _)| other == key));
    let all = kept.chain(changed.iter().filter(|(_, value)| !value.is_empty()));
    let facts = all.fold(Attributes::new(), |all, (key, value)| all.with(key, value));
    View {
        name: None,
        remote: Remote::parse("https://gitlab.example/Group/App.git"),
        instance: Instance::parse("gitlab.example").ok(),
        branch: None,
        facts: Ok(facts),
        others: Others::none(),
    }
}

fn of(check: fn(&View) -> Finding, changed: &[(&str, &str)]) -> Outcome {
    check(&view(changed)).outcome
}

#[test]
fn all_is_well_where_all_is_well() {
    for check in [address, account, project, role, single_sign_on, fetch, push, default_branch] {
        let finding = check(&view(&[]));
        assert_eq!((finding.outcome, &finding.fix), (Well, &None), "{finding:?}");
    }
}

fn named(name: &str) -> Option<Named> {
    Some(Named { name: name.into(), purpose: Purpose::Both })
}

#[test]
fn an_address_that_bypasses_us_is_told_without_its_password() {
    let with = |url: &str| address(&View { remote: Remote::parse(url), name: named("up stream"), ..view(&[]) });
    let secret = with("https://alice:hunter2@gitlab.example/group/app.git");
    let fix = "git remote set-url 'up stream' https://gitlab.example/group/app.git";
    assert_eq!((secret.outcome, secret.fix.as_deref()), (Warn, Some(fix)));
    let ssh = with("git@gitlab.example:group/app.git");
    assert_eq!((ssh.outcome, ssh.fix.as_deref()), (Warn, Some(fix)));
    assert_eq!(with("/srv/app.git").outcome, Skip);
    // The port of ssh is another one, and a base path has no place there.
    let instance = Instance::parse("http://gitlab.example:8080/git").ok();
    let remote = Remote::parse("ssh://git@gitlab.example:2222/group/app.git");
    let below = address(&View { remote, name: named("origin"), instance, ..view(&[]) });
    assert_eq!(below.fix.as_deref(), Some("git remote set-url origin http://gitlab.example:8080/git/group/app.git"));
}

#[test]
fn a_project_that_moved_or_is_missing_is_told() {
    let project = |view: View| super::project(&View { name: named("origin"), ..view });
    let moved = project(view(&[("path_now", "team/app")]));
    assert_eq!(moved.fix.as_deref(), Some("git remote set-url origin https://gitlab.example/team/app.git"));
    let by_git = project(view(&[("path_now", ""), ("fetch_moved_to", "https://gitlab.example/team/app")]));
    assert_eq!(by_git.fix.as_deref(), Some("git remote set-url origin https://gitlab.example/team/app.git"));
    let missing = project(view(&[("path_now", ""), ("api_status", "404"), ("fetch", "missing")]));
    assert!(missing.outcome == Fail && missing.detail.contains("missing, or not for alice"), "{missing:?}");
    for (status, code) in [("401", Code::Relink), ("429", Code::Unreachable)] {
        assert_eq!(project(view(&[("path_now", ""), ("api_status", status)])).code, Some(code));
    }
    assert_eq!(project(view(&[("path_now", ""), ("late", "1")])).code, Some(Code::Unreachable));
}

#[test]
fn what_git_is_told_is_explained() {
    for (verdict, outcome, code) in [
        ("role", Fail, Some(Code::Refused)),
        ("scope", Fail, Some(Code::Refused)),
        ("archived", Warn, None),
        ("banned", Fail, Some(Code::Refused)),
        ("login", Fail, Some(Code::Relink)),
        ("rate", Fail, Some(Code::Unreachable)),
        ("down", Fail, Some(Code::Unreachable)),
        ("unreached", Fail, Some(Code::Unreachable)),
        ("not-git", Fail, Some(Code::Refused)),
        ("no-repository", Fail, Some(Code::Refused)),
        ("of a newer daemon", Fail, Some(Code::Refused)),
        ("missing", Skip, None),
        ("moved", Skip, None),
        ("sso", Skip, None),
    ] {
        let finding = push(&view(&[("push", verdict)]));
        assert_eq!((finding.outcome, finding.code), (outcome, code), "{verdict}");
    }
    let role = push(&view(&[("push", "role"), ("access_level", "20"), ("push_words", "You are not allowed.")]));
    assert!(role.detail.contains("reporter") && role.detail.contains("needs developer"), "{role:?}");
    let off = fetch(&view(&[("fetch", "role"), ("repository_access", "disabled")]));
    assert!(off.detail.contains("switched off"), "{off:?}");
    assert_eq!(of(push, &[("push", "")]), Skip);
}

#[test]
fn the_page_of_single_sign_on_is_opened_if_it_is_gitlabs_own() {
    let with = |page: &str| {
        let words = format!("Cannot find valid SSO session. Please login via your group's SSO at {page}");
        single_sign_on(&view(&[("fetch", "sso"), ("fetch_words", &words)]))
    };
    let page = "https://gitlab.example/groups/group/-/saml/sso";
    let own = with(page);
    assert_eq!((own.code, own.fix), (Some(Code::Relink), Some(format!("git web--browse {page}"))));
    assert!(own.detail.contains(&format!("sign in at {page} in a browser")), "{}", own.detail);
    for page in ["https://sso.example", "https://gitlab.example/groups/gr\u{2026}", "somewhere"] {
        assert_eq!(with(page).fix, None, "{page}");
    }
}

#[test]
fn a_protected_branch_is_told() {
    let finding = default_branch(&view(&[("branch_push", "no")]));
    assert!(finding.outcome == Warn && finding.detail.contains("developer"), "{finding:?}");
    assert_eq!(of(default_branch, &[("branch_push", "no"), ("push", "role")]), Skip);
    assert_eq!(of(default_branch, &[("branch_push", "")]), Skip);
    assert_eq!(of(default_branch, &[("archived", "1")]), Skip);
}

#[test]
fn the_branch_that_is_checked_out_may_be_protected_too() {
    let with = |branch: &str, push: &str| {
        let view = view(&[("current_push", push)]);
        current_branch(&View { branch: Some(branch.into()), name: named("up stream"), ..view })
    };
    let protected = with("stable", "no");
    assert!(protected.outcome == Warn && protected.detail.contains("not to stable"), "{protected:?}");
    assert!(protected.fix.is_some_and(|fix| fix.ends_with("git push --set-upstream 'up stream' my-change")));
    assert_eq!([with("stable", "yes").outcome, with("main", "").outcome, with("new", "").outcome], [Well, Skip, Skip]);
}

#[test]
fn what_a_role_is_good_for_is_told() {
    for (level, allows) in
        [("5", "takes reporter"), ("20", "takes developer"), ("30", "take maintainer"), ("50", "set up webhooks")]
    {
        let finding = role(&view(&[("access_level", level)]));
        assert!(finding.outcome == Well && finding.detail.contains(allows), "{finding:?}");
    }
    assert_eq!(of(role, &[("access_level", "")]), Skip);
}

#[test]
fn a_repository_whose_gitlab_is_not_linked_says_how_to_link() {
    let none = View { facts: Err((Code::NotLinked, "that GitLab is not linked".into())), ..view(&[]) };
    let finding = account(&none);
    assert_eq!(finding.code, Some(Code::NotLinked));
    assert_eq!(finding.fix.as_deref(), Some("git credential-gitlab link gitlab.example"));
    assert_eq!(push(&none).outcome, Skip);
    let ended = "the login of alice at https://gitlab.example has ended: x; to link it again: \
                 git credential-gitlab link https://gitlab.example --account alice";
    let ended = account(&View { facts: Err((Code::Relink, ended.into())), ..view(&[]) });
    assert_eq!(ended.detail, "the login of alice at https://gitlab.example has ended: x");
    assert_eq!(ended.fix.as_deref(), Some("git credential-gitlab link https://gitlab.example --account alice"));
}
