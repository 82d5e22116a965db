//! The options of `upfault help`.

use clap::Args as ClapArgs;

/// Options of `upfault help`.
#[derive(Debug, ClapArgs)]
pub(crate) struct HelpArgs {
    /// A command (`run`, `proxy render`), or a page of the manual (`tutorial`, `ci`) and a section of it (`ci exit-codes`)
    /// [default: list both]
    pub topic: Vec<String>,
}
