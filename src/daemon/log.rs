//! The daemon's log: what happened to which account, and never a token.

use std::fs::{self, File};
use std::io;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;

use super::files;
use super::places::Places;

/// Sets the level: `error`, `warn`, `info` (the default), `debug`, `trace`, `off`.
const LEVEL_VARIABLE: &str = "GIT_CREDENTIAL_GITLAB_LOG";

/// Some ten thousand lines. At a start, a longer log gives its place to a new one.
const MAX_LOG: u64 = 1 << 20;

/// Opens the log and sends everything there; in the foreground to the terminal too.
pub fn begin(places: &Places, foreground: bool) -> io::Result<File> {
    let path = places.log();
    if path.metadata().is_ok_and(|found| found.len() > MAX_LOG) {
        fs::rename(&path, path.with_extension("log.old"))?;
    }
    let named = |why: io::Error| io::Error::new(why.kind(), format!("{}: {why}", path.display()));
    let log = files::open(File::options().create(true).append(true), &path).map_err(named)?;
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let builder = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_target(false);
    match foreground {
        true => builder.with_writer(io::stderr).init(),
        false => builder.with_writer(Arc::new(log.try_clone()?)).init(),
    }
    Ok(log)
}
