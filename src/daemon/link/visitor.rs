//! Whose program is at the other end of a connection to the loopback listener.
//!
//! The address that a browser is sent to can be seen by every user of the machine while it is an
//! argument of a program. Whoever knows its state and its challenge can give consent with an
//! account of their own and bring that here, or say that consent was denied. So the browser must
//! be this user's. (A code without the verifier, which nobody sees, is of no use to them.)

use std::net::SocketAddr;

/// One connection.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code))] // where nobody can be asked about it
pub(super) struct Visitor {
    /// The other end.
    pub(super) theirs: SocketAddr,
    /// The listener's.
    pub(super) ours: SocketAddr,
}

impl Visitor {
    /// Whether it is this user's, or root's (what forwards a port into a container is), and waits
    /// for its answer. Where the system does not say, everybody is welcome.
    #[cfg(target_os = "linux")]
    pub(super) async fn is_welcome(self) -> bool {
        // The table of a busy machine is long.
        tokio::task::spawn_blocking(move || linux::is_welcome(self)).await.unwrap_or(false)
    }

    /// Elsewhere it takes calls that no safe library offers.
    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_async)] // as on Linux
    pub(super) async fn is_welcome(self) -> bool {
        true
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use std::fs;
    use std::net::{IpAddr, Ipv4Addr};

    /// States of proc_pid_net(5): one that waits for its answer, and a listener.
    const ESTABLISHED: &str = "01";
    const LISTENING: &str = "0A";

    /// What a user outside of this container is called in it, proc_sys_kernel(5).
    const NOBODY_HERE: u32 = 65_534;

    pub(super) fn is_welcome(visitor: Visitor) -> bool {
        // An address of the fourth version can be reached from a socket of the sixth.
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
        let welcome = [crate::endpoint::user_id(), 0];
        match user_in(&tables, visitor) {
            Seen::Nothing => true,
            Seen::Gone => is_windows(&fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default()),
            Seen::User(user) => welcome.contains(&user) || (user == NOBODY_HERE && is_container()),
        }
    }

    /// What the tables say of a visitor.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) enum Seen {
        /// They don't even have our listener.
        Nothing,
        /// It does not wait for an answer. Nobody's is it then, and no browser of this system is so.
        Gone,
        User(u32),
    }

    pub(super) fn user_in(tables: &[String], visitor: Visitor) -> Seen {
        let (theirs, ours) = (spellings(visitor.theirs), spellings(visitor.ours));
        let mut seen = Seen::Nothing;
        for line in tables.iter().flat_map(|table| table.lines().skip(1)) {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let (Some(local), Some(remote), Some(state)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let is = |name: &str, known: &[String]| known.iter().any(|known| known == name);
            if state == LISTENING && is(local, &ours) {
                seen = Seen::Gone;
            } else if state == ESTABLISHED && is(local, &theirs) && is(remote, &ours) {
                return fields.nth(3).and_then(|user| user.parse().ok()).map_or(Seen::Nothing, Seen::User);
            }
        }
        seen
    }

    /// An address as the tables write it: the kernel's own bytes, four at a time, as numbers.
    fn spellings(address: SocketAddr) -> Vec<String> {
        let hex = |bytes: &[u8]| -> String {
            let words = bytes.as_chunks::<4>().0.iter();
            words.map(|word| format!("{:08X}", u32::from_ne_bytes(*word))).collect()
        };
        let addresses = match address.ip() {
            IpAddr::V4(v4) => vec![hex(&v4.octets()), hex(&Ipv4Addr::to_ipv6_mapped(&v4).octets())],
            IpAddr::V6(v6) => vec![hex(&v6.octets())],
        };
        addresses.into_iter().map(|ip| format!("{ip}:{:04X}", address.port())).collect()
    }

    /// Whether this is Linux in Windows, by the kernel's name. Where both share their addresses (WSL's
    /// mirrored network), a browser of Windows is in no table of Linux. Few people share one.
    pub(super) fn is_windows(kernel: &str) -> bool {
        kernel.to_ascii_lowercase().contains("microsoft")
    }

    /// Whether there are users that have no name here.
    fn is_container() -> bool {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        map.split_ascii_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"]
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::linux::{Seen, is_windows, user_in};
    use super::*;

    const HEADING: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn seen(lines: &[&str]) -> Seen {
        let visitor = Visitor {
            theirs: "127.0.0.1:33000".parse().expect("an address"),
            ours: "127.0.0.1:8080".parse().expect("an address"),
        };
        user_in(&[HEADING.to_owned() + &lines.join("\n")], visitor)
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_visitor_is_known_by_both_ends() {
        const LISTENER: &str = " 0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 1 1";
        let end = |local: &str, remote: &str, state: &str, user: u32| {
            format!(" 1: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  {user}        0 2 1")
        };
        let ours = end("0100007F:1F90", "0100007F:80E8", "01", 1000);
        let theirs = end("0100007F:80E8", "0100007F:1F90", "01", 1001);
        let mapped = "0000000000000000FFFF00000100007F";
        let by_six = end(&format!("{mapped}:80E8"), &format!("{mapped}:1F90"), "01", 1002);
        let other = end("0100007F:80E9", "0100007F:1F90", "01", 1003);
        let closing = end("0100007F:80E8", "0100007F:1F90", "05", 0);
        assert_eq!(seen(&[LISTENER, &ours, &other, &theirs]), Seen::User(1001));
        assert_eq!(seen(&[LISTENER, &ours, &by_six]), Seen::User(1002));
        assert_eq!(seen(&[LISTENER, &ours, &closing]), Seen::Gone, "who does not wait has no user any more");
        assert_eq!(seen(&[LISTENER, &other]), Seen::Gone);
        assert_eq!(seen(&[]), Seen::Nothing);
        assert_eq!(seen(&["nonsense", "", "1: 2"]), Seen::Nothing);
    }

    #[test]
    fn a_browser_of_windows_is_in_no_table_of_linux() {
        for (kernel, expected) in
            [("6.6.87.2-microsoft-standard-WSL2\n", true), ("4.4.0-19041-Microsoft\n", true), ("6.12.1-amd64\n", false)]
        {
            assert_eq!(is_windows(kernel), expected, "{kernel}");
        }
    }
}
