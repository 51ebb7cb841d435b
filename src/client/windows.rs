//! The daemon's pipe, as its clients use it, and the handles that a daemon must not inherit.

use super::*;
use std::fs::{File, OpenOptions};
use std::os::windows::fs::OpenOptionsExt;

/// `SECURITY_IDENTIFICATION`: a stranger's pipe may learn who we are, not act as us.
const SECURITY_IDENTIFICATION: u32 = 0x0001_0000;
/// `CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP`: no console, and no Ctrl-C meant for git.
pub(super) const DETACHED: u32 = 0x0800_0000 | 0x0000_0200;
/// `ERROR_PIPE_BUSY`: every instance of the pipe is taken for a moment.
const ERROR_PIPE_BUSY: i32 = 231;

/// Makes our stdin, stdout and stderr stay with us: a process that is started inherits every
/// handle that allows it, and git would wait for a daemon that has git's pipes.
pub(super) fn keep_own_output() {
    use std::os::windows::io::AsRawHandle;
    const HANDLE_FLAG_INHERIT: u32 = 1;
    #[allow(unsafe_code)] // a declaration; the system checks the handle that it is given
    unsafe extern "system" {
        safe fn SetHandleInformation(handle: *mut std::ffi::c_void, mask: u32, flags: u32) -> i32;
    }
    for handle in [io::stdin().as_raw_handle(), io::stdout().as_raw_handle(), io::stderr().as_raw_handle()] {
        SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0);
    }
}

/// A pipe has no timeouts, so a thread reads it and we wait for the thread.
#[derive(Debug)]
pub(super) struct Stream {
    pipe: File,
    /// Started at the first read: Windows would make a write wait for a read that waits.
    chunks: Option<mpsc::Receiver<io::Result<Vec<u8>>>>,
}

/// For how long a pipe may be busy before that is an error.
const BUSY_WITHIN: Duration = Duration::from_secs(5);

/// A pipe's connect has its own limit.
pub fn end_after(_seconds: u32) {}

impl Stream {
    /// `None` if nobody listens there.
    pub(super) fn connect(path: &Path) -> Result<Option<Self>, CallError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).security_qos_flags(SECURITY_IDENTIFICATION);
        let started = Instant::now();
        let pipe = loop {
            match options.open(path) {
                Ok(pipe) => break pipe,
                Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(why) if why.raw_os_error() == Some(ERROR_PIPE_BUSY) && started.elapsed() < BUSY_WITHIN => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(why) => return Err(CallError::Broken(why)),
            }
        };
        Ok(Some(Self { pipe, chunks: None }))
    }

    fn read_in_background(&self) -> io::Result<mpsc::Receiver<io::Result<Vec<u8>>>> {
        let (sender, chunks) = mpsc::channel();
        let mut reader = self.pipe.try_clone()?;
        std::thread::spawn(move || {
            loop {
                let mut buffer = vec![0; 4096];
                let read = reader.read(&mut buffer).map(|count| {
                    buffer.truncate(count);
                    buffer
                });
                let last = !matches!(&read, Ok(bytes) if !bytes.is_empty());
                if sender.send(read).is_err() || last {
                    return;
                }
            }
        });
        Ok(chunks)
    }

    pub(super) fn write(&mut self, bytes: &[u8], _within: Duration) -> io::Result<()> {
        self.pipe.write_all(bytes)
    }

    /// `buffer` is as long as the thread's chunks.
    pub(super) fn read(&mut self, buffer: &mut [u8], within: Duration) -> io::Result<usize> {
        let chunks = match self.chunks.take() {
            Some(chunks) => chunks,
            None => self.read_in_background()?,
        };
        match self.chunks.insert(chunks).recv_timeout(within) {
            Ok(chunk) => {
                let chunk = chunk?;
                buffer[..chunk.len()].copy_from_slice(&chunk);
                Ok(chunk.len())
            }
            Err(mpsc::RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
            Err(mpsc::RecvTimeoutError::Disconnected) => Ok(0),
        }
    }
}
