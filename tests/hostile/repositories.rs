//! Repositories that send git, its submodules and git-lfs elsewhere.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::support::Sandbox;

/// Commits a file that steers git, and pushes it.
fn plant(sandbox: &Sandbox, clone: &Path, name: &str, text: &str) {
    fs::write(clone.join(name), text).expect("written");
    sandbox.git_in(clone, ["add", name]).succeeded();
    sandbox.git_in(clone, ["commit", "--quiet", "-m", name]).succeeded();
    sandbox.git_in(clone, ["push", "--quiet"]).succeeded();
}

/// Says that it is a GitLab, wants everybody to log in, and keeps what they send.
struct Evil {
    /// Host and port.
    host: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Evil {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("bound").to_string();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let ears = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("somebody");
                let mut request = [0; 16 * 1024];
                let count = stream.read(&mut request).unwrap_or_default();
                ears.lock().expect("no panic").push(String::from_utf8_lossy(&request[..count]).into_owned());
                let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"GitLab\"\r\n\
                              Content-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(answer.as_bytes()); // whoever asked may be gone
            }
        });
        Self { host, heard }
    }

    /// What git sends of its own accord (a name in the address, with an empty password) is no token.
    #[track_caller]
    fn got_nothing(&self, token: &str) {
        let heard = self.heard.lock().expect("no panic");
        assert!(heard.len() > 2, "nobody went there, so nothing was tried");
        for request in heard.iter() {
            let sent = request.lines().filter_map(|line| line.strip_prefix("Authorization: Basic "));
            for login in sent.map(|login| BASE64_STANDARD.decode(login.trim()).expect("base64")) {
                let login = String::from_utf8_lossy(&login).into_owned();
                assert!(!login.contains(token) && !login.contains("oauth2"), "{login}: {request}");
            }
            assert!(!request.contains(token), "{request}");
        }
    }
}

#[test]
fn submodules_elsewhere_get_no_token() {
    let sandbox = Sandbox::linked();
    let token = sandbox.token();
    let (evil, ours) = (Evil::start(), sandbox.gitlab.url().trim_start_matches("http://").to_owned());
    let there = &evil.host;
    let clone = sandbox.clone("group/app", "app");
    let commit = sandbox.git_in(&clone, ["rev-parse", "HEAD"]).succeeded().stdout.trim().to_owned();
    for (number, url) in [
        format!("http://{there}/group/app.git"),
        // Our host as a user name, as a path, and behind what some take for the end of a host.
        format!("http://{ours}@{there}/group/app.git"),
        format!("http://{there}/{ours}/group/app.git"),
        format!("http://{there}#@{ours}/group/app.git"),
        // A line of its own in what git says to its helper, as an old git would have sent it.
        format!("http://{there}/%0ahost={ours}%0aprotocol=http/app.git"),
    ]
    .iter()
    .enumerate()
    {
        let name = format!("sub{number}");
        let section = format!("[submodule \"{name}\"]\n\tpath = {name}\n\turl = {url}\n");
        let modules = fs::read_to_string(clone.join(".gitmodules")).unwrap_or_default() + &section;
        let entry = format!("160000,{commit},{name}");
        sandbox.git_in(&clone, ["update-index", "--add", "--cacheinfo", &entry]).succeeded();
        plant(&sandbox, &clone, ".gitmodules", &modules);
    }
    let url = sandbox.project("group/app");
    let failed = sandbox.git(["clone", "--quiet", "--recurse-submodules", &url, "again"]);
    assert_ne!(failed.code, Some(0), "{failed:?}");
    // The first that fails ends it, so each is tried by itself, too.
    for number in 0..5 {
        let name = format!("sub{number}");
        let failed = sandbox.git_in(&sandbox.path("again"), ["submodule", "update", "--init", &name]);
        assert!(failed.code != Some(0) && !failed.stderr.contains(&token), "{failed:?}");
    }
    evil.got_nothing(&token);
}

#[test]
fn an_lfs_server_elsewhere_gets_no_token() {
    let sandbox = Sandbox::linked();
    let (evil, token) = (Evil::start(), sandbox.token());
    let clone = sandbox.clone("group/app", "app");
    let pointer = "version https://git-lfs.github.com/spec/v1\n\
                   oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    plant(&sandbox, &clone, "large.bin", pointer);
    plant(&sandbox, &clone, ".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    let ours = sandbox.gitlab.url().trim_start_matches("http://").to_owned();
    let there = &evil.host;
    for url in [
        format!("http://{there}/group/app.git/info/lfs"),
        format!("http://{ours}@{there}/group/app.git/info/lfs"),
        format!("http://%0Ahost={ours}%0Aprotocol=http%0A@{there}/group/app.git/info/lfs"),
    ] {
        plant(&sandbox, &clone, ".lfsconfig", &format!("[lfs]\n\turl = {url}\n\tlocksverify = true\n"));
        let failed = sandbox.git_in(&clone, ["lfs", "pull"]);
        assert_ne!(failed.code, Some(0), "{url}: {failed:?}");
    }
    evil.got_nothing(&token);
    // What it asked for in vain costs nothing.
    assert_eq!(sandbox.token(), token);
}
