//! The daemon's socket, as its clients use it.

use super::*;
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
            Ok(stream) => Ok(Some(Self(stream))),
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
