//! The ban (contract §2.3).

use crate::support::Scene;
use gitlab_stand_in::BanLimits;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn scene(failures: u32) -> Scene {
    let scene = Scene::new();
    scene.gitlab.set_ban_limits(Some(BanLimits { failures, window: MINUTE, ban: HOUR }));
    scene
}

#[test]
fn there_is_no_ban_unless_it_is_switched_on() {
    let scene = Scene::new();
    for _ in 0..20 {
        assert_eq!(scene.fetch("group/app", "wrong").status, 401);
    }
    assert_eq!((scene.gitlab.failed_logins(), scene.gitlab.is_banned()), (20, false));
}

#[test]
fn a_ban_counts_basic_failures_only() {
    let scene = scene(2);
    scene.info_refs("group/app", "git-upload-pack", None);
    scene.get("/api/v4/user", "wrong");
    scene.get("/oauth/token/info", "wrong");
    scene.get("/group/app.git/info/refs?service=git-upload-pack", "wrong");
    scene.refresh("wrong");
    assert_eq!(scene.gitlab.failed_logins(), 0);
    // The attempt that trips the ban still gets its 401; the next gets 403, good or bad.
    assert_eq!(scene.fetch("group/app", "wrong").status, 401);
    assert_eq!(scene.fetch("group/app", "wrong").status, 401);
    assert!(scene.gitlab.is_banned());
    let good = scene.pair("api").access_token;
    let reply = scene.fetch("group/app", &good);
    assert_eq!(
        (reply.status.as_u16(), reply.text().as_str()),
        (403, "Too many failed authentication attempts from this IP")
    );
    assert_eq!(reply.header("retry-after"), "");
    assert_eq!(scene.get("/oauth/token/info", &good).status, 200, "only Basic logins are banned");
    scene.gitlab.advance_clock(HOUR);
    let good = scene.pair("api").access_token;
    assert_eq!(scene.fetch("group/app", &good).status, 200);
}

#[test]
fn any_success_resets_the_counter_and_so_does_time() {
    let scene = scene(2);
    let good = scene.pair("read_user").access_token;
    for _ in 0..3 {
        assert_eq!(scene.fetch("group/app", "wrong").status, 401);
        assert_eq!(scene.fetch("group/app", &good).status, 403, "too little scope is a success");
    }
    for _ in 0..3 {
        assert_eq!(scene.fetch("group/app", "wrong").status, 401);
        scene.gitlab.advance_clock(MINUTE);
    }
    assert!(!scene.gitlab.is_banned());
}
