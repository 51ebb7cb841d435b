//! Many accounts, many clients, short-lived tokens, faults and dying daemons at random: for a while.
//!
//! `SOAK_SECONDS`, `SOAK_ACCOUNTS` and `SOAK_CLIENTS` make it longer and larger; see contrib/soak.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gitlab_stand_in::{Endpoint, Fault, StandIn, What, When};

use crate::support::{Sandbox, eventually, run};

fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's MMIX generator; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// The daemon's process id, if it says so.
fn pid(sandbox: &Sandbox) -> Option<i32> {
    let shown: serde_json::Value = serde_json::from_str(&sandbox.verb(["status", "--json"]).stdout).ok()?;
    i32::try_from(shown["daemon"]["pid"].as_i64()?).ok()
}

/// A GitLab whose tokens live four seconds, and these people linked there.
fn linked(accounts: usize) -> (Sandbox, Vec<String>) {
    let sandbox = Sandbox::with(StandIn::builder().start());
    sandbox.gitlab.set_token_lifetime(Duration::from_secs(4));
    let names: Vec<String> = (0..accounts).map(|number| format!("user{number}")).collect();
    for name in &names {
        sandbox.gitlab.add_user(name, name);
        let words = [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes", "--store", "file"];
        sandbox.link_as(name, words).succeeded();
    }
    (sandbox, names)
}

/// A daemon that is killed in the middle of a renewal loses that login, and nobody can help it: the
/// server has spent the old tokens. It loses no other one: what anybody was given was saved before.
#[test]
fn daemons_that_are_killed_at_random_lose_no_login_but_those_they_were_renewing() {
    let (sandbox, names) = linked(12);
    let handed_out = Mutex::new(HashSet::new());
    let ask = |name: &str| {
        let answer = sandbox.helper("get", format!("{}username={name}\n", sandbox.question())).succeeded();
        handed_out.lock().expect("whole").extend(answer.attribute("password"));
        answer
    };
    let mut dice = Dice(7);
    for _ in 0..24 {
        std::thread::scope(|scope| {
            for name in &names {
                scope.spawn(|| ask(name));
            }
            // Whatever is under way then; there is nothing to wait for.
            std::thread::sleep(Duration::from_millis(dice.roll(400) as u64));
            if let Some(pid) = pid(&sandbox) {
                run::kill(pid);
            }
        });
    }
    let mut lost = 0;
    for name in &names {
        let works = || ask(name).attribute("password").is_some();
        eventually("it works, or the person is told why not", || {
            works() || ask(name).stderr.contains("its answer was lost at")
        });
        if works() {
            continue;
        }
        lost += 1;
        let newest = sandbox.gitlab.newest_access_token(name);
        assert!(!handed_out.lock().expect("whole").contains(&newest), "{name}: it was seen, so it had to be saved");
    }
    eprintln!("{lost} of {} logins were being renewed when a daemon was killed", names.len());
}

#[test]
fn whatever_happens_for_a_while_every_link_works_afterwards() {
    let length = Duration::from_secs(setting("SOAK_SECONDS", 60) as u64);
    let (accounts, clients) = (setting("SOAK_ACCOUNTS", 12), setting("SOAK_CLIENTS", 8));
    let (sandbox, names) = linked(accounts);
    let ask = |name: &str| sandbox.helper("get", format!("{}username={name}\n", sandbox.question()));
    let (done, served, ends) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for client in 0..clients {
            let (names, ask, done, served) = (&names, &ask, &done, &served);
            scope.spawn(move || {
                let mut dice = Dice(client as u64 + 1);
                while !done.load(Ordering::Relaxed) {
                    let answer = ask(&names[dice.roll(names.len())]);
                    assert!(answer.took < Duration::from_secs(12), "{answer:?}");
                    assert!(answer.stderr.lines().count() <= 1, "{answer:?}");
                    served.fetch_add(usize::from(answer.attribute("password").is_some()), Ordering::Relaxed);
                }
            });
        }
        let mut dice = Dice(42);
        while started.elapsed() < length {
            let what = match dice.roll(5) {
                0 => What::Status { code: 503, headers: Vec::new(), body: String::new() },
                1 => What::Reset,
                2 => What::Html,
                3 => What::Delay(Duration::from_millis(300)),
                _ => What::Close,
            };
            sandbox.gitlab.fault(Fault { on: Endpoint::Token, when: When::Before, what, times: Some(2) });
            if dice.roll(3) == 0 {
                // With SIGKILL every renewal that is under way loses its login, as above; with SIGTERM
                // none may.
                // One that is ending already is left alone.
                if let Some(pid) = pid(&sandbox) {
                    run::signal(pid, "TERM");
                    ends.fetch_add(1, Ordering::Relaxed);
                }
            }
            std::thread::sleep(Duration::from_millis(200)); // the next blow; there is nothing to wait for
        }
        done.store(true, Ordering::Relaxed);
    });
    sandbox.gitlab.clear_faults();
    // Tokens of four seconds are renewed every two, and whoever meets a fault tries again in two.
    let most = accounts * (length.as_secs() as usize + 10);
    assert!(sandbox.gitlab.token_requests() < most, "a storm: {}", sandbox.gitlab.token_requests());
    let served = served.into_inner();
    // How many is up to the machine; without any, nothing was tried.
    assert!(served > accounts, "{served} tokens were served");
    eventually("the last daemon runs", || pid(&sandbox).is_some());
    let pid = sandbox.daemon_pid();
    for name in &names {
        eventually("every link works", || ask(name).attribute("password").is_some());
    }
    // From here on everything that an account needs is there.
    let (before, open) = (run::resident(pid), run::descriptors(pid));
    for _ in 0..500 {
        ask(&names[0]);
    }
    let grown = run::resident(pid).saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more after 500 gets");
    assert_eq!(run::descriptors(pid), open, "descriptors of gets are closed");
    eprintln!("{served} tokens, {} token requests, {} daemons", sandbox.gitlab.token_requests(), ends.into_inner());
}
