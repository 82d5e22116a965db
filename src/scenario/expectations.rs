//! Checks of what a scenario expects.

use std::ops::Range;

use indexmap::IndexMap;

use super::{
    check::{FileChecker, known_deployment},
    expect::{Attempts, Expect},
    expect_body::BodyExpect,
    located::Located,
    model::{Combination, Turn},
    turn::placeholders,
};

/// Checks names, pointers and times.
pub(super) fn expectations(
    check: &mut FileChecker<'_>,
    expect: &Located<Expect>,
    deployments: &IndexMap<String, Vec<Turn>>,
    matrix: &[Combination],
) {
    let Located { value: expect, range } = expect;
    if let Some(Attempts::Each(each)) = &expect.attempts {
        for name in each.keys() {
            known_deployment(check, range, name, deployments);
        }
    }
    let requests = || expect.requests.iter();
    for name in requests().filter_map(|request| request.deployment.as_ref()) {
        known_deployment(check, range, name, deployments);
    }
    for name in expect.headers.keys().chain(requests().flat_map(|request| request.headers.keys())) {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            check.error(&check.word(range, name), format!("`{name}` is not a valid header name"));
        }
    }
    for body in expect.body.iter().chain(requests().filter_map(|request| request.body.as_ref())) {
        self::body(check, range, body);
    }
    if let Some(kind) = expect.content_type.as_ref().filter(|kind| !is_media_type(kind)) {
        check.error(&check.word(range, kind), format!("`{kind}` is not a media type")).help = Some(
            "write the type without parameters, as in `application/json` or `text/event-stream`".to_owned(),
        );
    }
    if let (Some(first), Some(end)) = (expect.first_byte_within, expect.within)
        && first > end
    {
        check
            .error(&check.word(range, "first_byte_within"), "`first_byte_within` is longer than `within`")
            .help = Some("`within` is the time until the end of the response: swap the two".to_owned());
    }
    let session = matrix.iter().map(|one| one.api).find(|api| api.is_session());
    if let (Some(api), Some(_)) = (session, &expect.content_type) {
        check
            .error(&check.word(range, "content_type"), format!("{api} is a session and has no content type"))
            .help = Some("leave `content_type` out, or put this API into a separate file".to_owned());
    }
}

fn body(check: &mut FileChecker<'_>, range: &Range<usize>, body: &BodyExpect) {
    for (key, texts) in [("contains", &body.contains), ("not_contains", &body.not_contains)] {
        for text in &texts.0 {
            if text.is_empty() {
                let place = check.word(range, "body");
                let place = check.word(&(place.end..range.end), key);
                check.error(&place, "an empty text occurs in every body").help =
                    Some("write the text that must occur, or leave it out".to_owned());
            }
            placeholders(check, range, text);
        }
    }
    for pointer in body.json.keys().filter(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
        let place = check.word(range, pointer);
        let parts = pointer
            .trim_start_matches("$.")
            .trim_start_matches('$')
            .replace(['.', '['], "/")
            .replace(']', "");
        check.error(&place, format!("`{pointer}` is not a JSON pointer")).help = Some(format!(
            "a pointer begins with a slash (RFC 6901): write `/{}`",
            parts.trim_start_matches('/')
        ));
    }
}

/// Whether a text is `TYPE/SUBTYPE` without parameters.
fn is_media_type(text: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}
