//! A real gnome-keyring-daemon on a D-Bus session of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{PATIENCE, Sandbox, make_private, run};

/// A session bus; a keyring may or may not be on it. Both end with this.
pub struct Desktop {
    bus: Child,
    keyring: Option<Child>,
    address: String,
    directory: PathBuf,
}

impl Desktop {
    /// A bus on which nothing offers a keyring, and nothing can be started that does.
    pub fn without_keyring(sandbox: &mut Sandbox) -> Self {
        let directory = sandbox.path("desktop");
        make_private(&directory);
        let config = directory.join("bus.conf");
        let text = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={}/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"#,
            directory.display()
        );
        fs::write(&config, text).expect("written");
        let mut bus = Command::new("dbus-daemon");
        bus.arg(format!("--config-file={}", config.display())).args(["--nofork", "--print-address=1"]);
        bus.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut bus = bus.spawn().expect("dbus-daemon is installed");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().expect("a pipe")).read_line(&mut address).expect("an address");
        let address = address.trim().to_owned();
        sandbox.set("DBUS_SESSION_BUS_ADDRESS", &address);
        Self { bus, keyring: None, address, directory }
    }

    /// Where the bus listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A bus with a keyring that is unlocked.
    pub fn with_keyring(sandbox: &mut Sandbox) -> Self {
        let mut desktop = Self::without_keyring(sandbox);
        desktop.start_keyring(&sandbox.home());
        desktop
    }

    /// Starts the keyring and unlocks it, creating its collection if there is none.
    pub fn start_keyring(&mut self, home: &Path) {
        let control = self.directory.join("control");
        let mut keyring = Command::new("gnome-keyring-daemon");
        keyring.args(["--foreground", "--unlock", "--components=secrets", "--control-directory"]).arg(&control);
        keyring.env_clear().env("HOME", home).env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        keyring.env("XDG_RUNTIME_DIR", &self.directory).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        keyring.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keyring = keyring.spawn().expect("gnome-keyring-daemon is installed");
        keyring.stdin.take().expect("a pipe").write_all(b"password").expect("it reads its password");
        self.keyring = Some(keyring);
        let answers = || self.call("/org/freedesktop/secrets/aliases/default", "org.freedesktop.DBus.Peer.Ping", &[]);
        super::eventually("the keyring answers", answers);
    }

    /// Locks the keyring's collection.
    pub fn lock(&self) {
        let path = "array:objpath:/org/freedesktop/secrets/aliases/default";
        assert!(self.call("/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock", &[path]));
    }

    /// The keyring answers nobody any more, or does again.
    pub fn hang(&self, hangs: bool) {
        let keyring = self.keyring.as_ref().expect("it runs");
        run::signal(keyring.id().cast_signed(), if hangs { "STOP" } else { "CONT" });
    }

    /// Ends the keyring; its collection stays on disk.
    pub fn stop_keyring(&mut self) {
        if let Some(mut keyring) = self.keyring.take() {
            let _ = keyring.kill();
            let _ = keyring.wait();
        }
    }

    fn call(&self, path: &str, method: &str, arguments: &[&str]) -> bool {
        let mut send = Command::new("dbus-send");
        send.arg(format!("--bus={}", self.address)).arg("--print-reply");
        send.arg(format!("--reply-timeout={}", PATIENCE.as_millis())).arg("--dest=org.freedesktop.secrets");
        send.arg(path).arg(method).args(arguments).env_clear();
        let status = send.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.expect("dbus-send is installed").success()
    }

    /// What secret-tool finds under an attribute of ours.
    pub fn lookup(&self, username: &str) -> String {
        let mut tool = Command::new("secret-tool");
        tool.args(["lookup", "service", "git-credential-gitlab", "username", username]);
        tool.env_clear().env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        run::finish(tool, "").stdout
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.stop_keyring();
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}
