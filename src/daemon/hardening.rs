//! What the daemon does before anything else, so that its secrets stay in it and nothing of
//! whoever started it does.

/// Nothing of this process can be read by another of the same user, and no file it makes by
/// others. It belongs to no terminal and holds nothing open that it inherited.
#[cfg(unix)]
pub fn begin(detach: bool, keep: Option<i32>) {
    use rustix::process::{Resource, Rlimit, setrlimit, setsid, umask};
    close_inherited(keep);
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    // Each may be forbidden in a sandbox, which then protects in its own way.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    if detach {
        // Fails for a process that leads a group already: one that a shell started in a terminal.
        let _ = setsid();
    }
}

/// On Windows the client lets us inherit nothing, and crash dumps are the user's own.
#[cfg(not(unix))]
pub fn begin(_detach: bool, _keep: Option<i32>) {}

/// Closes what an IDE, a script or git leaked to us: a pipe that we hold keeps its reader
/// waiting until we end.
#[cfg(unix)]
fn close_inherited(keep: Option<i32>) {
    let Ok(open) = std::fs::read_dir("/dev/fd") else { return };
    let numbers = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for number in numbers.collect::<Vec<_>>() {
        if number <= 2 || Some(number) == keep {
            continue;
        }
        #[allow(unsafe_code)] // at start nothing of ours is open yet, so nobody else owns it
        unsafe {
            // The listing had a descriptor of its own, which is closed by now.
            if rustix::io::fcntl_getfd(std::os::fd::BorrowedFd::borrow_raw(number)).is_ok() {
                rustix::io::close(number);
            }
        }
    }
}

/// Lets go of the stdout and stderr that whoever started us waits on.
#[cfg(unix)]
pub fn let_go_of_output(log: Option<&std::fs::File>) -> std::io::Result<()> {
    let null = std::fs::File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(rustix::stdio::dup2_stderr(log.unwrap_or(&null))?)
}

/// Whoever started us has pipes of their own on Windows, and closes them.
#[cfg(not(unix))]
pub fn let_go_of_output(_log: Option<&std::fs::File>) -> std::io::Result<()> {
    Ok(())
}
