//! A stand-in for GitLab: a strict fake server for tests and demonstrations.
//!
//! It speaks what a credential helper needs (OAuth with PKCE, refresh and the device grant, a few
//! REST calls, git over HTTP through git's own `http-backend`, LFS) and follows the project's *GitLab
//! contract*, whose sections the comments here cite as `§`. Where that document is unsure, the
//! stand-in takes the harsher reading: a test that passes here must not fail at the real server.
//!
//! ```no_run
//! use gitlab_stand_in::{Application, Endpoint, Fault, Role, StandIn, Visibility, What};
//!
//! let gitlab = StandIn::builder().https(true).base_path("/gitlab").start();
//! gitlab.add_user("alice", "Alice Doe");
//! gitlab.add_project("group/app", Visibility::Private);
//! gitlab.grant("alice", "group/app", Role::Maintainer);
//! let app = gitlab.add_application(Application::default());
//!
//! // A login without a browser, then a refresh whose answer is lost after it took effect.
//! let pair = gitlab.issue_tokens("alice", &app.client_id, "read_repository");
//! gitlab.fault(Fault::once_after(Endpoint::Token, What::Close));
//! // … run the client against gitlab.url() …
//! assert_eq!(gitlab.token_requests(), 1);
//! ```
//!
//! The server has a thread of its own and stops when [`StandIn`] is dropped, so it can be used from
//! plain `#[test]` functions, many at a time. What a person does in a browser is done by
//! [`browser::Browser`], which reads the server's HTML as a real one would.

mod api;
mod builder;
mod control;
mod fault;
mod git;
mod lfs;
mod log;
mod oauth;
mod pages;
mod server;
mod stand_in;
mod world;

pub mod browser;
pub mod http;

pub use builder::Builder;
pub use fault::{Fault, What, When};
pub use git::BanLimits;
pub use log::{Endpoint, Request};
pub use stand_in::StandIn;
pub use world::{
    AccessToken, Application, DeployToken, Modes, Pair, PersonalToken, Registered, Role, UserFlag, UserId, Visibility,
};
