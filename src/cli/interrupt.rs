//! Ctrl-C, and being asked to end.
//!
//! A process has one handler for them, so what it does is kept here, for as long as somebody needs
//! something other than the end; and without anybody who does there is no handler at all.

use std::process;
use std::sync::{Mutex, MutexGuard, Once};

/// What a shell says of a command that Ctrl-C ended.
pub(super) const INTERRUPTED: u8 = 130;

type Action = Box<dyn Fn() + Send>;

static IN_FORCE: Mutex<Option<Action>> = Mutex::new(None);

/// What somebody needs is done on a signal as long as this lives; then it is the end again.
#[must_use]
pub(super) struct InForce(());

/// From now on a signal does this, and ends nothing by itself.
pub(super) fn instead(action: impl Fn() + Send + 'static) -> InForce {
    static HANDLER: Once = Once::new();
    *in_force() = Some(Box::new(action));
    // Where it can't be set, a signal ends us as it would have before.
    HANDLER.call_once(|| drop(ctrlc::set_handler(on_signal)));
    InForce(())
}

/// The end that Ctrl-C means.
pub(super) fn end() -> ! {
    process::exit(INTERRUPTED.into())
}

fn on_signal() {
    match &*in_force() {
        Some(action) => action(),
        None => end(),
    }
}

fn in_force() -> MutexGuard<'static, Option<Action>> {
    IN_FORCE.lock().expect("nobody panics here")
}

impl Drop for InForce {
    fn drop(&mut self) {
        *in_force() = None;
    }
}
