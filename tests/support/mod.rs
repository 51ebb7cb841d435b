//! A person's machine, as far as one test needs it: a home, a GitLab, git, and our programs.

pub mod by_hand;
pub mod chromium;
pub mod clients;
pub mod clock;
pub mod keyring;
pub mod notifications;
pub mod proxy;
pub mod pty;
pub mod run;
pub mod second;
pub mod tokens;
#[cfg(target_os = "linux")]
pub mod vault;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gitlab_stand_in::browser::Browser;
use gitlab_stand_in::{Application, Role, StandIn, Visibility};
use tempfile::TempDir;

pub use run::{Finished, Started};

/// The helper as git runs it.
pub const HELPER: &str = env!("CARGO_BIN_EXE_git-credential-gitlab");
/// The program of people's verbs, to which the helper hands them.
pub const CLI: &str = env!("CARGO_BIN_EXE_git-credential-gitlab--cli");
/// The daemon's program.
pub const DAEMON: &str = env!("CARGO_BIN_EXE_git-credential-gitlab--daemon");

/// Far longer than anything takes, for waits that end with an event.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A home directory with its own environment, and a GitLab where alice is maintainer of the
/// private project `group/app`. Everything ends with it, the daemon too.
pub struct Sandbox {
    directory: TempDir,
    /// The GitLab.
    pub gitlab: StandIn,
    /// Our application there.
    pub client_id: String,
    environment: Vec<(String, String)>,
    git: PathBuf,
}

impl Sandbox {
    /// Over HTTP on loopback, without a runtime directory, without a keyring.
    pub fn new() -> Self {
        Self::with(StandIn::builder().start())
    }

    /// Over HTTPS with a certificate of its own, which git config names.
    pub fn https() -> Self {
        let sandbox = Self::with(StandIn::builder().https(true).start());
        sandbox.set_http("sslCAInfo", sandbox.gitlab.ca_pem().expect("it has one"));
        sandbox
    }

    /// With a GitLab that the test has set up.
    pub fn with(gitlab: StandIn) -> Self {
        gitlab.add_user("alice", "Alice Doe");
        gitlab.add_project("group/app", Visibility::Private);
        gitlab.grant("alice", "group/app", Role::Maintainer);
        let client_id = gitlab.add_application(Application::default()).client_id;
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(directory.path().join("home")).expect("a home");
        let sandbox = Self { directory, gitlab, client_id, environment: Vec::new(), git: "git".into() };
        sandbox.git(["config", "--global", "user.name", "Alice"]).succeeded();
        sandbox.git(["config", "--global", "user.email", "alice@example.com"]).succeeded();
        sandbox
    }

    /// Sets a variable for every command of this sandbox.
    pub fn set(&mut self, name: &str, value: impl AsRef<Path>) {
        let value = value.as_ref().to_str().expect("text").to_owned();
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value));
    }

    /// Sets a variable for no command any more.
    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    /// Sets `http.<url of the GitLab>.<key>` in git config.
    pub fn set_http(&self, key: &str, value: impl AsRef<Path>) {
        let key = format!("http.{}/.{key}", self.gitlab.url());
        self.git(["config", "--global", "--add", &key, value.as_ref().to_str().expect("text")]).succeeded();
    }

    /// Takes another git than the one on PATH.
    pub fn use_git(&mut self, program: &Path) {
        self.git = program.into();
    }

    /// A private runtime directory, as a login session has it.
    pub fn with_runtime_directory(mut self) -> Self {
        let runtime = self.directory.path().join("runtime");
        make_private(&runtime);
        self.set("XDG_RUNTIME_DIR", &runtime);
        self
    }

    /// The home directory.
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// A path beside the home directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where our state is.
    pub fn state(&self) -> PathBuf {
        self.home().join(".local/state/git-credential-gitlab")
    }

    /// The text of the daemon's log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.state().join("daemon.log")).unwrap_or_default()
    }

    /// A command in this sandbox: nothing of our own environment reaches it.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().current_dir(self.directory.path());
        command.env("HOME", self.home()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        // Nobody's desktop: no window of it, and no keyring.
        let no_bus = self.directory.path().join("no-bus");
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", no_bus.display()));
        // Not the key that systemd keeps for this machine, nor one that it would make for it.
        command.env("SYSTEMD_CREDENTIAL_SECRET", self.directory.path().join("credential.secret"));
        // No system file, no prompt, no language.
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs git.
    pub fn git<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Finished {
        self.git_in(self.directory.path(), words)
    }

    /// Runs git in a directory.
    pub fn git_in<'a>(&self, directory: &Path, words: impl IntoIterator<Item = &'a str>) -> Finished {
        let mut command = self.git_command();
        command.args(words).current_dir(directory);
        run::finish(command, "")
    }

    /// git, for what needs more than words.
    pub fn git_command(&self) -> Command {
        self.command(&self.git)
    }

    /// Runs a verb of ours, as `git credential-gitlab` does.
    pub fn verb<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Finished {
        let mut command = self.command(HELPER);
        command.args(words);
        run::finish(command, "")
    }

    /// Runs one of git's own verbs with this input.
    pub fn helper(&self, verb: &str, input: impl AsRef<[u8]>) -> Finished {
        let mut command = self.command(HELPER);
        command.arg(verb);
        run::finish(command, input)
    }

    /// What git asks for the sandbox's GitLab.
    pub fn question(&self) -> String {
        let (protocol, rest) = self.gitlab.url().split_once("://").expect("a URL");
        let host = rest.split('/').next().expect("a host");
        format!("protocol={protocol}\nhost={host}\n")
    }

    /// Starts a helper with this verb and input; the test can do something else meanwhile.
    pub fn start_helper(&self, verb: &str, input: &str) -> Started {
        let mut command = self.command(HELPER);
        command.arg(verb).stdin(Stdio::piped());
        let mut started = Started::new(command);
        let mut stdin = started.child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut stdin, input.as_bytes()).expect("written");
        started
    }

    /// Waits until the server has been asked to renew.
    pub fn wait_for_renewal_to_begin(&self) {
        let begun = |requests: &[gitlab_stand_in::Request]| requests.iter().any(|request| request.is_refresh());
        assert!(self.gitlab.wait_until(PATIENCE, begun), "{}", self.log());
    }

    /// Asks the helper for a token.
    pub fn get(&self) -> Finished {
        self.helper("get", self.question())
    }

    /// A token that the helper gives.
    #[track_caller]
    pub fn token(&self) -> String {
        self.get().token()
    }

    /// Tells the helper, as git does, that the server refused a token.
    pub fn erase(&self, token: &str) {
        self.helper("erase", format!("{}username=oauth2\npassword={token}\n", self.question())).succeeded();
    }

    /// Whether the server takes a token.
    pub fn lives(&self, token: &str) -> bool {
        let url = self.project("group/app").replacen("://", &format!("://oauth2:{token}@"), 1);
        self.git(["-c", "credential.helper=", "ls-remote", &url]).code == Some(0)
    }

    /// Begins to link, with these flags; its address is known when this returns.
    pub fn begin_link<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> (Started, String) {
        let mut command = self.command(HELPER);
        command.arg("link").args(words);
        let mut started = Started::new(command);
        let line = started.wait_for_line(|line| line.contains("/oauth/authorize?"));
        (started, line.trim().to_owned())
    }

    /// A browser with this person in front of it.
    pub fn browser(&self, username: &str) -> Browser {
        let browser = Browser::new(username);
        match self.gitlab.ca_pem() {
            Some(authority) => browser.identified_by(authority, self.gitlab.client_pem()).expect("a certificate"),
            None => browser,
        }
    }

    /// Links with these flags, consent given by this person in a browser.
    pub fn link_as<'a>(&self, username: &str, words: impl IntoIterator<Item = &'a str>) -> Finished {
        let (started, address) = self.begin_link(words);
        let visit = self.browser(username).visit(&address).expect("a visit");
        let finished = started.finish();
        assert!(visit.ok || finished.code != Some(0), "{visit:?}");
        finished
    }

    /// Links with these flags, with this browser.
    pub fn link_with<'a>(&self, mut browser: Browser, words: impl IntoIterator<Item = &'a str>) -> Finished {
        let (started, address) = self.begin_link(words);
        browser.visit(&address).expect("a visit");
        started.finish()
    }

    /// Links alice, with her tokens in a file, and lets git use it.
    pub fn link(&self) -> Finished {
        let (url, id) = (self.gitlab.url().to_owned(), self.client_id.clone());
        self.link_as("alice", [url.as_str(), "--client-id", &id, "--yes"]).succeeded()
    }

    /// A linked sandbox.
    pub fn linked() -> Self {
        let sandbox = Self::new();
        sandbox.link();
        sandbox
    }

    /// The address of a project.
    pub fn project(&self, path: &str) -> String {
        format!("{}/{path}.git", self.gitlab.url())
    }

    /// Clones a project to a directory of that name.
    pub fn clone(&self, path: &str, to: &str) -> PathBuf {
        self.git(["clone", "--quiet", &self.project(path), to]).succeeded();
        self.path(to)
    }

    /// The first account that `status --json` shows.
    pub fn account(&self) -> serde_json::Value {
        self.status()["accounts"][0].clone()
    }

    /// What `status --json` shows.
    pub fn status(&self) -> serde_json::Value {
        let shown = self.verb(["status", "--json"]);
        serde_json::from_str(&shown.stdout).unwrap_or_else(|why| panic!("{why}: {shown:?}"))
    }

    /// The daemon's process id, from its answer.
    pub fn daemon_pid(&self) -> i32 {
        let pid = self.status()["daemon"]["pid"].as_i64().expect("a number");
        i32::try_from(pid).expect("a process id")
    }

    /// Kills the daemon with SIGKILL, and waits until it is gone.
    pub fn kill_daemon(&self) {
        run::kill(self.daemon_pid());
    }

    /// Where the daemon listens.
    pub fn socket(&self) -> PathBuf {
        PathBuf::from(self.status()["daemon"]["socket"].as_str().expect("a path"))
    }

    /// Stops the daemon, and makes it believe at its next start that the token came `age` seconds ago
    /// and has `left` seconds to live.
    pub fn age_token(&self, age: i64, left: i64) {
        self.verb(["daemon", "stop"]).succeeded();
        let files = self.state_files(".tokens");
        let [file] = files.as_slice() else { panic!("one account: {files:?}") };
        age_token_in(file, age, left);
    }

    /// Has the server kill the token, and gets the next.
    #[track_caller]
    pub fn renewed(&self) -> String {
        let old = self.token();
        self.gitlab.expire_access_tokens("alice");
        self.erase(&old);
        let new = self.token();
        assert_ne!(new, old);
        new
    }

    /// The refresh token that the daemon has stored.
    pub fn refresh_token(&self) -> String {
        let [file] = &self.state_files(".tokens")[..] else { panic!("one account") };
        let record: serde_json::Value = serde_json::from_slice(&fs::read(file).expect("readable")).expect("JSON");
        record["refresh_token"].as_str().expect("a refresh token").to_owned()
    }

    /// The state files whose names end so.
    pub fn state_files(&self, ending: &str) -> Vec<PathBuf> {
        let directories = [self.state().join("accounts"), self.state().join("tokens")];
        let entries = directories.iter().flat_map(|directory| fs::read_dir(directory).into_iter().flatten());
        let paths = entries.map(|entry| entry.expect("readable").path());
        paths.filter(|path| path.to_str().is_some_and(|path| path.ends_with(ending))).collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Every daemon that was started here has its socket somewhere below the directory.
        let mut stop = self.command(HELPER);
        stop.args(["daemon", "stop"]);
        let _ = run::finish(stop, "");
    }
}

/// Makes a daemon that starts later believe that the token in a file came `age` seconds ago and
/// has `left` seconds to live.
pub fn age_token_in(file: &Path, age: i64, left: i64) {
    let now = now();
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(file).expect("readable")).expect("JSON");
    record["received_at"] = (now - age).into();
    record["expires_at"] = (now + left).into();
    fs::write(file, record.to_string()).expect("written");
}

/// Every git that is installed: the two that Debian machines have behave differently in details.
pub fn gits() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> =
        std::env::split_paths(&path).chain(["/usr/bin".into(), "/usr/local/bin".into()]).collect();
    found = found.iter().map(|directory| directory.join("git")).filter(|git| git.is_file()).collect();
    found.sort();
    found.dedup_by_key(|git| git.canonicalize().expect("it exists"));
    assert!(!found.is_empty(), "git is installed");
    found
}

/// The wall clock, in seconds.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

/// Makes a directory that only this user can enter.
pub fn make_private(directory: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(directory).expect("a directory");
}

/// Waits until something holds; for what no event tells.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
