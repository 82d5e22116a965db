//! `upfault.toml`: what a project has chosen, where the command line says nothing.

mod file;
mod found;
mod read;
mod resolve;

#[cfg(test)]
mod tests;

pub use file::schema;
pub use found::find;
pub use resolve::Settings;
