//! The daemon's log: what happened to which account, and never a token.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tracing::level_filters::LevelFilter;

use super::files;
use super::places::Places;

/// Sets the level: `error`, `warn`, `info` (the default), `debug`, `trace`, `off`.
const LEVEL_VARIABLE: &str = "GIT_CREDENTIAL_GITLAB_LOG";

/// Some ten thousand lines. A longer log gives its place to a new one, and the one before it goes.
const MAX_LOG: u64 = 1 << 20;

/// Opens the log and sends everything there; in the foreground to the terminal instead. Where the
/// system lets nothing be written there is none: a token that lives can be served all the same.
pub fn begin(places: &Places, foreground: bool) -> io::Result<Option<File>> {
    let path = places.log();
    let log = match open(&path) {
        Ok(log) => Some(log),
        Err(why) if is_about_writing(&why) => None,
        Err(why) => return Err(io::Error::new(why.kind(), format!("{}: {why}", path.display()))),
    };
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let builder = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_target(false);
    // It would tell stderr what can't be written, which is the log, and panic where that fails too.
    let builder = builder.log_internal_errors(false);
    match foreground {
        true => builder.with_writer(io::stderr).init(),
        false => {
            let log = log.as_ref().map(File::try_clone).transpose()?;
            builder.with_writer(Arc::new(Bounded::new(path, log))).init();
        }
    }
    Ok(log)
}

/// Why the log can't be written now, for the person.
pub fn problem(places: &Places) -> Option<String> {
    let path = places.log();
    let why = files::open(File::options().create(true).append(true), &path).err()?;
    let state = places.state().display();
    Some(format!("{} can't be written: {why}; if nothing in {state} can, no token is renewed", path.display()))
}

/// A file system that is read-only or full, or a sandbox. What was planted in the log's place is
/// none of these, and has no number of the system's.
fn is_about_writing(why: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    why.raw_os_error().is_some()
        && matches!(why.kind(), ReadOnlyFilesystem | PermissionDenied | StorageFull | QuotaExceeded)
}

/// A log that makes room for itself: a daemon may live for months, and whoever asks it in a loop
/// must not fill the disk.
struct Bounded {
    path: PathBuf,
    /// The file, and how long it is by now.
    log: Mutex<Option<(File, u64)>>,
}

impl Bounded {
    fn new(path: PathBuf, log: Option<File>) -> Self {
        Self { path, log: Mutex::new(log.and_then(measured)) }
    }
}

fn measured(log: File) -> Option<(File, u64)> {
    let length = log.metadata().ok()?.len();
    Some((log, length))
}

impl Write for &Bounded {
    /// What can't be written is lost: there is nobody to tell.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut log = self.log.lock().expect("nobody panics while holding it");
        if log.as_ref().is_none_or(|(_, length)| *length > MAX_LOG)
            && let Some(new) = open(&self.path).ok().and_then(measured)
        {
            *log = Some(new);
        }
        // Where no room can be made, the old one goes on for a while.
        if let Some((file, length)) = log.as_mut().filter(|(_, length)| *length <= 2 * MAX_LOG)
            && file.write_all(line).is_ok()
        {
            *length += line.len() as u64;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // there is no buffer
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Another daemon may do the same: whoever comes second finds a new file.
    if path.metadata().is_ok_and(|found| found.len() > MAX_LOG) {
        fs::rename(path, path.with_extension("log.old"))?;
    }
    files::open(File::options().create(true).append(true), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_a_daemon_that_never_ends_does_not_grow_for_ever() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("daemon.log");
        let log = Bounded::new(path.clone(), Some(open(&path).expect("opened")));
        let line = "x".repeat(100_000) + "\n";
        for _ in 0..50 {
            (&log).write_all(line.as_bytes()).expect("written");
        }
        let files: Vec<u64> = fs::read_dir(directory.path())
            .expect("a directory")
            .map(|file| file.and_then(|file| file.metadata()).expect("readable").len())
            .collect();
        assert_eq!(files.len(), 2);
        assert!(files.iter().all(|size| *size <= MAX_LOG + line.len() as u64), "{files:?}");
    }
    #[test]
    fn a_log_that_can_not_be_set_aside_goes_on_for_a_while() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("daemon.log");
        fs::create_dir_all(directory.path().join("daemon.log.old/in the way")).expect("made");
        let log = Bounded::new(path.clone(), Some(open(&path).expect("opened")));
        let line = "x".repeat(100_000) + "\n";
        for _ in 0..50 {
            (&log).write_all(line.as_bytes()).expect("nobody is told");
        }
        let length = path.metadata().expect("there").len();
        assert!((MAX_LOG + 100_001..=2 * MAX_LOG + 100_001).contains(&length), "{length}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_costs_lines_and_nothing_else() {
        let full = File::options().write(true).open("/dev/full").expect("there");
        let directory = tempfile::tempdir().expect("a directory");
        let log = Bounded::new(directory.path().join("daemon.log"), Some(full));
        (&log).write_all(b"line\n").expect("whoever logs is not told");
    }
}
