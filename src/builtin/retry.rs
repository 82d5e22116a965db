//! Decides whether to retry, after which pause, and whether to try the next model. Pure.

use std::time::Duration;

use super::{
    extension::{Extension, ProxyStep},
    failure::{CallFailure, Cause},
};

/// The longest Retry-After that the proxy waits for. With a longer one it sends the error to the caller,
/// which knows better whether to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The first and the longest pause between attempts if the upstream sends no Retry-After. Each pause is twice
/// as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Whether the same request may succeed on another route or later: true for 429, 5xx, transport errors,
/// timeouts, and a 200 with an invalid body. Never true if the caller's request or the proxy's key is the
/// reason.
pub(super) fn may_pass(failure: &CallFailure) -> bool {
    match failure.cause {
        Cause::Caller | Cause::OddStatus | Cause::CoolingDown => false,
        Cause::Timeout | Cause::Unreachable | Cause::Disconnected => true,
        Cause::Status(_) | Cause::OddBody | Cause::FirstEvent => {
            failure.status == 429 || failure.status >= 500
        }
    }
}

/// Whether the next fallback is tried.
pub(super) fn falls_back(failure: &CallFailure) -> bool {
    failure.cause == Cause::CoolingDown || may_pass(failure)
}

/// How long to wait before the next attempt; `None` if there is none. `tried` counts from 1.
pub(super) fn pause(
    failure: &CallFailure,
    tried: u32,
    retries: u32,
    extension: &dyn Extension,
    now: jiff::Timestamp,
) -> Option<Duration> {
    if tried > extension.retries(failure, may_pass(failure), retries) {
        return None;
    }
    match retry_after(failure, now).filter(|_| extension.takes(ProxyStep::WaitForRetry)) {
        Some(wait) => (wait <= LONGEST_WAIT).then_some(wait),
        None => Some((FIRST_PAUSE * 2u32.saturating_pow((tried - 1).min(10))).min(LONGEST_PAUSE)),
    }
}

/// `retry-after-ms`, or `retry-after` in seconds or as a date (RFC 9110 section 10.2.3).
fn retry_after(failure: &CallFailure, now: jiff::Timestamp) -> Option<Duration> {
    let number = |text: &str, unit: f64| {
        text.trim().parse::<f64>().ok().and_then(|n| Duration::try_from_secs_f64(n * unit).ok())
    };
    if let Some(wait) = failure.header("retry-after-ms").and_then(|text| number(text, 0.001)) {
        return Some(wait);
    }
    let text = failure.header("retry-after")?;
    number(text, 1.0).or_else(|| {
        let date = jiff::Timestamp::try_from(httpdate::parse_http_date(text.trim()).ok()?).ok()?;
        Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::extension::Unextended;

    fn failure(status: u16, headers: &[(&str, &str)]) -> CallFailure {
        let mut failure = CallFailure::own(Cause::Status(status), status, "t", None, "m");
        failure.headers = headers.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        failure
    }

    fn now() -> jiff::Timestamp {
        "1994-11-06T08:49:34Z".parse().unwrap()
    }

    fn pause_of(failure: &CallFailure, tried: u32, retries: u32) -> Option<Duration> {
        pause(failure, tried, retries, &Unextended, now())
    }

    #[test]
    fn only_failures_that_may_pass_are_retried_and_only_as_often_as_allowed() {
        for status in [429, 500, 502, 503, 504, 529] {
            assert!(pause_of(&failure(status, &[]), 2, 2).is_some(), "{status}");
            assert_eq!(pause_of(&failure(status, &[]), 3, 2), None, "{status}");
        }
        for status in [400, 401, 402, 403, 404, 408, 409, 413, 422] {
            assert_eq!(pause_of(&failure(status, &[]), 1, 2), None, "{status}");
        }
        assert!(pause_of(&CallFailure::timeout(Duration::from_secs(1)), 1, 1).is_some());
        assert_eq!(pause_of(&CallFailure::caller(400, "c", "m"), 1, 1), None);
    }

    #[test]
    fn the_pause_follows_every_form_of_retry_after_unless_it_is_long() {
        let wait = |name, value| pause_of(&failure(429, &[(name, value)]), 1, 1);
        assert_eq!(wait("retry-after", "2"), Some(Duration::from_secs(2)));
        assert_eq!(wait("retry-after", "0"), Some(Duration::ZERO));
        assert_eq!(wait("retry-after-ms", "150"), Some(Duration::from_millis(150)));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(3)));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("retry-after", "Sunday, 06-Nov-94 08:49:36 GMT"), Some(Duration::from_secs(2)));
        assert_eq!(wait("retry-after", "60"), None);
        assert_eq!(wait("retry-after", "soon"), Some(FIRST_PAUSE));
        assert_eq!(wait("retry-after", "-1"), Some(FIRST_PAUSE));
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let pauses: Vec<_> =
            (1..=8).filter_map(|n| pause_of(&failure(500, &[]), n, 9)).map(|d| d.as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000, 1000]);
        assert!(pause_of(&failure(500, &[]), u32::MAX - 1, u32::MAX).is_some());
    }
}
