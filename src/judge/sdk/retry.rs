//! Whether an SDK retries.

use jiff::{Timestamp, fmt::rfc2822};

use super::{
    kinds::Sdk,
    outcome::{Retry, RetryReason, Wait},
};
use crate::observation::Response;

/// The first request and the two retries that every SDK makes by default.
const ATTEMPTS: u32 = 3;

/// The longest wait that openai-python accepts. For a longer one it does not retry.
const LONGEST_SECONDS: f64 = 120.0;

/// The longest timer in Node. For a longer wait, anthropic-node uses its own backoff.
const LONGEST_TIMER_MS: f64 = 2_147_483_647.0;

/// The longest wait of anthropic-python.
const LONGEST_SLEEP_SECONDS: f64 = 4_294_967.0;

/// The wait that a response requests.
enum RetryAfterValue {
    Nothing,
    Seconds(f64),
    /// A value whose effect was not measured.
    Unclear,
}

/// The connection was opened, but no response arrived.
pub(super) const fn by_connection() -> Retry {
    Retry { attempts: Some(ATTEMPTS), reason: RetryReason::Connection, wait: Some(Wait::Backoff) }
}

/// The body of a 200 was cut: only the Python SDKs retry.
pub(super) fn by_cut_body(sdk: Sdk) -> Retry {
    if sdk.is_python() {
        Retry { attempts: Some(ATTEMPTS), reason: RetryReason::Body, wait: Some(Wait::Backoff) }
    } else {
        Retry::never(RetryReason::Body)
    }
}

/// Decides by the status and the headers of an error response.
pub(super) fn by_answer(sdk: Sdk, answer: &Response) -> Retry {
    let requested = retry_after_value(answer);
    let (again, reason) = match answer.header("x-should-retry") {
        Some("true") => (true, RetryReason::XShouldRetry),
        Some("false") => (false, RetryReason::XShouldRetry),
        _ => (matches!(answer.status, 408 | 409 | 429 | 500..), RetryReason::Status),
    };
    if !again {
        return Retry::never(reason);
    }
    match requested {
        RetryAfterValue::Seconds(seconds) if sdk == Sdk::OpenaiPython && seconds > LONGEST_SECONDS => {
            Retry::never(RetryReason::RetryAfterTooLong)
        }
        RetryAfterValue::Unclear if sdk == Sdk::OpenaiPython => {
            Retry { attempts: None, reason: RetryReason::RetryAfterUnclear, wait: None }
        }
        requested => Retry { attempts: Some(ATTEMPTS), reason, wait: wait(sdk, &requested, answer) },
    }
}

fn wait(sdk: Sdk, requested: &RetryAfterValue, answer: &Response) -> Option<Wait> {
    match requested {
        RetryAfterValue::Nothing => Some(Wait::Backoff),
        RetryAfterValue::Unclear => None,
        // Zero was measured in `retry-after` only.
        RetryAfterValue::Seconds(0.0) if answer.header("retry-after-ms").is_some() => None,
        RetryAfterValue::Seconds(0.0) if sdk == Sdk::OpenaiNode => Some(Wait::AtOnce),
        RetryAfterValue::Seconds(0.0) => Some(Wait::Backoff),
        RetryAfterValue::Seconds(seconds) if seconds * 1000.0 > LONGEST_TIMER_MS => match sdk {
            Sdk::AnthropicNode => Some(Wait::Backoff),
            Sdk::AnthropicPython if *seconds <= LONGEST_SLEEP_SECONDS => Some(Wait::AsRequested),
            _ => None,
        },
        RetryAfterValue::Seconds(_) => Some(Wait::AsRequested),
    }
}

/// `retry-after-ms` comes before `retry-after`, whose value is a number of seconds or a date.
fn retry_after_value(answer: &Response) -> RetryAfterValue {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
    if let Some(ms) = answer.header("retry-after-ms") {
        return number(ms).map_or(RetryAfterValue::Unclear, |ms| RetryAfterValue::Seconds(ms / 1000.0));
    }
    let Some(text) = answer.header("retry-after") else { return RetryAfterValue::Nothing };
    if let Some(seconds) = number(text) {
        return RetryAfterValue::Seconds(seconds);
    }
    // The caller's clock is not recorded, so the response's Date is used instead.
    let seconds = date(text).zip(answer.header("date").and_then(date)).map(|(at, now)| at - now);
    seconds.filter(|seconds| *seconds > 0.0).map_or(RetryAfterValue::Unclear, RetryAfterValue::Seconds)
}

/// An HTTP date in seconds since 1970.
fn date(text: &str) -> Option<f64> {
    let date: Timestamp = rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(date.as_duration().as_secs_f64())
}
