//! What a program that calls an SDK observes.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The outcome of a call for the program that makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SdkOutcome {
    /// An exception, after all retries.
    Raises {
        /// The class of the exception: `RateLimitError`.
        class: String,
        /// How often the SDK retries before it raises the exception.
        retry: Retry,
    },
    /// The call returns, or the stream ends, without an exception.
    Returns,
    /// The behaviour has not been measured.
    NotMeasured {
        /// The property of the response that was not measured.
        why: String,
    },
}

impl SdkOutcome {
    pub(super) fn raises(class: &str, retry: Retry) -> Self {
        Self::Raises { class: class.to_owned(), retry }
    }

    pub(super) fn not_measured(why: &str) -> Self {
        Self::NotMeasured { why: why.to_owned() }
    }
}

/// Whether an SDK with default settings retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Retry {
    /// The total number of requests, including the first one, if each gets the same response; null if that was not
    /// measured.
    pub attempts: Option<u32>,
    /// What decides whether it retries.
    pub reason: RetryReason,
    /// How long it waits before a retry; null if it does not retry, or if that was not measured.
    pub wait: Option<Wait>,
}

impl Retry {
    /// Whether it retries; `None` if that was not measured.
    pub fn retried(self) -> Option<bool> {
        self.attempts.map(|attempts| attempts > 1)
    }

    /// The SDK does not retry.
    pub(super) const fn never(reason: RetryReason) -> Self {
        Self { attempts: Some(1), reason, wait: None }
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempts {
            None => f.write_str("retries not measured")?,
            Some(0 | 1) => f.write_str("not retried")?,
            Some(2) => f.write_str("retried once")?,
            Some(3) => f.write_str("retried twice")?,
            Some(n) => write!(f, "retried {} times", n - 1)?,
        }
        if self.wait == Some(Wait::AtOnce) {
            f.write_str(" immediately")?;
        }
        // Only reasons other than the status are worth printing.
        match self.reason {
            RetryReason::Status => Ok(()),
            reason => write!(f, " ({reason})"),
        }
    }
}

/// What decides whether an SDK retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RetryReason {
    /// The status.
    Status,
    /// `x-should-retry: true` or `false`, which overrides the status.
    XShouldRetry,
    /// The response requests a longer wait than the SDK accepts.
    RetryAfterTooLong,
    /// The requested wait is neither a number nor a date from which the wait can be calculated.
    RetryAfterUnclear,
    /// The connection failed before a response.
    Connection,
    /// The body is incomplete or invalid.
    Body,
    /// The stream had begun: SDKs never retry after a 200.
    Stream,
}

impl fmt::Display for RetryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "by the status",
            Self::XShouldRetry => "by x-should-retry",
            Self::RetryAfterTooLong => "Retry-After is over 120 s",
            Self::RetryAfterUnclear => "Retry-After is unclear",
            Self::Connection => "no response",
            Self::Body => "the body is broken",
            Self::Stream => "the stream had begun",
        })
    }
}

/// How long an SDK waits before it retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Its own backoff: 0.5 s before the first retry, 1 s before the second, each shortened by up to 25 %.
    Backoff,
    /// As long as the response requests.
    #[serde(alias = "as_told")]
    AsRequested,
    /// It does not wait.
    AtOnce,
}
