//! Being started by systemd: its socket (`LISTEN_FDS`) and its wish to know (`Type=notify`).

/// The first descriptor that systemd passes, sd_listen_fds(3).
#[cfg(unix)]
const FIRST: i32 = 3;

/// The socket that systemd passes, if it does.
#[cfg(unix)]
pub fn listen_fd() -> Option<i32> {
    let variable = |name| std::env::var(name).ok();
    let for_us = variable("LISTEN_PID")?.parse() == Ok(std::process::id());
    let is_socket = || {
        use std::os::unix::fs::FileTypeExt;
        std::fs::metadata(format!("/dev/fd/{FIRST}")).is_ok_and(|found| found.file_type().is_socket())
    };
    (for_us && variable("LISTEN_FDS")? == "1" && is_socket()).then_some(FIRST)
}

/// There is no systemd.
#[cfg(not(unix))]
pub fn listen_fd() -> Option<i32> {
    None
}

/// Tells systemd that the socket answers, sd_notify(3).
#[cfg(target_os = "linux")]
pub fn notify_ready() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let Ok(name) = std::env::var("NOTIFY_SOCKET") else { return };
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    let sent = address.and_then(|to| UnixDatagram::unbound()?.send_to_addr(b"READY=1", &to));
    if let Err(why) = sent {
        tracing::warn!(%why, "systemd could not be told that the daemon is ready");
    }
}

/// There is no systemd.
#[cfg(not(target_os = "linux"))]
pub fn notify_ready() {}
