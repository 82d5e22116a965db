//! `upfault.toml`: the settings of a project. Options on the command line take precedence.

mod file;
mod found;
mod known;
mod provider_files;
mod read;
mod resolve;
#[cfg(test)]
mod table;
#[cfg(test)]
mod table_tests;

#[cfg(test)]
mod tests;

#[cfg(test)]
use file::schema;
pub(crate) use found::{NAME, find};
pub(crate) use known::unknown_rule;
pub(crate) use provider_files::{named_provider_files, provider_files};
pub(crate) use resolve::Settings;
