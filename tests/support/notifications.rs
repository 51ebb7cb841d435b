//! A desktop that shows notifications: it keeps what it was told to show.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use zbus::blocking::{Connection, connection};
use zbus::zvariant::OwnedValue;

use super::Sandbox;
use super::keyring::Desktop;

/// What a desktop was told to show: a title and a text.
pub type Shown = (String, String);

/// A session bus with nothing on it but a desktop that shows notifications.
pub struct Windows {
    shown: Arc<Mutex<Vec<Shown>>>,
    _service: Connection,
    _bus: Desktop,
}

struct Service {
    shown: Arc<Mutex<Vec<Shown>>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    #[allow(clippy::too_many_arguments)] // the specification's
    fn notify(
        &self,
        _program: String,
        _replaces: u32,
        _icon: String,
        title: String,
        text: String,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _time: i32,
    ) -> u32 {
        let mut shown = self.shown.lock().expect("nobody panics while holding it");
        shown.push((title, text));
        u32::try_from(shown.len()).expect("a few")
    }
}

impl Windows {
    /// The desktop of a sandbox: daemons that start later show their notifications there.
    pub fn of(sandbox: &mut Sandbox) -> Self {
        let bus = Desktop::without_keyring(sandbox);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let service = Service { shown: shown.clone() };
        let connection = connection::Builder::address(bus.address()).expect("an address");
        let connection = connection.serve_at("/org/freedesktop/Notifications", service).expect("a path");
        let connection = connection.name("org.freedesktop.Notifications").expect("a name").build();
        Self { shown, _service: connection.expect("the bus takes us"), _bus: bus }
    }

    /// What was shown so far.
    pub fn shown(&self) -> Vec<Shown> {
        self.shown.lock().expect("nobody panics while holding it").clone()
    }

    /// Waits until so many were shown, and returns the last.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Shown {
        super::eventually(&format!("{count} shown"), || self.shown().len() >= count);
        let shown = self.shown();
        assert_eq!(shown.len(), count, "{shown:?}");
        shown[count - 1].clone()
    }
}
