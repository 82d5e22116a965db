//! Proxy definitions: what can be put between caller and upstream, and how it is run.

mod route;

pub use route::{InstanceSettings, Route};
