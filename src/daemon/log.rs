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

/// Opens the log and sends everything there; in the foreground to the terminal too.
pub fn begin(places: &Places, foreground: bool) -> io::Result<File> {
    let path = places.log();
    let log = open(&path).map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", path.display())))?;
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let builder = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_target(false);
    match foreground {
        true => builder.with_writer(io::stderr).init(),
        false => builder.with_writer(Arc::new(Bounded::new(path, log.try_clone()?)?)).init(),
    }
    Ok(log)
}

/// A log that makes room for itself: a daemon may live for months, and whoever asks it in a loop
/// must not fill the disk.
struct Bounded {
    path: PathBuf,
    /// The file, and how long it is by now.
    log: Mutex<(File, u64)>,
}

impl Bounded {
    fn new(path: PathBuf, log: File) -> io::Result<Self> {
        let length = log.metadata()?.len();
        Ok(Self { path, log: Mutex::new((log, length)) })
    }
}

impl Write for &Bounded {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut log = self.log.lock().expect("nobody panics while holding it");
        if log.1 > MAX_LOG {
            let file = open(&self.path)?;
            let length = file.metadata()?.len();
            *log = (file, length);
        }
        let written = log.0.write(line)?;
        log.1 += written as u64;
        Ok(written)
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
        let log = Bounded::new(path.clone(), open(&path).expect("opened")).expect("its length");
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
}
