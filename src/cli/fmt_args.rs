//! The options of `upfault fmt`.

use clap::Args as ClapArgs;

use super::run_args::PathArgs;

/// Options of `upfault fmt`.
#[derive(Debug, ClapArgs)]
pub(crate) struct FmtArgs {
    /// What to format; `-` is standard input.
    #[command(flatten)]
    pub paths: PathArgs,
    /// Change nothing: print the files that would change, and exit with 1 if there are any
    #[arg(long)]
    pub check: bool,
}
