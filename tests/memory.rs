//! Nobody but the daemon sees what is in its memory, and what is over is not in it any more.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{HELPER, Sandbox, eventually, run};

/// A program of this user, as any that runs in their session: root's has none of root's rights.
fn without_rights(sandbox: &Sandbox, program: &str) -> Command {
    if run::finish(sandbox.command("id"), "").stdout.split(['=', '(']).nth(1) != Some("0") {
        return sandbox.command(program);
    }
    let mut command = sandbox.command("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all", program]);
    command
}

#[test]
fn another_program_of_this_user_can_not_look_into_the_daemon() {
    let sandbox = Sandbox::linked();
    sandbox.verb(["daemon", "stop"]).succeeded();
    // The kernel keeps a program out of one that has more rights, so nobody here has any.
    let mut start = without_rights(&sandbox, HELPER);
    start.args(["daemon", "start"]);
    run::finish(start, "").succeeded();
    let pid = sandbox.daemon_pid().to_string();
    let mut victim = without_rights(&sandbox, "sleep");
    let mut victim = victim.arg("60").stdout(Stdio::null()).spawn().expect("sleep is installed");
    let plain = victim.id().to_string();
    let opens = |pid: &str, file: &str| {
        let mut attack = without_rights(&sandbox, "sh");
        attack.args(["-c", ": <\"$0\"", &format!("/proc/{pid}/{file}")]);
        run::finish(attack, "").code == Some(0)
    };
    // So the attack is one.
    eventually("a program that does not defend itself", || opens(&plain, "environ") && opens(&plain, "maps"));
    victim.kill().and_then(|()| victim.wait()).expect("it ran");
    for file in ["environ", "maps", "mem", "auxv"] {
        assert!(!opens(&pid, file), "{file}");
    }
    let mut attack = without_rights(&sandbox, "readlink");
    attack.arg(format!("/proc/{pid}/fd/0"));
    assert_ne!(run::finish(attack, "").code, Some(0), "its descriptors");
    let mut attack = without_rights(&sandbox, "strace");
    attack.args(["-p", &pid]);
    let said = run::finish(attack, "");
    assert!(said.code != Some(0) && said.stderr.contains("Operation not permitted"), "{said:?}");
}

#[test]
fn a_token_that_is_over_is_nowhere_in_the_daemons_memory() {
    let sandbox = Sandbox::linked();
    let pid = sandbox.daemon_pid();
    if !run::can_look_into(pid) {
        return;
    }
    let mut over = vec![sandbox.refresh_token()];
    let old = sandbox.token();
    sandbox.gitlab.expire_access_tokens("alice");
    sandbox.erase(&old);
    let new = sandbox.token();
    over.push(old);
    assert!(times_in_memory(pid, &new) > 0 && times_in_memory(pid, sandbox.refresh_token()) > 0, "so it is seen");
    for token in over {
        // The connection that brought the next one may be in use for another moment.
        eventually("it is nowhere, and no library has a copy", || times_in_memory(pid, &token) == 0);
    }
}

/// How often a text is in what a process may write to.
pub fn times_in_memory(pid: i32, text: impl AsRef<[u8]>) -> usize {
    use std::os::unix::fs::FileExt;
    let text = text.as_ref();
    let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("readable");
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("readable");
    let mut times = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (range, _) = line.split_once(' ').expect("a range");
        let (from, to) = range.split_once('-').expect("two ends");
        let number = |hex| u64::from_str_radix(hex, 16).expect("a number");
        let (from, to) = (number(from), number(to));
        let mut bytes = vec![0; usize::try_from(to - from).expect("it fits")];
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            times += bytes.windows(text.len()).filter(|window| *window == text).count();
        }
    }
    times
}

#[test]
fn a_crash_leaves_no_core() {
    let sandbox = Sandbox::linked();
    sandbox.verb(["daemon", "stop"]).succeeded();
    let mut start = sandbox.command("sh");
    start.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" daemon start", HELPER]);
    run::finish(start, "").succeeded();
    let pid = sandbox.daemon_pid();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("readable");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    run::signal(pid, "ABRT");
    eventually("it is gone", || !run::is_alive(pid));
}
