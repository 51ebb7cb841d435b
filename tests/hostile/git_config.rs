//! What git config can say, whoever wrote it: N10, and values of every size and kind.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use gitlab_stand_in::StandIn;

use super::{is_one_line_at_most, token_of};
use crate::support::{HELPER, Sandbox, run};

/// Row N10.
#[test]
fn the_config_of_a_repository_moves_no_endpoint_and_no_proxy() {
    let sandbox = Sandbox::linked();
    let clone = sandbox.clone("group/app", "app");
    let evil = StandIn::builder().start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = format!("http://{}", listener.local_addr().expect("bound"));
    let url = sandbox.gitlab.url().to_owned();
    for (key, value) in [
        (format!("credential.{url}.oauthTokenURL"), format!("{}/oauth/token", evil.url())),
        (format!("credential.{url}.oauthAuthURL"), format!("{}/oauth/authorize", evil.url())),
        (format!("credential.{url}.oauthClientId"), "evil".into()),
        (format!("credential.{url}.gitlabAccount"), "mallory".into()),
        (format!("credential.{url}.gitlabStore"), "memory".into()),
        (format!("http.{url}/.sslVerify"), "false".into()),
        (format!("http.{url}/.extraHeader"), "X-Evil: 1".into()),
        ("core.fsmonitor".into(), "touch planted".into()),
    ] {
        sandbox.git_in(&clone, ["config", "--local", &key, &value]).succeeded();
    }
    // git itself would take this one for its own requests, so it is set for ours alone.
    let config = clone.join(".git/config");
    let text = fs::read_to_string(&config).expect("readable");
    fs::write(&config, format!("{text}[http \"{url}/oauth\"]\n\tproxy = {proxy}\n")).expect("written");
    // Asked there, by a daemon that is started there, and that has to renew.
    sandbox.age_token(7200, 0);
    let mut helper = sandbox.command(HELPER);
    helper.arg("get").current_dir(&clone).env("GIT_DIR", clone.join(".git")).env("GIT_WORK_TREE", &clone);
    token_of(&run::finish(helper, sandbox.question()));
    assert_eq!(sandbox.gitlab.token_requests(), 1, "it was renewed where it was linked");
    assert_eq!(evil.requests().len(), 0);
    sandbox.git_in(&clone, ["fetch"]).succeeded();
    listener.set_nonblocking(true).expect("set");
    assert!(listener.accept().is_err(), "somebody came to the proxy");
    assert_eq!(evil.requests().len(), 0);
}

/// Lines to be appended to the person's own config, as they would stand there.
fn configs(url: &str) -> Vec<(&'static str, Vec<u8>)> {
    let here = |lines: &str| format!("[credential \"{url}\"]\n{lines}[http \"{url}/\"]\n{lines}").into_bytes();
    let keys: String = (0..20_000).map(|number| format!("\tkey{number} = value\n")).collect();
    let headers = "\textraHeader = X: y\n".repeat(3_000);
    let accounts: String =
        (0..5_000).map(|number| format!("[credential \"{url}/group{number}\"]\n\tgitlabAccount = alice\n")).collect();
    let every = |value: &str| {
        let names = [
            "oauthScopes",
            "oauthClientId",
            "gitlabFlow",
            "gitlabStore",
            "gitlabMinLife",
            "gitlabRotate",
            "gitlabJournal",
            "gitlabNotify",
            "oauthTokenURL",
            "oauthRedirectURL",
            "proxy",
            "sslCAInfo",
            "sslCert",
            "sslKey",
            "sslVerify",
            "userAgent",
            "extraHeader",
        ];
        names.map(|name| format!("\t{name} = {value}\n")).concat()
    };
    vec![
        ("a huge value", here(&format!("\toauthScopes = {0}\n\tuserAgent = {0}\n", "x".repeat(3 << 20)))),
        ("thousands of keys", here(&keys)),
        ("thousands of headers", here(&headers)),
        ("thousands of accounts", accounts.into_bytes()),
        ("newlines in values", here(&every(r#""a\nb\npassword=x\n\nhost=evil.example\n""#))),
        ("escapes in values", here(&every("\"\u{1b}[2J\u{202e}\""))),
        ("not UTF-8", [here(""), b"\tproxy = \"\xff\xfe\"\n\toauthScopes = \xc3\x28\n".to_vec()].concat()),
        ("keys without values", here(&every("x").replace(" = x", ""))),
        ("empty values", here(&every(""))),
        ("numbers out of range", here(&every("99999999999999999999"))),
        ("devices for files", here("\tsslCAInfo = /dev/zero\n\tsslCert = /dev/zero\n\tsslKey = /dev/tty\n")),
        ("a file that includes itself", b"[include]\n\tpath = ~/.gitconfig\n".to_vec()),
        ("no config", b"[credential \"unfinished\n\0\n".to_vec()),
    ]
}

#[test]
fn whatever_git_config_says_a_living_token_is_served_and_trouble_is_one_line() {
    let url = "http://127.0.0.1:1"; // replaced by the sandbox's own
    std::thread::scope(|scope| {
        for (number, (name, _)) in configs(url).into_iter().enumerate() {
            scope.spawn(move || {
                let sandbox = Sandbox::linked();
                let token = sandbox.token();
                let path = sandbox.home().join(".gitconfig");
                let good = fs::read(&path).expect("readable");
                let (_, lines) = configs(sandbox.gitlab.url()).swap_remove(number);
                fs::write(&path, [good.as_slice(), &lines].concat()).expect("written");
                for restart in [false, true] {
                    if restart {
                        sandbox.verb(["daemon", "stop"]).succeeded();
                    }
                    let got = sandbox.get();
                    assert_eq!(got.attribute("password").as_ref(), Some(&token), "{name}: {got:?}");
                    assert!(is_one_line_at_most(&got.stderr), "{name}: {got:?}");
                }
                // What needs the config says what is wrong with it, and ends.
                sandbox.age_token(7200, 0);
                for told in [sandbox.get(), sandbox.verb(["status", "--check"]), sandbox.verb(["repos"])] {
                    assert!(told.took < Duration::from_secs(10), "{name}: {told:?}");
                    let harmful = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
                    let said = told.stdout.clone() + &told.stderr;
                    assert!(!said.contains(harmful) && said.len() < 5_000, "{name}: {said}");
                    assert!(told.code.is_some_and(|code| code <= 6), "{name}: {told:?}");
                }
                assert!(!sandbox.log().contains("panicked"), "{name}: {}", sandbox.log());
                // Mended, everything works again, and nothing was lost.
                fs::write(&path, good).expect("written");
                sandbox.verb(["daemon", "restart"]).succeeded();
                assert!(sandbox.get().attribute("password").is_some(), "{name}");
            });
        }
    });
}
