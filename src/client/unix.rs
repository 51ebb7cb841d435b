//! The daemon's socket, as its clients use it.

use super::*;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;

#[derive(Debug)]
pub(super) struct Stream(UnixStream);

/// Ends this process after so many seconds, whatever it waits for. A connect to a daemon that
/// hangs waits without limit once its queue is full, and std has no timeout for that.
pub fn end_after(seconds: u32) {
    #[allow(unsafe_code)] // a declaration; alarm(2) takes a number and cannot fail
    unsafe extern "C" {
        safe fn alarm(seconds: u32) -> u32;
    }
    alarm(seconds);
}

/// Whether this user listens at the other end, or root, who is no stranger to anything of ours
/// (a container's engine passes sockets on).
fn is_ours(stream: &UnixStream) -> io::Result<bool> {
    Ok([endpoint::user_id(), 0].contains(&peer(stream)?))
}

/// The user of the process that listens. std has no stable name for it, and a crate would be the
/// helper's only dependency.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn peer(stream: &UnixStream) -> io::Result<u32> {
    // The numbers of Linux. A few old architectures have others: there nobody is trusted.
    const SOL_SOCKET: i32 = 1;
    const SO_PEERCRED: i32 = if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64")) { 21 } else { 17 };
    // struct ucred: the process, its user, its group
    let mut ids = [0_u32; 3];
    let mut length = size_of_val(&ids) as u32;
    #[allow(unsafe_code)] // getsockopt(2) writes at most the length it is given, and says how much it wrote
    let status = unsafe {
        unsafe extern "C" {
            fn getsockopt(socket: i32, level: i32, name: i32, value: *mut std::ffi::c_void, length: *mut u32) -> i32;
        }
        getsockopt(stream.as_fd().as_raw_fd(), SOL_SOCKET, SO_PEERCRED, ids.as_mut_ptr().cast(), &raw mut length)
    };
    match status {
        0 if length as usize == size_of_val(&ids) => Ok(ids[1]),
        0 => Err(io::ErrorKind::InvalidData.into()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The same where the C library has a name for it: macOS and the BSDs.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn peer(stream: &UnixStream) -> io::Result<u32> {
    let (mut user, mut group) = (u32::MAX, u32::MAX);
    #[allow(unsafe_code)] // getpeereid(3) writes two numbers
    let status = unsafe {
        unsafe extern "C" {
            fn getpeereid(socket: i32, user: *mut u32, group: *mut u32) -> i32;
        }
        getpeereid(stream.as_fd().as_raw_fd(), &raw mut user, &raw mut group)
    };
    if status == 0 { Ok(user) } else { Err(io::Error::last_os_error()) }
}

impl Stream {
    /// `None` if nobody listens there.
    pub(super) fn connect(path: &Path) -> Result<Option<Self>, CallError> {
        // Another user's socket would be told what we ask for, and could answer anything.
        match path.symlink_metadata() {
            Ok(found) if found.file_type().is_socket() && found.uid() == endpoint::user_id() => {}
            Ok(_) => return Err(CallError::NotOurs(path.into())),
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(CallError::Broken(why)),
        }
        match UnixStream::connect(path) {
            // The file that was looked at may have been another one than the one connected to.
            Ok(stream) if is_ours(&stream)? => Ok(Some(Self(stream))),
            Ok(_) => Err(CallError::NotOurs(path.into())),
            // A socket file whose daemon is gone.
            Err(why) if matches!(why.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(None),
            Err(why) => Err(CallError::Broken(why)),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8], within: Duration) -> io::Result<()> {
        self.0.set_write_timeout(Some(within))?;
        self.0.write_all(bytes)
    }

    pub(super) fn read(&mut self, buffer: &mut [u8], within: Duration) -> io::Result<usize> {
        self.0.set_read_timeout(Some(within))?;
        self.0.read(buffer)
    }
}
