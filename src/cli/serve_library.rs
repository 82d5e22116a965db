//! The scenarios that clients of `upfault serve` can arm by name.

use super::{
    args::{PathArgs, ServeArgs},
    context::CliContext,
    failure::Failure,
    select,
    settings::Settings,
};
use crate::scenario::Library;

/// The scenarios that clients can arm by name: those that the arguments name are added to the others.
pub(super) fn library(context: &CliContext, args: &ServeArgs) -> Result<Library, Failure> {
    let named = PathArgs { paths: args.paths.clone() };
    let settings = Settings::read(context)?;
    let named = (!args.paths.is_empty()).then(|| select::library(context, &settings, &named)).transpose()?;
    Ok(select::library(context, &settings, &PathArgs::default())?.with(named.unwrap_or_default()))
}
