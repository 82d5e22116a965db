//! The options of `upfault record`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::Args as ClapArgs;
use globset::GlobMatcher;

use crate::scenario::{StatusSet, id_pattern};

/// Options of `upfault record`.
#[derive(Debug, ClapArgs)]
pub(crate) struct RecordArgs {
    /// The provider's URL, as in a client's base URL: https://api.openai.com/v1
    #[arg(long, value_name = "URL")]
    pub upstream: String,
    /// The provider [default: by the host of the URL]
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Address to listen on; port 0 means a free port, which the first line of the output names
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
    /// Folder for the recordings [default: scenarios/recorded in the project folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Record exchanges with these statuses, for example `429,5xx` [default: exchanges that failed: a status from 400, an
    /// error in a stream, a cut connection]
    #[arg(long, value_name = "SET", conflicts_with = "all")]
    pub status: Option<StatusSet>,
    /// Record only exchanges whose path matches, for example `*/chat/completions`
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    pub path: Option<GlobMatcher>,
    /// Record every exchange, not only those that failed
    #[arg(long)]
    pub all: bool,
    /// Stop after this many recordings
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
    /// Header whose value may be written as it is; repeatable
    #[arg(long, value_name = "NAME")]
    pub keep_header: Vec<String>,
    /// Member of JSON whose text may be written as it is; repeatable
    #[arg(long, value_name = "NAME")]
    pub keep_member: Vec<String>,
}

fn pattern(text: &str) -> Result<GlobMatcher, String> {
    id_pattern(text).map_err(|error| format!("invalid pattern: {}", error.kind()))
}
