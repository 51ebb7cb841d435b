//! Small private files that are either the old or the new version, whatever happens; and how any
//! file of ours is opened.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// More than any file of ours has; a larger one is not ours.
const MAX_FILE: u64 = 64 * 1024;

/// Opens a file in a directory of ours; one that is made is this user's alone. Our directories
/// let nobody else in, but they may have been open before, and what was planted then is still
/// there: a link that leads elsewhere, somebody else's file, a pipe that keeps us waiting.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path).map_err(|why| if is_about_link(&why) { planted() } else { why })?;
    let found = file.metadata()?;
    #[cfg(unix)]
    let is_ours = std::os::unix::fs::MetadataExt::uid(&found) == crate::endpoint::user_id();
    #[cfg(not(unix))]
    let is_ours = true; // the profile directory's access list says so
    if found.is_file() && is_ours { Ok(file) } else { Err(planted()) }
}

#[cfg(unix)]
fn is_about_link(why: &io::Error) -> bool {
    why.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
fn is_about_link(_why: &io::Error) -> bool {
    false
}

fn planted() -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        "it is no file of this user, so it is not used; look at it, and remove it",
    )
}

/// Reads a whole file. `None` if there is none.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match open(OpenOptions::new().read(true), path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(why),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is far too large to be ours"));
    }
    Ok(Some(bytes))
}

/// Writes a whole file, readable by this user alone: a new file beside it, flushed to the disk,
/// renamed over the old one, and the rename flushed too. One writer at a time: the new file's
/// name is fixed, so that a crash leaves at most one behind, which the next write replaces.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = new_name(path);
    match fs::remove_file(&new) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let mut file = open(OpenOptions::new().write(true).create_new(true), &new)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    if let Err(why) = written.and_then(|()| fs::rename(&new, path)) {
        let _ = fs::remove_file(&new); // the error that matters is the first
        return Err(why);
    }
    sync_directory(path)
}

/// Removes a file, and what a crash may have left beside it. It is no error if there is none.
pub fn remove(path: &Path) -> io::Result<()> {
    for path in [new_name(path).as_path(), path] {
        match fs::remove_file(path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
    }
    sync_directory(path)
}

fn new_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().expect("a file of ours is in a directory"))?.sync_all()
}

/// Windows can't flush a directory.
#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state");
        assert_eq!(read(&path).expect("readable"), None);
        // What a crash in the middle of an earlier write leaves.
        fs::write(new_name(&path), "half").expect("written");
        for bytes in [&b"one"[..], b"two"] {
            write(&path, bytes).expect("written");
            assert_eq!(read(&path).expect("readable").as_deref(), Some(bytes));
        }
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&path.metadata().expect("there")) & 0o777, 0o600);
        remove(&path).expect("removed");
        remove(&path).expect("removed twice");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0);
    }

    #[cfg(target_os = "linux")] // where pipes can be made without unsafe
    #[test]
    fn what_was_planted_in_a_files_place_is_not_used() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, elsewhere) = (directory.path().join("state"), directory.path().join("elsewhere"));
        fs::write(&elsewhere, "precious").expect("written");
        std::os::unix::fs::symlink(&elsewhere, &path).expect("linked");
        assert_eq!(read(&path).map_err(|why| why.kind()), Err(io::ErrorKind::PermissionDenied));
        assert!(open(OpenOptions::new().create(true).append(true), &path).is_err());
        // A write replaces the link, not what it leads to.
        write(&path, b"new").expect("written");
        assert_eq!(fs::read(&elsewhere).expect("there"), b"precious");
        fs::remove_file(&path).expect("removed");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .expect("a pipe");
        assert!(read(&path).is_err(), "and nobody waits for a writer");
        if crate::endpoint::user_id() == 0 {
            fs::remove_file(&path).expect("removed");
            fs::write(&path, "planted").expect("written");
            std::os::unix::fs::chown(&path, Some(65534), None).expect("given away");
            assert!(read(&path).is_err(), "another user's");
        }
    }

    #[test]
    fn a_file_of_another_kind_is_not_swallowed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state");
        fs::write(&path, vec![b'x'; 70_000]).expect("written");
        assert!(read(&path).is_err());
    }
}
