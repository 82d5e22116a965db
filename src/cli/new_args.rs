//! The options of `upfault new`.

use std::{path::PathBuf, time::Duration};

use clap::Args as ClapArgs;

use crate::{
    incident::{points_help, read_point},
    scenario::{Api, Point, duration},
};

/// Options of `upfault new`.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct NewArgs {
    /// Name of the scenario, for example `incidents/cut`, or a file with the extension `.yaml` [default: incidents/ and what
    /// failed]
    pub name: Option<String>,
    /// What the provider did.
    #[command(flatten)]
    pub what: IncidentArgs,
    /// Entry of the HAR file, from 1 [default: the last one that failed]
    #[arg(long, value_name = "N", requires = "from_har")]
    pub entry: Option<usize>,
    /// Provider behind the proxy [default: the one that the error or the evidence names, else openai]
    #[arg(long, value_name = "PROVIDER", conflicts_with = "copy")]
    pub provider: Option<String>,
    /// API that callers use; repeatable [default: openai/chat, and the provider's own chat API]
    #[arg(long, value_name = "API", conflicts_with = "copy")]
    pub api: Vec<Api>,
    /// Where in the response it happens: before-headers, after-headers, after-content, inside-tool-call,
    /// after-tool-arguments, before-end, after-events:N, after-bytes:N
    #[arg(long, value_name = "POINT", long_help = points_help(), value_parser = read_point, conflicts_with = "copy")]
    pub at: Option<Point>,
    /// Length of a stall or a delay, for example `40s`
    #[arg(long = "for", value_name = "TIME", value_parser = some_time, requires = "fault")]
    pub lasting: Option<Duration>,
    /// Header of the provider's response, for example `retry-after: 27`; an empty value removes it; repeatable
    #[arg(long, value_name = "NAME:VALUE", conflicts_with = "copy")]
    pub header: Vec<HeaderWish>,
    /// Callers request a stream [default: with and without, unless it can happen only in a stream]
    #[arg(long, conflicts_with_all = ["plain", "copy"])]
    pub stream: bool,
    /// Callers request no stream
    #[arg(long, conflicts_with = "copy")]
    pub plain: bool,
    /// Timeout of the proxy, for example `30s`
    #[arg(long, value_name = "TIME", value_parser = some_time, conflicts_with = "copy")]
    pub timeout: Option<Duration>,
    /// How often the proxy retries
    #[arg(long, value_name = "N", conflicts_with = "copy")]
    pub retries: Option<u32>,
    /// Send the response of the evidence as it is, even if the catalogue has this error
    #[arg(long, conflicts_with_all = ["error", "fault", "copy"])]
    pub literal: bool,
    /// Title: what must hold
    #[arg(long, value_name = "TEXT", conflicts_with = "copy")]
    pub title: Option<String>,
    /// Why it matters: what the incident cost
    #[arg(long, value_name = "TEXT", conflicts_with = "copy")]
    pub why: Option<String>,
    /// Print the scenario instead of writing a file
    #[arg(long)]
    pub print: bool,
    /// Replace an existing file
    #[arg(long, conflicts_with = "print")]
    pub force: bool,
}

/// What the provider did; at most one. `-` as a FILE means standard input.
#[derive(Debug, Clone, Default, ClapArgs)]
#[group(multiple = false)]
pub(crate) struct IncidentArgs {
    /// An error of a provider, by its name, status, type or code: `anthropic/overloaded`, `bedrock/ThrottlingException`
    #[arg(long, value_name = "PROVIDER/ERROR")]
    pub error: Option<String>,
    /// A fault, as `upfault list --faults` lists it: `reset`, `hang`, `stall`, `tls: expired_certificate`
    #[arg(long, value_name = "FAULT")]
    pub fault: Option<String>,
    /// The output of `curl -i`
    #[arg(long, value_name = "FILE")]
    pub from_curl: Option<PathBuf>,
    /// A HAR file
    #[arg(long, value_name = "FILE")]
    pub from_har: Option<PathBuf>,
    /// A traceback of an SDK: OpenAI's, Anthropic's, Google's or AWS's
    #[arg(long, visible_alias = "from-exception", alias = "from-traceback", value_name = "FILE")]
    pub from_openai_exception: Option<PathBuf>,
    /// The log of LiteLLM around the failure
    #[arg(long, value_name = "FILE")]
    pub from_litellm_log: Option<PathBuf>,
    /// A copy of a scenario, for example of a bundled one, to change
    #[arg(long, value_name = "SCENARIO")]
    pub copy: Option<String>,
}

/// A time that is longer than nothing.
fn some_time(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    if time.is_zero() {
        Err("a time of zero has no effect; write for example `40s`".to_owned())
    } else {
        Ok(time)
    }
}

const EXAMPLES: &str = "\
Without options, it asks on a terminal. Examples:
  upfault new --error anthropic/overloaded --at inside-tool-call
  upfault new --error azure/rate_limit --header 'retry-after: 27'
  upfault new --fault stall --for 40s
  curl -i … | upfault new --from-curl -
  upfault new --copy limits/rate-limit mine/rate-limit";

impl IncidentArgs {
    /// Whether one of them is given.
    pub(super) fn is_some(&self) -> bool {
        let Self { error, fault, from_curl, from_har, from_openai_exception, from_litellm_log, copy } = self;
        let files = [from_curl, from_har, from_openai_exception, from_litellm_log];
        [error, fault, copy].iter().any(|text| text.is_some()) || files.iter().any(|file| file.is_some())
    }
}

/// `NAME:VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderWish {
    /// The name, in lower case.
    pub name: String,
    /// The value; `None` removes the header.
    pub value: Option<String>,
}

impl std::str::FromStr for HeaderWish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pair = text.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
        match pair.filter(|(name, _)| !name.is_empty()) {
            Some((name, value)) => Ok(Self {
                name: name.to_lowercase(),
                value: Some(value.to_owned()).filter(|value| !value.is_empty()),
            }),
            None => Err("write NAME:VALUE, for example `retry-after: 27`".to_owned()),
        }
    }
}
