//! What comes from stdin: lines, one by one when somebody asks for one, or as they are typed while
//! something else is waited for.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Mutex, OnceLock};

/// More than any token, secret or address has.
const LONGEST: u64 = 64 * 1024;

/// The lines of stdin, once somebody has begun to read them beside other things: from then on
/// every line comes from here.
static TYPED: OnceLock<Mutex<mpsc::Receiver<String>>> = OnceLock::new();

/// What was typed meanwhile.
pub(super) enum Typed {
    /// This line.
    Line(String),
    /// Nothing yet.
    Nothing,
    /// Nothing, and nothing will be.
    End,
}

/// The next line, however long it takes; the lines behind it stay for whoever asks next. `None` at
/// the end of input.
pub(super) fn line() -> io::Result<Option<String>> {
    if let Some(typed) = TYPED.get() {
        return Ok(typed.lock().expect("nobody panics here").recv().ok());
    }
    let mut line = String::new();
    let read = io::stdin().lock().take(LONGEST).read_line(&mut line)?;
    Ok((read > 0).then_some(line))
}

/// A line that was typed while something else is waited for.
pub(super) fn typed() -> Typed {
    let typed = TYPED.get_or_init(|| Mutex::new(read_in_background()));
    match typed.lock().expect("nobody panics here").try_recv() {
        Ok(line) => Typed::Line(line),
        Err(TryRecvError::Empty) => Typed::Nothing,
        Err(TryRecvError::Disconnected) => Typed::End,
    }
}

/// Whether somebody reads what is typed beside other things.
pub(super) fn is_being_read() -> bool {
    TYPED.get().is_some()
}

/// Whether it is certain already that nothing will come: stdin is closed, or nobody's.
pub(super) fn has_ended() -> bool {
    // Whoever reads beside other things holds stdin, and will notice.
    !is_being_read() && comes_at_once() && io::stdin().lock().fill_buf().is_ok_and(<[u8]>::is_empty)
}

/// Whether who reads stdin need not wait, for something or for the end.
#[cfg(unix)]
fn comes_at_once() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let (stdin, at_once) = (io::stdin(), Timespec { tv_sec: 0, tv_nsec: 0 });
    let mut wanted = [PollFd::new(&stdin, PollFlags::IN)];
    // Where it can't tell, macOS says so of a terminal, too.
    poll(&mut wanted, Some(&at_once)).is_ok() && wanted[0].revents().intersects(PollFlags::IN | PollFlags::HUP)
}

/// Not to be known without waiting.
#[cfg(not(unix))]
fn comes_at_once() -> bool {
    false
}

fn read_in_background() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            if line.is_err() || line.is_ok_and(|line| sender.send(line).is_err()) {
                return;
            }
        }
    });
    lines
}
