//! Proxy definitions: how to install, configure, start and address a proxy between the caller and the
//! upstream.
//!
//! [`Definition::find`] → [`Definition::install`] → [`Installed::launch`] → [`Instance`].

mod check;
mod definition;
mod doctor;
mod document;
mod embedded;
mod error;
mod find;
mod guard;
mod install;
mod installation;
mod instance;
mod launch;
mod log;
mod port;
mod process;
mod ready;
mod render;
mod request;
mod route;
mod source;
mod template;

pub use definition::{Definition, LOCAL_VERSION};
pub use doctor::Check;
pub use document::{Setting, Width};
pub use error::ProxyError;
pub use find::Bundled;
pub use install::Installed;
pub use installation::{Removal, default_cache, remove_installation};
pub use instance::Instance;
pub use launch::Launch;
pub use render::RenderContext;
pub use route::{InstanceSettings, ProxyRoute};
