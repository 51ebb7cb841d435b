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
        options.mode(0o600).custom_flags((rustix::fs::OFlags::NOFOLLOW | NO_WAIT).bits().cast_signed());
    }
    let file = options.open(path).map_err(|why| if is_about_something_else(&why) { planted() } else { why })?;
    let found = file.metadata()?;
    #[cfg(unix)]
    let is_ours = std::os::unix::fs::MetadataExt::uid(&found) == crate::endpoint::user_id();
    #[cfg(not(unix))]
    let is_ours = true; // the profile directory's access list says so
    if found.is_file() && is_ours { Ok(file) } else { Err(planted()) }
}

/// A pipe would keep us waiting for its other end, and a terminal would become ours.
#[cfg(unix)]
const NO_WAIT: rustix::fs::OFlags = rustix::fs::OFlags::NONBLOCK.union(rustix::fs::OFlags::NOCTTY);

/// What a link says that is not followed, and a pipe without its other end to whoever would write.
#[cfg(unix)]
fn is_about_something_else(why: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::LOOP, Errno::NXIO].iter().any(|errno| why.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(not(unix))]
fn is_about_something_else(_why: &io::Error) -> bool {
    false
}

fn planted() -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        "it is no file of this user, so it is not used; look at it, and remove it",
    )
}

/// Reads a whole file of ours. `None` if there is none.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match open(OpenOptions::new().read(true), path).and_then(|file| whole(file, MAX_FILE)) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Reads a whole file that the person or the system keeps, wherever a link leads, if it is no larger
/// than this.
pub fn read_theirs(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NO_WAIT.bits().cast_signed());
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => whole(file, max),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")),
    }
}

fn whole(file: File, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(too_large(max));
    }
    Ok(bytes)
}

fn too_large(max: u64) -> io::Error {
    let why = format!("it has more than {} KiB, which no such file has", max / 1024);
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Writes a whole file, readable by this user alone: a new file beside it, flushed to the disk,
/// renamed over the old one, and the rename flushed too. One writer at a time: the new file's
/// name is fixed, so that a crash leaves at most one behind, which the next write replaces.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if bytes.len() as u64 > MAX_FILE {
        return Err(too_large(MAX_FILE)); // it could not be read again
    }
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
        assert_eq!(read_theirs(&path, 8).expect("a link of the system's"), b"precious");
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
        write(&path, b"old").expect("written");
        assert!(write(&path, &vec![b'x'; 70_000]).is_err(), "what could not be read again");
        assert_eq!(read(&path).expect("readable").as_deref(), Some(&b"old"[..]));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_neither_waited_for_nor_read_for_ever() {
        let directory = tempfile::tempdir().expect("a directory");
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there");
        assert!(made.success());
        for path in [&pipe, directory.path(), Path::new("/dev/zero")] {
            assert!(read(path).is_err() && read_theirs(path, 1).is_err(), "{}", path.display());
        }
        let why = open(OpenOptions::new().append(true), &pipe).expect_err("nobody reads there");
        assert!(why.to_string().contains("no file of this user"), "{why}");
    }
}
