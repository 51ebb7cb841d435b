//! Doorkeeper as GitLab sets it up (contract §1).

mod authorize;
mod client;
mod code;
mod device;
mod device_page;
mod discovery;
mod error;
mod info;
mod redirect_uri;
mod refresh;
mod revoke;
mod token;

pub(crate) use authorize::authorize;
pub(crate) use device::authorize_device;
pub(crate) use device_page::device_page;
pub(crate) use discovery::discovery;
pub(crate) use error::OAuthError;
pub(crate) use info::{introspect, token_info, user_info};
pub(crate) use revoke::revoke;
pub(crate) use token::token;
