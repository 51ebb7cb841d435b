//! Asking for what must not be seen.
//!
//! What is typed is hidden by the terminal, and the terminal stays as it is when we end: so whatever
//! ends us meanwhile has to bring its echo back, or the person's shell would show nothing any more.

use std::io;

use super::interrupt;

/// What was typed after the question; `None` at the end of input.
pub(super) fn ask(question: &str) -> io::Result<Option<String>> {
    let _restored = restored_on_a_signal(|| ());
    match rpassword::prompt_password(question) {
        Ok(typed) => Ok(Some(typed)),
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        // Ctrl-C is a character here. The terminal is as it was.
        Err(why) if why.kind() == io::ErrorKind::Interrupted => interrupt::end(),
        Err(why) => Err(why),
    }
}

/// A signal leaves the terminal as it is now, after somebody has done what else that takes.
#[cfg(unix)]
pub(super) fn restored_on_a_signal(first: impl Fn() + Send + 'static) -> Option<interrupt::InForce> {
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
    let terminal = std::fs::File::open("/dev/tty").ok()?; // where it is asked
    let before = tcgetattr(&terminal).ok()?;
    Some(interrupt::instead(move || {
        first();
        let _ = tcsetattr(&terminal, OptionalActions::Now, &before); // there may be nobody to see it
        interrupt::end();
    }))
}

/// The shells of Windows set the console as they need it.
#[cfg(not(unix))]
pub(super) fn restored_on_a_signal(first: impl Fn() + Send + 'static) -> Option<interrupt::InForce> {
    Some(interrupt::instead(move || {
        first();
        interrupt::end();
    }))
}
