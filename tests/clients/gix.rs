//! gix, the program of gitoxide, which asks helpers by itself.

use super::is_installed;
use crate::support::Sandbox;
use crate::support::clients::Desk;

#[test]
fn gix_clones_by_itself() {
    if !is_installed("gix") {
        return;
    }
    let desk = Desk::with(Sandbox::https());
    let mut gix = desk.command("gix", &desk.sandbox.path(""));
    // It does not know `http.sslCAInfo`.
    gix.env("SSL_CERT_FILE", desk.sandbox.gitlab.ca_pem().expect("it has one"));
    gix.args(["clone", &desk.sandbox.project("group/app"), "app"]);
    desk.works(gix);
    assert!(desk.sandbox.path("app/README.md").is_file());
    desk.was_asked_at_most(1);
    desk.is_clean();
}
