//! Linking through a browser, and everything that can go wrong on the way.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use gitlab_stand_in::{Application, Endpoint, Fault, StandIn, What};

use crate::support::by_hand::{callback, get, value};
use crate::support::{HELPER, Sandbox, eventually};

#[test]
fn link_says_who_is_linked_and_where_tokens_are_kept() {
    let sandbox = Sandbox::new();
    let finished = sandbox.link();
    assert_eq!(finished.stdout, format!("linked {} as alice\n", sandbox.gitlab.url()));
    assert!(finished.stderr.contains("only you can read"), "{finished:?}");
    assert!(finished.stderr.contains("because"), "a second choice is never silent: {finished:?}");
    let account = sandbox.account();
    assert_eq!(account["username"], "alice");
    assert_eq!(account["name"], "Alice Doe");
    assert_eq!(account["state"], "ok");
    assert_eq!(account["store"], "file");
    assert_eq!(account["kind"], "oauth");
    assert_eq!(account["scopes"], serde_json::json!(["read_api", "write_repository"]));
}

#[test]
fn git_config_gets_one_entry_for_this_host() {
    let sandbox = Sandbox::linked();
    let key = format!("credential.{}.helper", sandbox.gitlab.url());
    let helpers = sandbox.git(["config", "--global", "--get-all", &key]).succeeded().stdout;
    assert_eq!(helpers, format!("\n{HELPER}\n"));
    sandbox.verb(["configure", sandbox.gitlab.url()]).succeeded();
    assert_eq!(sandbox.git(["config", "--global", "--get-all", &key]).succeeded().stdout, helpers);
    sandbox.verb(["unconfigure", sandbox.gitlab.url()]).succeeded();
    sandbox.git(["config", "--global", "--get-all", &key]).ended_with(1);
}

#[test]
fn link_without_configure_leaves_git_config_alone() {
    let sandbox = Sandbox::new();
    let before = fs::read(sandbox.home().join(".gitconfig")).expect("it exists");
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    sandbox.link_as("alice", [url.as_str(), "--client-id", &id, "--no-configure"]).succeeded();
    assert_eq!(fs::read(sandbox.home().join(".gitconfig")).expect("it exists"), before);
}

#[test]
fn the_browser_of_the_environment_is_given_the_address() {
    let mut sandbox = Sandbox::new();
    let seen = sandbox.path("seen address");
    let browser = sandbox.path("browser");
    fs::write(&browser, "#!/bin/sh\nprintf %s \"$1\" > \"$2.part\" && mv \"$2.part\" \"$2\"\n").expect("written");
    fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    sandbox.set("BROWSER", format!("'{}' %s '{}'", browser.display(), seen.display()));
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    let (started, address) = sandbox.begin_link([url.as_str(), "--client-id", &id, "--yes"]);
    eventually("the browser was started", || seen.exists());
    assert_eq!(fs::read_to_string(&seen).expect("written"), address);
    sandbox.browser("alice").visit(&address).expect("a visit");
    started.finish().succeeded();
}

#[test]
fn the_authorization_request_is_what_the_rfcs_ask_for() {
    let sandbox = Sandbox::new();
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    let (started, address) = sandbox.begin_link([url.as_str(), "--client-id", &id, "--read-only", "--yes"]);
    assert_eq!(value(&address, "response_type"), "code");
    assert_eq!(value(&address, "code_challenge_method"), "S256");
    assert_eq!(value(&address, "code_challenge").len(), 43);
    assert!(value(&address, "state").len() >= 22, "128 bits at least");
    assert_eq!(value(&address, "scope"), "read_api+read_repository");
    assert!(callback(&address).starts_with("127.0.0.1:"));
    sandbox.browser("alice").visit(&address).expect("a visit");
    started.finish().succeeded();
    let requests = sandbox.gitlab.requests();
    let is_exchange = |form: &std::collections::BTreeMap<String, String>| form.contains_key("code");
    let exchange = requests.iter().rfind(|request| request.endpoint == Endpoint::Token && is_exchange(&request.form));
    let exchange = exchange.expect("an exchange");
    assert!(exchange.form.contains_key("code_verifier") && exchange.form.contains_key("redirect_uri"), "{exchange:?}");
    assert!(exchange.credentials.is_empty(), "a public client has no secret: {exchange:?}");
}

#[test]
fn a_denied_consent_is_told_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    let (started, address) = sandbox.begin_link([url.as_str(), "--client-id", &id]);
    let visit = sandbox.browser("alice").deny().visit(&address).expect("a visit");
    assert!(visit.title.contains("Not linked"), "{visit:?}");
    let finished = started.finish().ended_with(4);
    assert!(finished.stderr.contains("consent was not given"), "{finished:?}");
    sandbox.verb(["status"]).ended_with(3);
    assert_eq!(sandbox.state_files("").len(), 0);
}

#[test]
fn another_identity_than_the_expected_one_is_refused_and_its_tokens_revoked() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.add_user("bob", "Bob");
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    let finished = sandbox.link_as("bob", [url.as_str(), "--client-id", &id, "--account", "alice"]).ended_with(4);
    assert!(finished.stderr.contains("you signed in as bob, and alice was asked for"), "{finished:?}");
    sandbox.verb(["status"]).ended_with(3);
    eventually("they are revoked", || sandbox.gitlab.live_pairs("bob") == 0);
}

#[test]
fn a_name_that_the_server_does_not_tell_is_taken_on_the_persons_word() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.add_user("bob", "Bob");
    let (url, id) = (sandbox.gitlab.url(), sandbox.client_id.as_str());
    let link = |who: &str, words: &[&str]| {
        let common = [url, "--client-id", id, "--yes", "--scopes", "write_repository"];
        sandbox.link_as(who, common.into_iter().chain(words.iter().copied()))
    };
    let unnamed = link("alice", &[]).succeeded();
    assert!(unnamed.stderr.contains("to give it your user name: git credential-gitlab link"), "{unnamed:?}");
    let named = link("alice", &["--account", "alice"]).succeeded();
    assert_eq!(named.stdout, format!("linked {url} as alice\n"));
    assert!(named.stderr.contains("alice is taken on your word"), "{named:?}");
    assert_eq!(sandbox.status()["accounts"].as_array().map(Vec::len), Some(1), "the same account");
    // From then on it is known; and nobody else can be it.
    assert_eq!(link("alice", &[]).succeeded().stdout, named.stdout);
    let other = link("bob", &["--account", "alice"]).ended_with(4);
    assert!(other.stderr.contains("and alice was asked for"), "{other:?}");
}

#[test]
fn clear_text_over_a_network_needs_a_word() {
    let sandbox = Sandbox::new();
    for host in ["http://gitlab.example.com", "http://10.1.2.3", "http://127.0.0.1.example.com"] {
        let refused = sandbox.verb(["link", host, "--client-id", "x"]).ended_with(2);
        assert!(refused.stderr.contains("--allow-http") && refused.stderr.contains("TLS"), "{refused:?}");
    }
}

#[test]
fn an_unknown_host_says_how_to_register_an_application() {
    let sandbox = Sandbox::new();
    let url = sandbox.gitlab.url().to_owned();
    let told = sandbox.verb(["link", &url]).ended_with(2);
    for part in
        ["/-/user_settings/applications", "git-credential-gitlab", "http://127.0.0.1", "onfidential", "read_api"]
    {
        assert!(told.stderr.contains(part), "{part}: {told:?}");
    }
    assert!(told.stderr.contains(&format!("link {url} --client-id")), "{told:?}");
}

#[test]
fn the_client_id_of_git_config_is_used() {
    for key in ["oauthClientId", "gitLabDevClientId"] {
        let sandbox = Sandbox::new();
        let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
        sandbox.git(["config", "--global", &format!("credential.{url}.{key}"), &id]).succeeded();
        sandbox.link_as("alice", [url.as_str(), "--yes"]).succeeded();
        assert_eq!(sandbox.account()["client_id"], id.as_str());
    }
}

#[test]
fn a_wait_always_ends_and_says_what_to_look_for() {
    let sandbox = Sandbox::new();
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    let finished = sandbox.verb(["link", &url, "--client-id", &id, "--timeout", "1"]).ended_with(4);
    for part in ["within 1 s", &id, "redirect URI", "Confidential"] {
        assert!(finished.stderr.contains(part), "{part}: {finished:?}");
    }
}

#[test]
fn a_confidential_application_without_its_secret_is_explained() {
    let sandbox = Sandbox::new();
    let wrong = sandbox.gitlab.add_application(Application { confidential: true, ..Application::default() });
    let url = sandbox.gitlab.url().to_owned();
    for flow in ["--web", "--device", "--paste"] {
        let refused = sandbox.verb(["link", &url, "--client-id", &wrong.client_id, flow]).ended_with(6);
        assert!(refused.stderr.contains("Confidential"), "{refused:?}");
        assert!(!refused.stderr.contains("/oauth/authorize"), "before anybody is sent to a browser: {refused:?}");
    }
    // With its secret in git config, as git-credential-oauth has it, it works.
    let secret = wrong.client_secret.expect("it has one");
    sandbox.git(["config", "--global", &format!("credential.{url}.oauthClientSecret"), &secret]).succeeded();
    sandbox.link_as("alice", [url.as_str(), "--client-id", &wrong.client_id, "--yes"]).succeeded();
    let dead = sandbox.token();
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.erase(&dead);
    assert_ne!(sandbox.token(), dead, "its renewal has the secret, too");
}

#[test]
fn linking_again_replaces_the_tokens_and_revokes_the_old_ones() {
    let sandbox = Sandbox::linked();
    let old = sandbox.token();
    sandbox.link();
    assert_ne!(sandbox.token(), old);
    assert_eq!(sandbox.status()["accounts"].as_array().map(Vec::len), Some(1));
    eventually("the old pair is revoked", || sandbox.gitlab.live_pairs("alice") == 1);
}

#[test]
fn two_accounts_on_one_host_are_chosen_by_the_name_in_the_address() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.add_user("bob", "Bob");
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    sandbox.link_as("bob", [url.as_str(), "--client-id", &id, "--yes"]).succeeded();
    let token_of = |name: &str| {
        let asked = format!("{}username={name}\n", sandbox.question());
        sandbox.helper("get", asked).succeeded().token()
    };
    assert_eq!(token_of("alice"), sandbox.token(), "the first one linked is the default");
    assert_ne!(token_of("bob"), token_of("alice"));
    assert_eq!(token_of(""), token_of("stranger"));
}

#[test]
fn a_server_that_answers_nonsense_links_nobody() {
    for what in [
        What::Html,
        What::BrokenJson,
        What::Empty,
        What::Reset,
        What::Body(br#"{"access_token":"a\nb","token_type":"Bearer"}"#.to_vec()),
    ] {
        let sandbox = Sandbox::new();
        let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
        let (started, address) = sandbox.begin_link([url.as_str(), "--client-id", &id, "--web"]);
        sandbox.gitlab.fault(Fault::once(Endpoint::Token, what));
        sandbox.browser("alice").visit(&address).expect("a visit");
        let finished = started.finish().ended_with(5);
        assert!(finished.stderr.contains(&format!("{url} was not linked")), "{finished:?}");
        sandbox.verb(["status"]).ended_with(3);
        assert_eq!(sandbox.state_files("").len(), 0);
    }
}

#[test]
fn an_unknown_certificate_is_named_as_the_cause_before_a_browser_opens() {
    let sandbox = Sandbox::with(StandIn::builder().https(true).start());
    let refused = sandbox.verb(["link", sandbox.gitlab.url(), "--client-id", &sandbox.client_id]).ended_with(5);
    assert!(refused.stderr.contains("certificate") && !refused.stderr.contains("/oauth/authorize"), "{refused:?}");
    let mend = format!("to trust it: git config --global http.{}/.sslCAInfo FILE\n", sandbox.gitlab.url());
    assert!(refused.stderr.ends_with(&mend), "{refused:?}");
}

#[test]
fn whoever_signed_in_as_the_wrong_person_is_told_what_to_type_and_who_is_safe() {
    let sandbox = Sandbox::linked();
    sandbox.gitlab.add_user("bob", "Bob");
    let url = sandbox.gitlab.url();
    // Nobody has to fear for alice where bob is linked.
    let told = sandbox.link_as("alice", [url, "--account", "bob"]).ended_with(4);
    let mend = format!("in the browser, then type: git credential-gitlab link {url} --account bob\n");
    assert!(told.stderr.ends_with(&mend), "{told:?}");
    assert!(told.stderr.contains(&format!("{url} was not linked: you signed in as alice")), "{told:?}");
    let told = sandbox.link_as("bob", [url, "--account", "alice"]).ended_with(4);
    let safe = format!("{url} was not linked (nothing has changed for alice): you signed in as bob");
    assert!(told.stderr.contains(&safe), "{told:?}");
    let denied = sandbox.verb(["link", url, "--timeout", "1"]).ended_with(4);
    assert!(denied.stderr.contains("was not linked (nothing has changed for alice): "), "{denied:?}");
}

#[test]
fn a_server_that_goes_away_while_the_person_consents_is_named() {
    let sandbox = Sandbox::new();
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    let (started, address) = sandbox.begin_link([url.as_str(), "--client-id", &id, "--web"]);
    let (to, state) = (callback(&address), value(&address, "state").to_owned());
    sandbox.gitlab.fault(Fault::once(Endpoint::Token, What::Close));
    let page = get(&to, &format!("/?code=x&state={state}"));
    assert!(page.contains("Not linked"), "{page}");
    let finished = started.finish().ended_with(5);
    assert!(finished.stderr.contains(&format!("{url} was not linked")), "{finished:?}");
}

#[test]
fn min_life_and_memory_are_as_asked() {
    let sandbox = Sandbox::new();
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    let words = [url.as_str(), "--client-id", &id, "--yes", "--store", "memory", "--min-life", "60"];
    sandbox.link_as("alice", words).succeeded();
    assert_eq!(sandbox.account()["store"], "memory");
    assert!(sandbox.get().attribute("password").is_some());
    assert_eq!(sandbox.state_files("s").len(), 0, "nothing is written down");
    sandbox.verb(["daemon", "stop"]).succeeded();
    sandbox.verb(["status"]).ended_with(3);
}

#[test]
fn linking_again_keeps_what_was_chosen_before() {
    let sandbox = Sandbox::new();
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    sandbox.link_as("alice", [url.as_str(), "--client-id", &id, "--yes", "--read-only", "--store", "file"]).succeeded();
    sandbox.link_as("alice", [url.as_str(), "--yes"]).succeeded();
    let account = sandbox.account();
    assert_eq!(account["scopes"], serde_json::json!(["read_api", "read_repository"]));
    assert_eq!((account["store"].as_str(), account["client_id"].as_str()), (Some("file"), Some(id.as_str())));
}

#[test]
fn an_endpoint_without_tls_needs_a_word() {
    let sandbox = Sandbox::new();
    let url = sandbox.gitlab.url().to_owned();
    sandbox
        .git(["config", "--global", &format!("credential.{url}.oauthTokenURL"), "http://gitlab.example/token"])
        .succeeded();
    let refused = sandbox.verb(["link", &url, "--client-id", "x"]).ended_with(2);
    assert!(refused.stderr.contains("http://gitlab.example/token") && refused.stderr.contains("TLS"), "{refused:?}");
}

#[test]
fn below_a_path_nothing_else_of_the_host_is_answered() {
    let sandbox = Sandbox::with(StandIn::builder().base_path("/git/lab").start());
    sandbox.link();
    let ours = sandbox.token();
    let asked = |path: &str| sandbox.helper("get", format!("{}path={path}\n", sandbox.question()));
    assert_eq!(asked("git/lab/group/app.git").token(), ours);
    for path in ["group/app.git", "git/labs/app.git", "git/lab/../../group/app.git"] {
        assert_eq!(asked(path).succeeded().stdout, "", "{path}");
    }
}

#[test]
fn a_link_is_answered_as_soon_as_it_is_done() {
    let sandbox = Sandbox::new();
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    let (started, address) = sandbox.begin_link([url.as_str(), "--client-id", &id, "--yes"]);
    let visit = sandbox.browser("alice").visit(&address).expect("a visit");
    let back = std::time::Instant::now();
    started.finish().succeeded();
    assert!(visit.ok && back.elapsed() < Duration::from_secs(3), "the browser has its page, and so has the terminal");
}

#[test]
fn a_token_for_this_machine_does_not_go_through_a_proxy() {
    let mut sandbox = Sandbox::new();
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
    sandbox.set("http_proxy", format!("http://{}", proxy.local_addr().expect("an address")));
    sandbox.link();
    let token = sandbox.token();
    sandbox.erase(&token);
    assert_eq!(sandbox.token(), token);
    proxy.set_nonblocking(true).expect("set");
    // git's own requests may go there, ours may not.
    while let Ok((mut stream, _)) = proxy.accept() {
        let mut request = String::new();
        stream.set_read_timeout(Some(Duration::from_secs(1))).expect("set");
        let _ = stream.read_to_string(&mut request);
        assert!(!request.contains("git-credential-gitlab"), "{request}");
    }
}

#[test]
fn linking_again_into_memory_leaves_no_profile_without_tokens() {
    let sandbox = Sandbox::linked();
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    sandbox.link_as("alice", [url.as_str(), "--client-id", &id, "--yes", "--store", "memory"]).succeeded();
    assert!(sandbox.get().attribute("password").is_some());
    sandbox.verb(["daemon", "stop"]).succeeded();
    sandbox.verb(["status"]).ended_with(3);
}

#[test]
fn a_link_that_can_not_be_kept_leaves_the_stored_one_as_it_was() {
    let sandbox = Sandbox::linked();
    let kept = sandbox.refresh_token();
    let [profile] = &sandbox.state_files(".json")[..] else { panic!("one account") };
    // What is known of the account can't be written; its tokens can.
    fs::create_dir_all(profile.with_extension("json.new").join("x")).expect("a directory");
    let (url, id) = (sandbox.gitlab.url().to_owned(), sandbox.client_id.clone());
    sandbox.link_as("alice", [url.as_str(), "--client-id", &id, "--web"]).ended_with(1);
    eventually("the old pair is back", || sandbox.refresh_token() == kept);
    assert!(sandbox.lives(&sandbox.token()));
    eventually("nothing is left at the server", || sandbox.gitlab.live_pairs("alice") == 1);
}

#[test]
fn nobody_gets_what_somebody_else_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.gitlab.add_user("bob", "Bob");
    let id = sandbox.gitlab.add_application(Application {
        scopes: ["api", "read_api", "write_repository"].map(String::from).to_vec(),
        ..Application::default()
    });
    let (url, id) = (sandbox.gitlab.url().to_owned(), id.client_id);
    sandbox.link_as("alice", [url.as_str(), "--client-id", &id, "--scopes", "api", "--yes"]).succeeded();
    sandbox.link_as("bob", [url.as_str(), "--account", "bob", "--yes"]).succeeded();
    let scopes = |name: &str| {
        let status = sandbox.status();
        let accounts = status["accounts"].as_array().expect("two").clone();
        accounts.into_iter().find(|account| account["username"] == name).expect("linked")["scopes"].clone()
    };
    assert_eq!(scopes("alice"), serde_json::json!(["api"]));
    assert_eq!(scopes("bob"), serde_json::json!(["read_api", "write_repository"]));
}
