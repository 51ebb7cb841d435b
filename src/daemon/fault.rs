//! Places where a test makes the daemon die, as a crash or a power cut would.

/// Names the place; heeded by debug builds alone.
const VARIABLE: &str = "GIT_CREDENTIAL_GITLAB_FAULT";

/// Dies here if a test says so. In a release build this is nothing.
pub fn point(name: &str) {
    if cfg!(debug_assertions) && std::env::var(VARIABLE).is_ok_and(|wanted| wanted == name) {
        std::process::abort();
    }
}
