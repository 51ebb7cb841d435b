//! A real browser, moved by the DevTools protocol: JSON messages with a NUL at the end, through
//! two pipes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::PATIENCE;

/// Chromium reads at descriptor 3 and writes to 4. What it prints is of no interest.
const SCRIPT: &str = "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";

/// Root has no sandbox; whatever Chromium does on its own account is off, and no name but this
/// machine's leads anywhere.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
];

/// What is listened to.
const DOMAINS: [&str; 5] = ["Page", "Network", "Runtime", "Log", "Audits"];

/// A browser with one tab.
pub struct Chromium {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Option<String>,
    calls: u64,
    events: Vec<Value>,
    _profile: TempDir,
}

impl Chromium {
    /// With nothing in its memory.
    pub fn start() -> Self {
        let profile = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new("sh");
        command.arg("-c").arg(SCRIPT).arg("sh").args(FLAGS);
        command.arg(format!("--user-data-dir={}", profile.path().display())).env("HOME", profile.path());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh is there");
        let (to, from) = (process.stdin.take().expect("a pipe"), process.stdout.take().expect("a pipe"));
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(from).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let (from, events) = (receiver, Vec::new());
        let mut browser = Self { process, to, from, session: None, calls: 0, events, _profile: profile };
        let tab = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let tab = json!({"targetId": tab["targetId"], "flatten": true});
        browser.session = browser.call("Target.attachToTarget", tab)["sessionId"].as_str().map(str::to_owned);
        for domain in DOMAINS {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method, and waits for what it returns.
    #[track_caller]
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("Chromium runs (is it installed?)");
        loop {
            let message = self.receive();
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    #[track_caller]
    fn receive(&self) -> Value {
        self.from.recv_timeout(PATIENCE).expect("Chromium runs (is it installed?), and answers")
    }

    /// The parameters of the events of a kind so far.
    pub fn events(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["method"] == kind).map(|event| &event["params"])
    }

    /// Does something that leads to another page, and waits until that is there, with all redirects.
    #[track_caller]
    fn until_loaded(&mut self, what: impl FnOnce(&mut Self)) {
        let loads = |browser: &Self| browser.events("Page.loadEventFired").count();
        let before = loads(self);
        what(self);
        while loads(self) == before {
            let event = self.receive();
            self.events.push(event);
        }
    }

    /// Opens an address.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        self.until_loaded(|browser| drop(browser.call("Page.navigate", json!({"url": url}))));
    }

    /// Loads the page again.
    #[track_caller]
    pub fn reload(&mut self) {
        self.until_loaded(|browser| drop(browser.call("Page.reload", json!({}))));
    }

    /// Presses a button that leads to another page.
    #[track_caller]
    pub fn press(&mut self, label: &str) {
        let script = format!(
            "[...document.querySelectorAll('button')].find(button => button.textContent.trim() === {label:?}).click()"
        );
        self.until_loaded(|browser| drop(browser.evaluate(&script)));
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub fn evaluate(&mut self, script: &str) -> Value {
        let answer = self.call("Runtime.evaluate", json!({"expression": script, "returnByValue": true}));
        assert!(answer["exceptionDetails"].is_null(), "{script}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The text of an expression in the page.
    #[track_caller]
    pub fn text(&mut self, script: &str) -> String {
        self.evaluate(script).as_str().unwrap_or_default().to_owned()
    }

    /// Shows the page on a screen of this size, by day or by night.
    pub fn look(&mut self, (width, height): (u32, u32), scheme: &str) {
        let mut screen = json!({"width": width, "height": height, "screenWidth": width, "screenHeight": height});
        screen["deviceScaleFactor"] = 1.into();
        screen["mobile"] = (width < 600).into();
        self.call("Emulation.setDeviceMetricsOverride", screen);
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", json!({"features": [feature]}));
    }

    /// What is on the screen, as PNG.
    pub fn screenshot(&mut self) -> Vec<u8> {
        let shot = self.call("Page.captureScreenshot", json!({"format": "png"}));
        BASE64_STANDARD.decode(shot["data"].as_str().expect("an image")).expect("base64")
    }

    /// What the browser complains about: errors in the console, violations of a policy.
    pub fn complaints(&self) -> impl Iterator<Item = String> {
        let kinds = ["Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Audits.issueAdded"];
        kinds.into_iter().flat_map(|kind| self.events(kind)).map(Value::to_string)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It is asked, because a killed one leaves children behind that still write to the profile.
        let close = json!({"id": 0, "method": "Browser.close"});
        let _ = self.to.write_all(format!("{close}\0").as_bytes());
        while self.from.recv_timeout(PATIENCE).is_ok() {}
        let _ = self.process.kill(); // it did not listen
        let _ = self.process.wait();
    }
}
