//! What of the daemon reads bytes of others, for any bytes. See [`crate::fuzzing`].

use std::cell::OnceCell;

use tokio::runtime::{Builder, Runtime};

use super::accounts::{Question, instance_in};
use super::clock::Timestamp;
use super::config;
use super::gitlab::{GitLab, fuzzing as server};
use super::link;
use super::notices::Notice;
use super::profile::Profile;
use super::schedule::{Schedule, Successor, next_end};
use super::store::Record;
use crate::credential::Attributes;
use crate::instance::Instance;

/// Any answer of a server, to everything that it is asked.
pub fn answers(bytes: &[u8]) {
    thread_local! {
        // Certificates are read once, and not for each case.
        static SERVER: OnceCell<(Runtime, GitLab)> = const { OnceCell::new() };
    }
    SERVER.with(|server| {
        let (runtime, gitlab) = server.get_or_init(|| {
            // A paused clock does not wait for a lagging replica.
            let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
            (runtime.expect("a runtime"), server::gitlab())
        });
        runtime.block_on(server::ask_everything(gitlab, server::Answer::parse(bytes)));
    });
}

/// Any request that could be parsed.
pub(crate) fn request(request: &Attributes) {
    let gitlab = Instance::parse("https://gitlab.example/base").expect("an address");
    if let Some(question) = Question::in_request(request)
        && question.is_for(&gitlab)
    {
        let host = request.text("host").expect("that is ASCII, or another spelling of it").to_lowercase();
        assert!(host.contains("gitlab") && host.contains("example"), "{host}");
    }
    let _ = instance_in(request); // the error is for people, and checked when it is shown
    link::fuzz(request, &gitlab);
}

/// Any answer of `git config -z`.
pub fn git_config(bytes: &[u8]) {
    config::fuzz(bytes, &Instance::parse("https://gitlab.example/base").expect("an address"));
}

/// Any content of a state file.
pub fn state_files(bytes: &[u8]) {
    if let Ok(profile) = Profile::from_bytes(bytes) {
        let id = profile.id();
        assert!(!id.contains(['/', '\\', '\0']) && id.len() < 1000, "it is a part of a file's name: {id:?}");
        let written = serde_json::to_vec(&profile).expect("a profile is plain data");
        let again = Profile::from_bytes(&written).expect("what was written is read");
        assert!(again.is_same_link(&profile));
        profile.link_command();
    }
    if let Ok(record) = Record::from_bytes(bytes) {
        assert!(
            !format!("{record:?}").contains(record.access_token.expose()) || record.access_token.expose().len() < 9
        );
        let written = serde_json::to_vec(&record).expect("a record is plain data");
        assert_eq!(Record::from_bytes(&written).as_ref(), Ok(&record));
        times(&record);
    }
    if let Ok(notice) = serde_json::from_slice::<Notice>(bytes) {
        notice.at.for_people(Timestamp::now());
    }
}

/// What is calculated with the times of a record.
fn times(record: &Record) {
    let now = Timestamp::now();
    for successor in [Successor::None, Successor::Refreshed, Successor::Rotated] {
        for min_life in [i64::MIN, 0, 600, i64::MAX] {
            let mut schedule = Schedule::new(min_life, record.received_at, record.expires_at, successor);
            schedule.on_get(now, Some(min_life));
            schedule.on_timer(now);
            schedule.wake_at(now);
            schedule.short_at();
            schedule.expiry_for_git(now);
            if let Some(warning) = schedule.ends_within(now) {
                assert!((1..=30).contains(&warning));
            }
            schedule.on_lost(record.refreshing_since.unwrap_or(now));
            schedule.on_failed(now, String::new(), record.refreshing_since.map(|at| at.0), 0.5);
            schedule.on_get(now, None);
        }
    }
    for at in [Some(record.received_at), record.expires_at, record.refreshing_since].into_iter().flatten() {
        at.rfc3339();
        at.for_people(now);
        at.span_from(now);
        at.sleep_from(now);
        next_end(now, record.received_at, at);
    }
    record.clone().renewed(record.clone());
}
