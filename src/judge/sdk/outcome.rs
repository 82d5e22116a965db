//! What a program that calls through an SDK gets to see.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a call comes to for the program that makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SdkOutcome {
    /// An exception, once retries are used up.
    Raises {
        /// Its class: `RateLimitError`.
        class: String,
        /// What the SDK does before it raises.
        retry: Retry,
    },
    /// The call returns, or the stream ends, without an exception.
    Returns,
    /// Nobody has measured what happens.
    NotMeasured {
        /// What about the answer it is.
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

/// Whether an SDK asks again by itself, as it is set by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Retry {
    /// Requests in all, the first one included, where each gets the same answer; null where that was not
    /// measured.
    pub attempts: Option<u32>,
    /// What decides it.
    pub reason: RetryReason,
    /// How long it waits in between; null where it does not ask again, or that was not measured.
    pub wait: Option<Wait>,
}

impl Retry {
    /// Whether it asks again; `None` where that was not measured.
    pub fn retried(self) -> Option<bool> {
        self.attempts.map(|attempts| attempts > 1)
    }

    /// It does not ask again.
    pub(super) const fn never(reason: RetryReason) -> Self {
        Self { attempts: Some(1), reason, wait: None }
    }
}

/// What decides whether an SDK asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryReason {
    /// The status.
    Status,
    /// `x-should-retry: true` or `false`, which overrules the status.
    XShouldRetry,
    /// The answer asks for a longer wait than the SDK is ready for.
    RetryAfterTooLong,
    /// What the answer says of a wait is no number and no date whose distance could be told.
    RetryAfterUnclear,
    /// The connection failed before an answer.
    Connection,
    /// The body broke off, or is none.
    Body,
    /// A stream has begun: nothing is asked again after its 200.
    Stream,
}

impl fmt::Display for RetryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "by the status",
            Self::XShouldRetry => "by x-should-retry",
            Self::RetryAfterTooLong => "Retry-After is over 120 s",
            Self::RetryAfterUnclear => "Retry-After is unclear",
            Self::Connection => "no answer came",
            Self::Body => "the body is broken",
            Self::Stream => "the stream had begun",
        })
    }
}

/// How long an SDK waits before it asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Its own backoff: half a second, then one, less up to a quarter.
    Backoff,
    /// As long as the answer says.
    AsTold,
    /// Not at all.
    AtOnce,
}
