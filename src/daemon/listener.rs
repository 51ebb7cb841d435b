//! One daemon per socket: the lock, the socket, and who may connect.
//!
//! The lock is taken first and held for life. Only who holds it unlinks a stale socket and binds
//! a new one. The socket is known by its inode, so that a daemon whose socket was taken away
//! notices it and ends, and never removes the one of its successor.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use interprocess::local_socket::{GenericFilePath, ListenerOptions};

use super::files;
use crate::endpoint::{Endpoint, make_private};

/// The winner of a race, or a daemon that is ending, needs less; whoever started us gives up
/// after ten seconds anyway.
const LOCK_WITHIN: Duration = Duration::from_secs(9);

/// A lock can't be awaited; this is nothing beside starting a program.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// How a start ends.
#[derive(Debug)]
pub enum Start {
    /// We are the daemon.
    Lead(Lead),
    /// Another one is, and its socket answers.
    Follow,
}

/// The right to listen.
#[derive(Debug)]
pub struct Lead {
    path: PathBuf,
    /// The socket is systemd's, and stays when we go.
    passed: Option<i32>,
    /// The socket that we bound, among all files that ever have its name.
    bound: OnceLock<FileId>,
    _lock: File,
}

/// Takes the lock, or finds that another daemon has it and answers.
pub fn start(endpoint: &Endpoint, state: &Path, passed: Option<i32>) -> io::Result<Start> {
    let lock_path = lock_path(endpoint, state)?;
    let lock = files::open(File::options().create(true).truncate(false).write(true), &lock_path);
    let lock = lock.map_err(at(&lock_path))?;
    let deadline = Instant::now() + LOCK_WITHIN;
    loop {
        match lock.try_lock() {
            Ok(()) => {
                note_our_number(&lock);
                return Ok(Start::Lead(Lead {
                    path: endpoint.path.clone(),
                    passed,
                    bound: OnceLock::new(),
                    _lock: lock,
                }));
            }
            Err(std::fs::TryLockError::Error(why)) => return Err(at(&lock_path)(why)),
            Err(std::fs::TryLockError::WouldBlock) if answers(&endpoint.path) => return Ok(Start::Follow),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() >= deadline => {
                let why = "another daemon holds the lock, and does not answer";
                return Err(at(&lock_path)(io::Error::new(io::ErrorKind::TimedOut, why)));
            }
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_POLL),
        }
    }
}

/// For whoever finds that this daemon does not answer, and can't ask it who it is.
fn note_our_number(mut lock: &File) {
    // A disk that is full does not keep a daemon from its work.
    let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
}

impl Lead {
    /// Listens: on the socket that systemd passed, or on a new one that only this user can open.
    pub fn listen(&self) -> io::Result<Listener> {
        match self.passed {
            Some(number) => adopt(number),
            None => {
                let listener = bind(&self.path).map_err(at(&self.path))?;
                if let Some(id) = file_id(&self.path) {
                    let _ = self.bound.set(id); // there is one bind in a life
                }
                Ok(listener)
            }
        }
    }

    /// Whether clients still find our socket under its name. Logging out removes the runtime
    /// directory, and others clean up; then nobody can reach us any more, and a daemon that can
    /// be reached has to take our place.
    pub fn is_in_place(&self) -> bool {
        self.passed.is_some() || file_id(&self.path) == self.bound.get().copied()
    }

    /// Removes the socket, so that nobody connects to a daemon that is ending.
    pub fn close(&self, listener: Listener) {
        #[cfg(unix)]
        if self.passed.is_none() && self.is_in_place() {
            let _ = std::fs::remove_file(&self.path); // a stale socket is removed by the next daemon
        }
        drop(listener);
    }
}

/// Whether the other side is this user.
#[cfg(unix)]
pub fn is_own_user(stream: &Stream) -> bool {
    // Not by interprocess: it takes a client whose process number can't be told, because it is of
    // another container, for none at all.
    let Stream::UdSocket(stream) = stream;
    stream.inner().peer_cred().is_ok_and(|peer| peer.uid() == crate::endpoint::user_id())
}

/// The pipe's access list lets nobody else connect.
#[cfg(not(unix))]
pub fn is_own_user(_stream: &Stream) -> bool {
    true
}

/// Device and inode.
type FileId = (u64, u64);

#[cfg(unix)]
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// A pipe's name can't be taken away.
#[cfg(not(unix))]
fn file_id(_path: &Path) -> Option<FileId> {
    None
}

fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |why| io::Error::new(why.kind(), format!("{}: {why}", path.display()))
}

#[cfg(unix)]
fn lock_path(endpoint: &Endpoint, state: &Path) -> io::Result<PathBuf> {
    let directory = endpoint.path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    // A directory that the person chose for an explicit socket is theirs to protect.
    let is_our_own = directory.file_name().is_some_and(|name| name == crate::endpoint::NAME);
    if is_our_own || directory.starts_with(state) || !directory.exists() {
        make_private(directory).map_err(at(directory))?;
    }
    Ok(endpoint.path.with_extension("lock"))
}

#[cfg(not(unix))]
fn lock_path(_endpoint: &Endpoint, state: &Path) -> io::Result<PathBuf> {
    make_private(state).map_err(at(state))?;
    Ok(state.join("daemon.lock"))
}

fn answers(path: &Path) -> bool {
    use interprocess::local_socket::{Stream, ToFsName, traits::Stream as _};
    path.to_fs_name::<GenericFilePath>().and_then(Stream::connect).is_ok()
}

/// `reclaim_name` and `try_overwrite` stay off: they remove sockets by name, whoever's they are.
fn bind(path: &Path) -> io::Result<Listener> {
    #[cfg(unix)]
    match path.symlink_metadata() {
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => return Err(why),
        // What is no socket was never ours: somebody may miss it.
        Ok(found) if !std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
            let why = "something that is no socket is in the socket's place; look at it, and move it away";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        Ok(_) => std::fs::remove_file(path)?,
    }
    let options = ListenerOptions::new().name(path.to_fs_name::<GenericFilePath>()?).reclaim_name(false);
    #[cfg(target_os = "linux")]
    let options = interprocess::os::unix::local_socket::ListenerOptionsExt::mode(options, 0o600);
    #[cfg(windows)]
    let options = {
        use interprocess::os::windows::local_socket::ListenerOptionsExt;
        use interprocess::os::windows::security_descriptor::SecurityDescriptor;
        // Protected, and all rights to the owner alone.
        let owner_only = widestring::u16cstr!("D:P(A;;GA;;;OW)");
        options.security_descriptor(SecurityDescriptor::deserialize(owner_only)?)
    };
    options.create_tokio()
}

#[cfg(unix)]
fn adopt(number: i32) -> io::Result<Listener> {
    use std::os::fd::{FromRawFd, OwnedFd};
    #[allow(unsafe_code)] // systemd gave it to this process, and nobody else here has taken it
    let passed = unsafe { OwnedFd::from_raw_fd(number) };
    let listener = interprocess::os::unix::uds_local_socket::tokio::Listener::try_from(passed)?;
    Ok(listener.into())
}

#[cfg(not(unix))]
fn adopt(_number: i32) -> io::Result<Listener> {
    Err(io::ErrorKind::Unsupported.into())
}
