//! The options of `upfault run` that change the proxy for one run, as clap parses them.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// Options that change the proxy for one run.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct ModeArgs {
    /// Set an environment variable of the proxy (`NAME=VALUE`), or a setting in its configuration
    /// (`router_settings.num_retries=3`); repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Merge a YAML file over the proxy's configuration, or apply a file in the form of a variant; repeatable
    #[arg(long, value_name = "FILE")]
    pub overlay: Vec<PathBuf>,
    /// Merge your own configuration of the proxy over the one that upfault writes, without what upfault needs for its cases
    #[arg(long, value_name = "FILE")]
    pub config_overlay: Option<PathBuf>,
    /// Use the baseline and the known findings of this proxy, for example `litellm@1.108.7`
    #[arg(long = "as", value_name = "NAME[@VERSION]")]
    pub compared_as: Option<String>,
}
