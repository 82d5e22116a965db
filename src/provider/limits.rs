//! The state of a provider's limits, and the headers that report it.

use std::time::Duration;

use serde_json::Value;

use super::{
    catalogue::{ErrorRow, LimitStyle, Limits},
    content::created,
    header::{HeaderField, header},
};

/// The state of one allowance per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitWindow {
    /// The allowance per minute.
    pub limit: u64,
    /// The part of the allowance that is left.
    pub remaining: u64,
    /// The time until the allowance is full again.
    pub reset: Duration,
}

/// The state of both limits after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitState {
    /// Requests per minute.
    pub requests: LimitWindow,
    /// Tokens per minute.
    pub tokens: LimitWindow,
    /// The limit that refused the request.
    pub used_up: Limits,
    /// The amount of that limit that the request needs.
    pub requested: u64,
    /// The time after which the same request would be admitted.
    pub retry_after: Duration,
}

impl LimitState {
    /// The state that a mock without an account reports: the limit is used up for `wait`.
    pub(crate) fn standard(used_up: Limits, wait: Duration) -> Self {
        let window = |used: bool, limit, left, least, ms| {
            let (remaining, reset) = if used { (least, wait) } else { (left, Duration::from_millis(ms)) };
            LimitWindow { limit, remaining, reset }
        };
        Self {
            requests: window(used_up == Limits::Requests, 500, 499, 0, 120),
            tokens: window(used_up == Limits::Tokens, 30_000, 29_972, 407, 56),
            used_up,
            requested: if used_up == Limits::Tokens { 3907 } else { 1 },
            retry_after: wait,
        }
    }
}

/// Fills in `{limit}`, `{used}` and `{requested}` of the limit that is used up, and the wait.
pub(super) fn fill_in(text: &str, state: &LimitState) -> String {
    let window = if state.used_up == Limits::Tokens { state.tokens } else { state.requests };
    text.replace("{limit}", &window.limit.to_string())
        .replace("{used}", &window.limit.saturating_sub(window.remaining).to_string())
        .replace("{requested}", &state.requested.to_string())
        .replace("{retry_after}", &go_duration(state.retry_after))
        .replace("{retry_after_seconds}", &seconds(state.retry_after))
        .replace("{reset_unix_ms}", &(created() as u128 * 1000 + state.retry_after.as_millis()).to_string())
}

/// Fills in every text of a JSON value.
fn fill_in_value(value: &mut Value, state: &LimitState) {
    match value {
        Value::String(text) if text.contains('{') => *text = fill_in(text, state),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in_value(item, state)),
        Value::Object(members) => members.values_mut().for_each(|member| fill_in_value(member, state)),
        _ => {}
    }
}

/// Fills in the members and headers of a row, so that they state the same wait as its text.
pub(super) fn fill_in_row(row: &ErrorRow, state: &LimitState) -> ErrorRow {
    let mut row = row.clone();
    row.extra.values_mut().chain(row.body_extra.values_mut()).for_each(|value| fill_in_value(value, state));
    row.headers.values_mut().for_each(|value| *value = fill_in(value, state));
    row
}

/// The wait that a scenario's header asks for: `retry-after-ms`, otherwise `retry-after` in seconds or as a date,
/// which counts from the mock's own fixed time. A date in the past and a negative number ask for no wait. `None`
/// if neither header is a number or a date.
pub(super) fn asked_wait<'h>(header: impl Fn(&str) -> Option<&'h str>) -> Option<Duration> {
    let number = |name, unit: f64| {
        let number = header(name)?.trim().parse::<f64>().ok().filter(|number| number.is_finite())?;
        Duration::try_from_secs_f64((number * unit).clamp(0.0, LONGEST_WAIT)).ok()
    };
    let date = || {
        let date =
            jiff::Timestamp::try_from(httpdate::parse_http_date(header("retry-after")?.trim()).ok()?).ok()?;
        Some(Duration::from_secs(u64::try_from(date.as_second() - created()).unwrap_or_default()))
    };
    number("retry-after-ms", 0.001).or_else(|| number("retry-after", 1.0)).or_else(date)
}

/// A hundred years, in seconds: an HTTP date can be as far away.
const LONGEST_WAIT: f64 = 3.2e9;

/// Returns the headers of a style, with names in lower case. If a limit is used up, the headers that say when to
/// retry come first.
pub(super) fn headers(style: LimitStyle, state: &LimitState) -> Vec<HeaderField> {
    let mut headers = Vec::new();
    let says_when = !matches!(style, LimitStyle::None | LimitStyle::Mistral | LimitStyle::Together);
    if state.used_up != Limits::None && says_when {
        headers.push(header("retry-after", seconds(state.retry_after)));
        if matches!(style, LimitStyle::Openai | LimitStyle::Azure) {
            headers.push(header("retry-after-ms", state.retry_after.as_millis().to_string()));
        }
    }
    match style {
        LimitStyle::None | LimitStyle::RetryAfter => {}
        LimitStyle::Openai | LimitStyle::OpenaiSeconds => openai(state, go_duration, &mut headers),
        LimitStyle::Azure => openai(state, seconds, &mut headers),
        LimitStyle::Anthropic => anthropic(state, &mut headers),
        LimitStyle::Mistral => mistral(state, &mut headers),
        LimitStyle::Together => together(state, &mut headers),
    }
    headers
}

/// Whole seconds, rounded up, so that a client that waits this long has waited long enough.
fn seconds(time: Duration) -> String {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).to_string()
}

fn openai(state: &LimitState, reset: fn(Duration) -> String, headers: &mut Vec<HeaderField>) {
    let windows = [("requests", &state.requests), ("tokens", &state.tokens)];
    for (name, window) in windows {
        headers.push(header(format!("x-ratelimit-limit-{name}"), window.limit.to_string()));
    }
    for (name, window) in windows {
        headers.push(header(format!("x-ratelimit-remaining-{name}"), window.remaining.to_string()));
    }
    for (name, window) in windows {
        headers.push(header(format!("x-ratelimit-reset-{name}"), reset(window.reset)));
    }
}

fn anthropic(state: &LimitState, headers: &mut Vec<HeaderField>) {
    // The general token headers report the kind of token that is nearest to its limit: here the input tokens.
    let output = LimitWindow { limit: 8_000, remaining: 8_000, reset: Duration::ZERO };
    let windows = [
        ("requests", &state.requests),
        ("tokens", &state.tokens),
        ("input-tokens", &state.tokens),
        ("output-tokens", &output),
    ];
    for (name, window) in windows {
        let reset = created() + i64::try_from(window.reset.as_secs()).unwrap_or(i64::MAX / 2);
        let reset = jiff::Timestamp::from_second(reset).map(|time| time.to_string()).unwrap_or_default();
        headers.push(header(format!("anthropic-ratelimit-{name}-limit"), window.limit.to_string()));
        headers.push(header(format!("anthropic-ratelimit-{name}-remaining"), window.remaining.to_string()));
        headers.push(header(format!("anthropic-ratelimit-{name}-reset"), reset));
    }
}

fn mistral(LimitState { requests, tokens, .. }: &LimitState, headers: &mut Vec<HeaderField>) {
    let rows = [
        ("ratelimitbysize-limit", tokens.limit.to_string()),
        ("ratelimitbysize-remaining", tokens.remaining.to_string()),
        ("ratelimitbysize-reset", seconds(tokens.reset)),
        ("x-ratelimit-limit-req-minute", requests.limit.to_string()),
        ("x-ratelimit-remaining-req-minute", requests.remaining.to_string()),
    ];
    headers.extend(rows.map(|(name, value)| header(name, value)));
}

fn together(LimitState { requests, tokens, .. }: &LimitState, headers: &mut Vec<HeaderField>) {
    let rows = [
        ("x-ratelimit-limit", requests.limit.to_string()),
        ("x-ratelimit-remaining", requests.remaining.to_string()),
        ("x-ratelimit-reset", seconds(requests.reset)),
        ("x-tokenlimit-limit", tokens.limit.to_string()),
        ("x-tokenlimit-remaining", tokens.remaining.to_string()),
    ];
    headers.extend(rows.map(|(name, value)| header(name, value)));
}

/// Formats a duration like Go's `Duration.String`: `7s`, `120ms`, `1m0.5s`, `1h0m0s`.
fn go_duration(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{}ms", time.as_millis());
    }
    let (minutes, seconds) = (time.as_secs() / 60, time.as_millis() % 60_000);
    let seconds = if seconds % 1000 == 0 {
        (seconds / 1000).to_string()
    } else {
        format!("{}", seconds as f64 / 1000.0)
    };
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (ms, text) in [
            (0, "0ms"),
            (56, "56ms"),
            (7000, "7s"),
            (3890, "3.89s"),
            (60_000, "1m0s"),
            (60_500, "1m0.5s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn a_header_asks_for_milliseconds_seconds_or_a_date() {
        let wait = |name: &'static str, value: &'static str| {
            asked_wait(|asked| (asked == name).then_some(value)).map(|wait| wait.as_millis())
        };
        assert_eq!(wait("retry-after", "27"), Some(27_000));
        assert_eq!(wait("retry-after", "1.5"), Some(1500));
        assert_eq!(wait("retry-after-ms", "650"), Some(650));
        assert_eq!(wait("retry-after", "Tue, 14 Nov 2023 22:13:27 GMT"), Some(7000));
        for none in ["0", "-1", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(wait("retry-after", none), Some(0), "{none}");
        }
        for text in ["soon", "", "inf", "NaN"] {
            assert_eq!(wait("retry-after", text), None, "{text}");
        }
        let both = |name: &str| Some(if name == "retry-after" { "1" } else { "650" });
        assert_eq!(asked_wait(both), Some(Duration::from_millis(650)));
    }
}
