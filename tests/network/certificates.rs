//! Certificates: who vouches for the server, and who we are.

use std::fs;
use std::path::PathBuf;

use gitlab_stand_in::{Endpoint, Fault, StandIn, What};

use super::{does_not_renew, renews};
use crate::support::{Sandbox, eventually};

/// A directory with the sandbox's authority in it, under a name that no hash would give.
fn directory_of_authorities(sandbox: &Sandbox) -> PathBuf {
    let directory = sandbox.path("authorities");
    fs::create_dir(&directory).expect("a directory");
    fs::create_dir(directory.join("more")).expect("a directory in it");
    fs::copy(sandbox.gitlab.ca_pem().expect("it has one"), directory.join("company.crt")).expect("copied");
    fs::write(directory.join("README"), "-----BEGIN CERTIFICATE-----\nnonsense\n").expect("written");
    fs::write(directory.join("empty.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .expect("written");
    directory
}

#[test]
fn a_directory_of_authorities_is_trusted() {
    let sandbox = Sandbox::with(StandIn::builder().https(true).start());
    let directory = directory_of_authorities(&sandbox);
    sandbox.set_http("sslCAPath", &directory);
    sandbox.link();
    sandbox.clone("group/app", "app");
    renews(&sandbox);
    fs::remove_file(directory.join("company.crt")).expect("removed");
    let why = does_not_renew(&sandbox);
    assert!(why.contains(directory.to_str().expect("text")) && why.contains("http.sslCAPath"), "{why}");
}

#[test]
fn what_the_environment_trusted_at_link_is_trusted_ever_after() {
    for name in ["GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        let mut sandbox = Sandbox::with(StandIn::builder().https(true).start());
        // git config would not do, and git's own variables go before it.
        if name == "GIT_SSL_CAINFO" {
            sandbox.set_http("sslCAInfo", "/nonexistent");
        }
        let (file, directory) = (sandbox.path("ca.pem"), directory_of_authorities(&sandbox));
        fs::copy(sandbox.gitlab.ca_pem().expect("it has one"), &file).expect("copied");
        // Relative to where the person is, not to where the daemon is.
        let (file, directory) = (file.file_name().expect("a name"), directory.file_name().expect("a name"));
        sandbox.set(name, if name.ends_with("PATH") || name.ends_with("DIR") { directory } else { file });
        sandbox.link();
        sandbox.unset(name);
        renews(&sandbox);
    }
}

#[test]
fn a_file_that_was_replaced_is_read_again() {
    let sandbox = Sandbox::with(StandIn::builder().https(true).start());
    let authority = sandbox.path("ca.pem");
    let good = fs::read(sandbox.gitlab.ca_pem().expect("it has one")).expect("readable");
    fs::write(&authority, &good).expect("written");
    sandbox.set_http("sslCAInfo", &authority);
    sandbox.link();
    let other = StandIn::builder().https(true).start();
    fs::copy(other.ca_pem().expect("it has one"), &authority).expect("copied");
    let why = does_not_renew(&sandbox);
    assert!(why.contains("certificate"), "{why}");
    let pid = sandbox.daemon_pid();
    fs::write(&authority, good).expect("written");
    eventually("the daemon reads it again", || sandbox.get().attribute("password").is_some());
    assert_eq!(sandbox.daemon_pid(), pid);
}

#[test]
fn an_authority_that_is_not_trusted_is_told_of_in_the_same_words_wherever_one_looks() {
    let sandbox = Sandbox::with(StandIn::builder().https(true).start());
    let url = sandbox.gitlab.url();
    sandbox.set_http("sslCAInfo", sandbox.gitlab.ca_pem().expect("it has one"));
    sandbox.link();
    let other = StandIn::builder().https(true).start();
    sandbox.set_http("sslCAInfo", other.ca_pem().expect("it has one"));
    let (cause, mend) = (
        "the certificate is signed by an authority that is not trusted here",
        format!("git config --global http.{url}/.sslCAInfo FILE"),
    );
    let refusal = does_not_renew(&sandbox);
    let link = sandbox.verb(["link", url]).ended_with(5).stderr;
    let status = sandbox.verb(["status"]).stdout;
    let doctor = sandbox.verb(["doctor"]).stdout;
    for told in [refusal, link, status, doctor] {
        assert!(told.contains(cause) && told.contains(&mend), "{told}");
    }
}

#[test]
fn a_certificate_that_is_not_checked_is_warned_of_wherever_one_looks() {
    let sandbox = Sandbox::with(StandIn::builder().https(true).start());
    sandbox.set_http("sslVerify", "off");
    let linked = sandbox.link();
    let warning = "everybody on the way can read your tokens and use them";
    assert!(linked.stderr.contains("warning") && linked.stderr.contains(warning), "{linked:?}");
    sandbox.clone("group/app", "app");
    renews(&sandbox);
    assert!(sandbox.verb(["status"]).succeeded().stdout.contains(warning));
    // It is not kept: from the moment git config does not say so any more, it is over.
    sandbox.set_http("sslVerify", "on");
    let why = does_not_renew(&sandbox);
    assert!(why.contains("certificate"), "{why}");
    assert!(!sandbox.verb(["status"]).stdout.contains(warning));
}

#[test]
fn a_check_that_the_environment_switched_off_at_link_is_on_again_afterwards() {
    let mut sandbox = Sandbox::with(StandIn::builder().https(true).start());
    sandbox.set("GIT_SSL_NO_VERIFY", "1");
    let linked = sandbox.link();
    assert!(linked.stderr.contains("everybody on the way"), "{linked:?}");
    assert!(!sandbox.verb(["status"]).succeeded().stdout.contains("everybody on the way"));
    assert!(does_not_renew(&sandbox).contains("certificate"));
}

/// A GitLab that lets nobody in without a certificate, whose own authority git knows.
fn with_client_certificates() -> Sandbox {
    let sandbox = Sandbox::with(StandIn::builder().client_certificates().start());
    sandbox.set_http("sslCAInfo", sandbox.gitlab.ca_pem().expect("it has one"));
    sandbox
}

#[test]
fn a_client_certificate_is_shown_at_link_by_git_and_at_renewal() {
    let sandbox = with_client_certificates();
    let (certificate, key) = sandbox.gitlab.client_pem().expect("it wants one");
    sandbox.set_http("sslCert", certificate);
    sandbox.set_http("sslKey", key);
    sandbox.link();
    sandbox.clone("group/app", "app");
    renews(&sandbox);
}

#[test]
fn a_client_certificate_may_have_its_key_in_the_same_file_and_be_in_the_environment() {
    let mut sandbox = with_client_certificates();
    let (certificate, key) = sandbox.gitlab.client_pem().expect("it wants one");
    let both = [fs::read(key).expect("readable"), fs::read(certificate).expect("readable")].concat();
    let path = sandbox.path("me.pem");
    fs::write(&path, both).expect("written");
    sandbox.set("GIT_SSL_CERT", &path);
    sandbox.link();
    sandbox.clone("group/app", "app");
    sandbox.unset("GIT_SSL_CERT");
    renews(&sandbox);
}

#[test]
fn a_client_certificate_that_can_not_be_used_says_why_and_what_to_type() {
    let sandbox = with_client_certificates();
    let (certificate, key) = sandbox.gitlab.client_pem().expect("it wants one");
    let refused = |said: &[&str]| {
        let refused = sandbox.verb(["link", sandbox.gitlab.url(), "--client-id", "x"]).ended_with(5);
        for part in said {
            assert!(refused.stderr.contains(part), "{part}: {refused:?}");
        }
    };
    refused(&["CertificateRequired", &format!("git config --global http.{}/.sslCert", sandbox.gitlab.url())]);
    let path = sandbox.path("me");
    let at = path.to_str().expect("text");
    sandbox.set_http("sslCert", &path);
    refused(&[at, "No such file", "http.sslCert"]);
    fs::write(&path, b"0\x82\x0a\x99\x02\x01\x03").expect("written");
    refused(&[&format!("openssl pkcs12 -nodes -in {at} -out {at}.pem")]);
    fs::copy(certificate, &path).expect("copied");
    refused(&[at, "there is no key in it"]);
    sandbox.set_http("sslKey", sandbox.path("my key"));
    let encrypted = fs::read_to_string(key).expect("text").replace(" PRIVATE KEY", " ENCRYPTED PRIVATE KEY");
    fs::write(sandbox.path("my key"), encrypted).expect("written");
    refused(&["is encrypted", "openssl pkey -in"]);
    let other = StandIn::builder().client_certificates().start();
    fs::copy(other.client_pem().expect("it wants one").1, sandbox.path("my key")).expect("copied");
    refused(&[at, "my key", "KeyMismatch"]);
    fs::copy(other.client_pem().expect("it wants one").0, &path).expect("copied");
    refused(&["fatal alert", &format!("shown the certificate in {at}")]);
}

#[test]
fn a_web_server_that_wants_a_client_certificate_in_its_own_words_is_understood() {
    let sandbox = Sandbox::https();
    let body = "<title>400 No required SSL certificate was sent</title>".into();
    sandbox.gitlab.fault(Fault::once(Endpoint::TokenInfo, What::Status { code: 400, headers: Vec::new(), body }));
    let refused = sandbox.verb(["link", sandbox.gitlab.url(), "--client-id", "x"]).ended_with(5);
    assert!(refused.stderr.contains(".sslCert"), "{refused:?}");
}
