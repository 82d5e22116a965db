//! The wait that a response requests.

use jiff::Timestamp;

use crate::observation::Attempt;

/// The wait that an upstream's response requests, in milliseconds from its end. `None` if it requests no wait:
/// without a header, for zero or a date in the past, and for an invalid value (RFC 9110 section 10.2.3).
///
/// `began` is the time of day at 0 ms of the observation; without it, dates are ignored.
pub(super) fn wait_ms(attempt: &Attempt, began: Option<Timestamp>) -> Option<f64> {
    asked_ms(|name| attempt.sent.header(name), attempt.end_ms.unwrap_or(attempt.at_ms), began)
}

/// Like [`wait_ms`], for the headers of a message that ended at `ended_ms`.
pub(super) fn asked_ms<'h>(
    header: impl Fn(&str) -> Option<&'h str>,
    ended_ms: f64,
    began: Option<Timestamp>,
) -> Option<f64> {
    let header = |name: &str| header(name).map(str::trim);
    let until = |text: &str| {
        let date = Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()?;
        Some(date.as_millisecond() as f64 - (began?.as_millisecond() as f64 + ended_ms))
    };
    header("retry-after-ms")
        .and_then(number)
        .or_else(|| {
            let text = header("retry-after")?;
            number(text).map(|seconds| seconds * 1000.0).or_else(|| until(text))
        })
        .filter(|ms| *ms > 0.0)
}

/// Parses digits with an optional fraction, which some providers send. Rejects signs, exponents and `inf`.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::seen::{error, plain};

    fn asked(name: &str, value: &str) -> Option<f64> {
        let seen = plain().tried(error(429).with(name, value));
        // The response ends at 2 ms.
        wait_ms(&seen.observation.attempts[0], Some("1994-11-06T08:49:34Z".parse().unwrap()))
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_parsed() {
        assert_eq!(asked("retry-after", "2"), Some(2000.0));
        assert_eq!(asked("retry-after", " 1.5 "), Some(1500.0));
        assert_eq!(asked("retry-after-ms", "150"), Some(150.0));
        for date in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(asked("retry-after", date), Some(2998.0), "{date}");
        }
    }

    #[test]
    fn zero_past_dates_and_invalid_values_request_no_wait() {
        let past = "Sun, 06 Nov 1994 08:00:00 GMT";
        for value in ["0", "0.0", past, "-1", "soon", "", "1e999", "inf", "NaN", "0x10", "+5", "1.2.3"] {
            assert_eq!(asked("retry-after", value), None, "{value}");
        }
    }

    #[test]
    fn without_the_time_of_day_dates_are_ignored() {
        let seen = plain().tried(error(429).with("retry-after", "Thu, 31 Dec 2037 23:59:59 GMT"));
        assert_eq!(wait_ms(&seen.observation.attempts[0], None), None);
    }
}
