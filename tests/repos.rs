//! `repos`: everything the account may reach comes as it is found, and nothing that a server says
//! does harm.

use std::io::Read;
use std::time::Duration;

use gitlab_stand_in::{Endpoint, Fault, Role, StandIn, Visibility, What, When};
use serde_json::{Value, json};

use crate::accounts::{link, two_accounts};
use crate::support::pty::Pty;
use crate::support::{Finished, HELPER, PATIENCE, Sandbox};

/// Runs `repos` with these flags.
pub fn repos(sandbox: &Sandbox, flags: &[&str]) -> Finished {
    sandbox.verb(["repos"].into_iter().chain(flags.iter().copied()))
}

/// The paths that it prints.
pub fn paths(sandbox: &Sandbox, flags: &[&str]) -> Vec<String> {
    let listed = repos(sandbox, flags).succeeded();
    assert_eq!(listed.stderr, "", "{listed:?}");
    listed.stdout.lines().map(|line| line.split('\t').next().expect("a path").to_owned()).collect()
}

fn json_of(sandbox: &Sandbox, flags: &[&str]) -> Vec<Value> {
    let listed = repos(sandbox, &[&["--json"], flags].concat()).succeeded();
    serde_json::from_str(&listed.stdout).unwrap_or_else(|why| panic!("{why}: {listed:?}"))
}

/// Adds projects without repositories.
pub fn add(sandbox: &Sandbox, paths: &[&str]) {
    paths.iter().for_each(|path| sandbox.gitlab.add_project_without_repository(path, Visibility::Private));
}

/// Adds so many below `many`, where alice is a developer.
pub fn add_many(sandbox: &Sandbox, count: usize) {
    (0..count).for_each(|number| add(sandbox, &[&format!("many/p{number}")]));
    sandbox.gitlab.grant("alice", "many", Role::Developer);
}

/// How often the server was asked for projects.
pub fn pages(sandbox: &Sandbox) -> usize {
    sandbox.gitlab.count(Endpoint::Api)
}

/// An answer of the server with these headers.
pub fn answer(body: &str, headers: &[(&str, &str)]) -> What {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    What::Status { code: 200, headers, body: body.into() }
}

pub fn fault(sandbox: &Sandbox, what: What) {
    sandbox.gitlab.fault(Fault::once(Endpoint::Api, what));
}

/// Lets the next request through, so that the next fault hits the one after it.
pub fn no_fault(sandbox: &Sandbox) {
    fault(sandbox, What::Delay(Duration::ZERO));
}

#[test]
fn every_project_comes_with_its_role_wherever_that_comes_from() {
    let sandbox = Sandbox::linked();
    add(&sandbox, &["own/direct", "team/sub/deep", "team/both", "lent/one", "lent/two", "foreign/app"]);
    for (path, role) in [("own/direct", Role::Owner), ("team", Role::Reporter), ("team/both", Role::Planner)] {
        sandbox.gitlab.grant("alice", path, role);
    }
    sandbox.gitlab.share("alice", "lent/one", Role::Developer);
    sandbox.gitlab.share("alice", "lent/two", Role::Guest);
    let listed = repos(&sandbox, &[]).succeeded();
    let roles: Vec<&str> = listed.stdout.lines().collect();
    let line = |path: &str, role: &str| format!("{path}\t{role}\tprivate\t2026-09-01T12:34:56Z\t-");
    assert_eq!(
        roles,
        [
            line("group/app", "maintainer"),
            line("own/direct", "owner"),
            line("team/sub/deep", "reporter"),
            line("team/both", "reporter"),
            line("lent/one", "developer"),
            line("lent/two", "guest"),
        ]
    );
    assert_eq!(listed.stderr, "");
    // A GitLab that answers no such question leaves it open, and so do we.
    no_fault(&sandbox);
    sandbox.gitlab.fault(Fault {
        on: Endpoint::Api,
        when: When::Before,
        what: What::Status { code: 400, headers: Vec::new(), body: "{}".into() },
        times: None,
    });
    let listed = json_of(&sandbox, &["--group", "lent"]);
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|it| it["access"] == "unknown" && it["access_level"].is_null()), "{listed:?}");
}

#[test]
fn what_is_asked_for_is_asked_of_the_server() {
    let sandbox = Sandbox::linked();
    add(&sandbox, &["team/api", "team/sub/api-tool", "team/web", "teams/api"]);
    sandbox.gitlab.add_project_without_repository("open/source", Visibility::Public);
    sandbox.gitlab.add_project_without_repository("team/open", Visibility::Public);
    for (path, role) in [("team/api", Role::Guest), ("team/sub", Role::Developer), ("team/web", Role::Maintainer)] {
        sandbox.gitlab.grant("alice", path, role);
    }
    sandbox.gitlab.grant("alice", "teams", Role::Owner);
    sandbox.gitlab.archive_project("team/web");
    let all = ["group/app", "team/api", "team/sub/api-tool", "team/web", "teams/api"];
    assert_eq!(paths(&sandbox, &[]), all);
    assert_eq!(paths(&sandbox, &["--search", "API"]), ["team/api", "team/sub/api-tool", "teams/api"]);
    // Those of the group that one is a member of: public ones of others are no answer.
    assert_eq!(paths(&sandbox, &["--group", "team"]), ["team/api", "team/sub/api-tool", "team/web"]);
    assert_eq!(paths(&sandbox, &["--group", "/team/sub/"]), ["team/sub/api-tool"]);
    assert_eq!(
        paths(&sandbox, &["--min-access", "developer"]),
        ["group/app", "team/sub/api-tool", "team/web", "teams/api"]
    );
    assert_eq!(paths(&sandbox, &["--group", "team", "--min-access", "maintainer"]), ["team/web"]);
    assert_eq!(paths(&sandbox, &["--archived"]), ["team/web"]);
    assert_eq!(paths(&sandbox, &["--limit", "2"]), ["group/app", "team/api"]);
    assert_eq!(paths(&sandbox, &["--search", "api", "--min-access", "guest", "--limit", "1"]), ["team/api"]);
    assert!(repos(&sandbox, &["--archived"]).stdout.ends_with("\tarchived\n"));
    let asked: Vec<String> =
        sandbox.gitlab.requests().iter().filter_map(|request| request.query.get("search").cloned()).collect();
    assert!(asked.contains(&"API".to_owned()));
    let missing = repos(&sandbox, &["--group", "team/none"]).ended_with(6);
    assert!(missing.stderr.contains("there is no group team/none"), "{missing:?}");
    for flags in [["--group", "../admin"], ["--group", "a?b=c"], ["--min-access", "admin"], ["--limit", "0"]] {
        assert_eq!(repos(&sandbox, &flags).ended_with(2).stdout, "");
    }
    let none = repos(&sandbox, &["--search", "nothing-like-it"]).succeeded();
    assert_eq!((none.stdout.as_str(), none.stderr.lines().count()), ("", 1), "{none:?}");
}

#[test]
fn json_has_exactly_the_promised_fields_and_is_valid_when_empty() {
    let sandbox = Sandbox::linked();
    let url = sandbox.gitlab.url();
    sandbox.gitlab.archive_project("group/app");
    assert_eq!(
        json_of(&sandbox, &[]),
        [json!({
            "path": "group/app", "name": "app", "http_url": format!("{url}/group/app.git"),
            "web_url": format!("{url}/group/app"), "access_level": 40, "access": "maintainer",
            "visibility": "private", "archived": true, "default_branch": "main",
            "last_activity_at": "2026-09-01T12:34:56Z",
        })]
    );
    assert!(json_of(&sandbox, &["--search", "nothing-like-it"]).is_empty());
    add_many(&sandbox, 250);
    assert_eq!(json_of(&sandbox, &[]).len(), 251);
    // A list that breaks off can't be taken for a whole one.
    no_fault(&sandbox);
    fault(&sandbox, What::Reset);
    let broken = repos(&sandbox, &["--json"]).ended_with(5);
    assert!(serde_json::from_str::<Value>(&broken.stdout).is_err());
}

#[test]
fn a_terminal_gets_a_table_that_fits() {
    let sandbox = Sandbox::linked();
    let long = format!("group/{}/the-end", ["a-rather-long-name"; 6].join("/"));
    add(&sandbox, &[&long, "group/old"]);
    sandbox.gitlab.grant("alice", "group", Role::Guest);
    sandbox.gitlab.archive_project("group/old");
    for (width, columns) in [(80, 4), (40, 2)] {
        let line = format!("stty rows 24 cols {width}; '{HELPER}' repos");
        let (code, screen) = Pty::run(&sandbox, &line).finish();
        let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
        assert_eq!(code, Some(0), "{screen}");
        let [head, app, deep, old] = lines[..] else { panic!("{screen}") };
        assert!(lines.iter().all(|line| line.chars().count() <= width), "{screen}");
        assert_eq!(head.split_whitespace().count(), columns, "{screen}");
        assert!(app.starts_with("group/app ") && app.contains("  maintainer"), "{screen}");
        assert!(deep.starts_with("...") && deep.contains("/the-end  guest"), "{screen}");
        assert!(old.starts_with("group/old (archived) "), "{screen}");
        assert_eq!(app.contains("private"), width == 80, "{screen}");
    }
}

#[test]
fn a_scope_that_is_missing_is_named_with_the_command_that_adds_it() {
    let sandbox = Sandbox::new();
    link(&sandbox, "alice", &["--scopes", "read_user write_repository"]).succeeded();
    let refused = repos(&sandbox, &[]).ended_with(6);
    let command = format!(
        "git credential-gitlab link {} --account alice --scopes \"read_api write_repository\"",
        sandbox.gitlab.url()
    );
    assert!(refused.stderr.contains("lacks the scope read_api") && refused.stderr.contains(&command), "{refused:?}");
    assert_eq!((refused.stdout.as_str(), refused.stderr.lines().count()), ("", 1));
    assert_eq!(repos(&sandbox, &["--json"]).ended_with(6).stdout, "");
}

#[test]
fn each_account_lists_what_it_may_reach() {
    let mut sandbox = two_accounts();
    let alice = ["group/app", "shared/app"];
    let bob = ["work/api", "shared/app", "work/sub/Tool"];
    let sorted = |mut paths: Vec<String>| {
        paths.sort();
        paths
    };
    let bobs = sorted(bob.map(str::to_owned).to_vec());
    assert_eq!(sorted(paths(&sandbox, &[])), alice);
    assert_eq!(sorted(paths(&sandbox, &["--account", "BOB"])), bobs);
    sandbox.verb(["use", "bob"]).succeeded();
    assert_eq!(sorted(paths(&sandbox, &[])), bobs);
    let url = sandbox.gitlab.url().to_owned();
    assert_eq!(sorted(paths(&sandbox, &[&url, "--account", "alice"])), alice);
    sandbox.set("GIT_CREDENTIAL_GITLAB_ACCOUNT", "alice");
    assert_eq!(sorted(paths(&sandbox, &[])), alice);
    let told = repos(&sandbox, &["--account", "carol"]).ended_with(3);
    assert!(told.stderr.contains("linked as alice and bob") && told.stderr.contains("--account carol"), "{told:?}");
    let told = repos(&sandbox, &["gitlab.example"]).ended_with(3);
    assert!(told.stderr.contains("git credential-gitlab link gitlab.example"), "{told:?}");
    assert_eq!(told.stderr.lines().count(), 1);
}

#[test]
fn an_old_gitlab_without_keyset_pages_is_listed_by_page_numbers() {
    let sandbox = Sandbox::linked();
    add_many(&sandbox, 250);
    let body = r#"{"error":"Keyset pagination is not yet available for this type of request"}"#;
    fault(&sandbox, What::Status { code: 405, headers: Vec::new(), body: body.into() });
    assert_eq!(paths(&sandbox, &[]).len(), 251);
    let requests = sandbox.gitlab.requests();
    assert_eq!(requests.iter().filter(|it| it.query.contains_key("page")).count(), 2);
}

#[test]
fn gitlabs_below_a_path_and_with_a_certificate_are_listed_too() {
    let sandbox = Sandbox::with(StandIn::builder().base_path("/gitlab").start());
    sandbox.link();
    add_many(&sandbox, 150);
    assert_eq!(paths(&sandbox, &[]).len(), 151);
    assert_eq!(paths(&sandbox, &["--group", "many"]).len(), 150);
    let sandbox = Sandbox::https();
    sandbox.link();
    assert_eq!(paths(&sandbox, &[]), ["group/app"]);
}

#[test]
fn a_busy_server_is_waited_for_a_little_and_a_dead_one_is_told_of() {
    let sandbox = Sandbox::linked();
    let busy = |seconds: &str| What::Status {
        code: 429,
        headers: vec![("Retry-After".into(), seconds.into())],
        body: "Retry later".into(),
    };
    fault(&sandbox, busy("1"));
    let listed = repos(&sandbox, &[]).succeeded();
    assert_eq!(listed.stdout.lines().count(), 1);
    assert!(listed.took >= Duration::from_secs(1) && listed.took < PATIENCE);
    fault(&sandbox, busy("3600"));
    let told = repos(&sandbox, &[]).ended_with(5);
    assert!(told.stderr.contains("429") && told.stderr.contains("in 3600 s"), "{told:?}");
    let status = |code| What::Status { code, headers: Vec::new(), body: String::new() };
    for what in [What::Reset, What::Close, What::Truncate, status(503), status(502), status(302)] {
        let shown = format!("{what:?}");
        fault(&sandbox, what);
        let told = repos(&sandbox, &[]).ended_with(5);
        assert_eq!((told.stdout.as_str(), told.stderr.lines().count()), ("", 1), "{shown}: {told:?}");
        assert!(told.stderr.contains("alice at http"), "{shown}: {told:?}");
    }
    fault(&sandbox, status(403));
    repos(&sandbox, &[]).ended_with(6);
    assert_eq!(paths(&sandbox, &[]), ["group/app"]);
}

#[test]
fn nothing_that_a_server_sends_does_harm() {
    let sandbox = Sandbox::linked();
    let url = sandbox.gitlab.url().to_owned();
    let token = sandbox.token();
    let project = |id: u64, path: &str| format!(r#"{{"id":{id},"path_with_namespace":"{path}","name":"x"}}"#);
    let one = format!("[{}]", project(1, "g/a"));
    // What is no list.
    for what in [What::Html, What::BrokenJson, What::Empty, answer("{}", &[]), answer(r#"{"message":"no"}"#, &[])] {
        let shown = format!("{what:?}");
        fault(&sandbox, what);
        let told = repos(&sandbox, &[]).ended_with(5);
        assert_eq!((told.stdout.as_str(), told.stderr.lines().count()), ("", 1), "{shown}: {told:?}");
    }
    // A body far too long, and one nested far too deep.
    for body in [format!("[{}]", "1,".repeat(4 << 20)), "[".repeat(1 << 20)] {
        fault(&sandbox, answer(&body, &[]));
        repos(&sandbox, &[]).ended_with(5);
    }
    // A next page elsewhere, where the token must not go; or the same one again, or an empty one.
    let other = StandIn::builder().start();
    for next in [
        format!("{}/api/v4/projects", other.url()),
        format!("{}/api/v4/projects", url.replacen("127.0.0.1", "localhost", 1)),
        format!("{url}/oauth/token"),
        format!("{url}/api/v4/../../oauth/revoke"),
        "data:,x".into(),
    ] {
        fault(&sandbox, answer(&one, &[("Link", &format!("<{next}>; rel=\"next\""))]));
        let before = sandbox.gitlab.count(Endpoint::Any);
        let told = repos(&sandbox, &[]).ended_with(5);
        assert!(told.stderr.contains("at another address"), "{next}: {told:?}");
        assert_eq!(sandbox.gitlab.count(Endpoint::Any), before + 1, "{next}");
    }
    assert_eq!(other.count(Endpoint::Any), 0);
    let circle = format!("<{url}/api/v4/projects?id_after=1>; rel=\"next\"");
    for body in [one.as_str(), "[]"] {
        let what = answer(body, &[("Link", &circle)]);
        sandbox.gitlab.fault(Fault { on: Endpoint::Api, when: When::Before, what, times: None });
        let before = pages(&sandbox);
        let told = repos(&sandbox, &[]).ended_with(5);
        assert!(told.stderr.contains("in a circle"), "{told:?}");
        assert!(pages(&sandbox) - before < 20);
        sandbox.gitlab.clear_faults();
    }
    // Names.
    let long = "x".repeat(100_000);
    let rows = [
        project(1, r"g/\u001b[2J"),
        project(2, r"g/a\nb\tc"),
        project(3, &format!("g/{long}")),
        project(4, "../../etc"),
        project(5, "-rf/x"),
        project(5, "nowhere"),
        r#"{"id":6}"#.into(),
        r#"{"path_with_namespace":"g/a"}"#.into(),
        "null".into(),
        format!(
            r#"{{"id":7,"path_with_namespace":"g/good","name":"\u001b]0;x\u0007\u202e\n{long}","visibility":"\u001b[2J",
                "http_url_to_repo":"javascript:alert(1)\n","web_url":"{long}","default_branch":"\r\n--upload-pack=x",
                "last_activity_at":"\u001b[2J","permissions":{{"project_access":{{"access_level":35}}}}}}"#
        ),
    ];
    let body = format!("[{}]", rows.join(","));
    for flags in [&[][..], &["--json"]] {
        fault(&sandbox, answer(&body, &[]));
        let told = repos(&sandbox, flags).succeeded();
        assert!(told.stderr.contains("9 of the projects"), "{told:?}");
        let harmful = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert!(!told.stdout.contains(harmful) && told.stdout.len() < 3_000, "{}", told.stdout);
        assert!(!told.stderr.contains(harmful) && !told.stderr.contains(&token));
        if flags.is_empty() {
            let good = told.stdout.lines().find(|line| line.starts_with("g/good")).expect("it is there");
            assert_eq!(good, "g/good\tlevel-35\tunknown\t-\t-");
        } else {
            let projects: Vec<Value> = serde_json::from_str(&told.stdout).expect("JSON");
            let good = projects.iter().find(|it| it["path"] == "g/good").expect("it is there");
            assert_eq!(good["http_url"], format!("{url}/g/good.git"));
            assert_eq!(good["web_url"], format!("{url}/g/good"));
        }
    }
    assert_eq!(sandbox.token(), token);
}

#[test]
fn a_request_that_makes_no_sense_is_refused_by_the_daemon_too() {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    let sandbox = Sandbox::linked();
    let before = pages(&sandbox);
    for more in ["host=ftp://x", "group=a/../b", "group=a%2Fb", "min_access=99", "limit=-1", "limit=x"] {
        let mut stream = UnixStream::connect(sandbox.socket()).expect("a daemon");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.write_all(format!("action=repos\n{more}\n\n").as_bytes()).expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        assert!(answer.starts_with("error=usage\n"), "{more}: {answer}");
    }
    assert_eq!(pages(&sandbox), before);
}
