//! What a caller notices of a case, as data that can be compared.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observation::StepName;

/// What a caller notices of a case, and how the proxy used its upstreams, without the parts that vary between runs.
///
/// A comparison needs only these facts, so that a report without observations can be compared too.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cases = upfault::Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("limits/rate-limit["));
/// let report = upfault::Suite::new(cases).run().await?;
/// let facts = report.cases[0].facts.as_ref().unwrap();
/// assert_eq!(facts.exchanges[0].seen[0].value, "429, as the provider");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct CaseFacts {
    /// How the case stopped the proxy. Then no other facts exist, because which requests were cut off is random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// One for each request of the case.
    pub exchanges: Vec<ExchangeFacts>,
}

/// The facts about one request and its response.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cases = upfault::Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("limits/rate-limit["));
/// let report = upfault::Suite::new(cases).run().await?;
/// let facts = report.cases[0].facts.as_ref().unwrap();
/// assert!(facts.exchanges[0].took_ms > 0.0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ExchangeFacts {
    /// The request.
    pub step: StepName,
    /// From the first call of an upstream to the end of the last one, in milliseconds. The proxy's own time is not part of
    /// it, because it depends on the load of the machine.
    pub took_ms: f64,
    /// Sorted by kind and subject.
    pub seen: Vec<CaseFact>,
}

/// One fact.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cases = upfault::Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("limits/rate-limit["));
/// let report = upfault::Suite::new(cases).run().await?;
/// let facts = report.cases[0].facts.as_ref().unwrap();
/// let retry_after = facts.exchanges[0].seen.iter().find(|fact| fact.subject == "retry-after").unwrap();
/// assert_eq!(retry_after.kind, upfault::FactKind::RetryHeader);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct CaseFact {
    /// The kind.
    pub kind: FactKind,
    /// The name of a header or a detail, or an SDK; empty for other kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The value as text, with placeholders for tokens and for the parts that vary between runs.
    pub value: String,
}

/// Follows a status that is the same as the provider's.
pub(super) const THE_PROVIDERS: &str = ", as the provider";

/// The kinds of facts. The order is their weight: if several facts of a case changed, the first kind is named as the
/// cause, because the others usually follow from it.
///
/// # Examples
///
/// ```
/// assert!(upfault::FactKind::Response < upfault::FactKind::Message);
/// assert_eq!(upfault::FactKind::ErrorType.to_string(), "error type");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FactKind {
    /// The proxy's process stopped.
    Process,
    /// The status, and how a response with status 200 ended: `429`, `200 with an error event`.
    Response,
    /// A secret or an internal detail that reached the caller.
    Leak,
    /// The content that the caller got.
    Content,
    /// The finish reason and the terminator of a response with status 200.
    StreamEnd,
    /// How often each upstream was called.
    Attempts,
    /// How long the calls of upstreams took. It has no value of its own: see [`ExchangeFacts::took_ms`].
    Duration,
    /// The members of the error object, or what was sent in its place.
    ErrorShape,
    /// The type of the error.
    ErrorType,
    /// The code of the error.
    ErrorCode,
    /// The parameter that the error names.
    ErrorParam,
    /// A header that decides whether and when a caller retries.
    RetryHeader,
    /// Another header with a meaning for callers.
    Header,
    /// The names of the provider's headers that the proxy passes on with a prefix.
    PassedOn,
    /// The source of the error.
    Source,
    /// The fate of a detail of the provider's error.
    Detail,
    /// The exception and the retries of an official SDK.
    Sdk,
    /// The message of the error, or the body if it is not an error object.
    Message,
}

impl fmt::Display for FactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "proxy process",
            Self::Response => "response",
            Self::Leak => "leak",
            Self::Content => "content",
            Self::StreamEnd => "end of the content",
            Self::Attempts => "calls of the provider",
            Self::Duration => "duration",
            Self::ErrorShape => "error object",
            Self::ErrorType => "error type",
            Self::ErrorCode => "error code",
            Self::ErrorParam => "error param",
            Self::RetryHeader | Self::Header => "header",
            Self::PassedOn => "provider's headers",
            Self::Source => "error source",
            Self::Detail => "provider's",
            Self::Sdk => "SDK",
            Self::Message => "message",
        })
    }
}
