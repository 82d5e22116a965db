//! Proxy definitions: how to install, configure, start and address a proxy between the caller and the
//! upstream.
//!
//! [`Definition::find`] → [`Definition::install`] → [`Installed::launch`] → [`Instance`].

mod addressing;
mod adopt_document;
mod adopted_file;
mod adopted_model;
mod adopted_settings;
mod adoption;
mod ask;
mod by_hand;
mod check;
mod definition;
mod doctor;
mod document;
mod embedded;
mod error;
mod extension;
mod find;
mod fit;
mod fixed;
mod install;
mod installation;
mod instance;
mod inventory;
mod launch;
mod log;
mod mode;
mod overlay;
mod own_fit;
mod pattern;
mod port;
mod process;
mod ready;
mod release;
mod render;
mod request;
mod route;
mod service;
mod source;
mod standalone;
mod template;
mod text;
mod usable;
mod variant;

pub(crate) use addressing::Addressing;
pub(crate) use adoption::{AdoptOptions, AdoptedModel, Adoption};
pub(crate) use by_hand::{ProxyByHand, ProxyContainer};
pub use definition::Definition;
pub(crate) use doctor::is_writable;
pub use error::ProxyError;
pub(crate) use find::DEFINITION_FOLDERS;
pub(crate) use install::Installed;
pub use installation::{Removal, remove_installation};
pub(crate) use installation::{default_cache, possible_removal};
pub use instance::Instance;
pub(crate) use inventory::{cached_installations, size_of};
pub use launch::Launch;
pub(crate) use launch::random_key;
pub(crate) use mode::ProxyMode;
pub(crate) use release::Resolution;
pub(crate) use render::RenderContext;
pub use route::{InstanceSettings, ProxyRoute};
pub(crate) use standalone::StandaloneProxy;
