//! Whether the caller gets a response in its own dialect.

use serde_json::Value;

use crate::{
    dialect,
    judge::{
        attempt_outcome::{self, AttemptOutcome},
        caller_response::CallerResponse,
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::Scope,
    },
    observation::{Attempt, ResponseEnd, excerpt},
    scenario::{Level, Provider},
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "format.envelope",
        level: Level::Required,
        title: "A failure is reported as an error object of the caller's dialect",
        reason: "Typed clients read `error.message`, `error.type` and `error.code`; anything else ends up in their \
                 catch-all exception.",
        references: &[
            "https://platform.openai.com/docs/api-reference",
            "https://platform.claude.com/docs/en/api/errors",
        ],
        timing: false,
        scope: Scope::CALLS,
        check: envelope,
    },
    Rule {
        id: "format.content-type",
        level: Level::Required,
        title: "A failure with an error status has the content type application/json",
        reason: "A client that is promised an event stream, or HTML, does not look for an error object.",
        references: &["RFC 9110 section 8.3"],
        timing: false,
        scope: Scope::CALLS,
        check: content_type,
    },
    Rule {
        id: "format.stream-content-type",
        level: Level::Recommended,
        title: "A stream has a content type",
        reason: "The official SDKs read what they asked for, whatever its content type. A browser, a gateway behind \
                 this one and every generic client decide by the content type whether to read events at all.",
        references: &[
            "RFC 9110 section 8.3",
            "https://html.spec.whatwg.org/multipage/server-sent-events.html",
        ],
        timing: false,
        scope: Scope::CALLS,
        check: stream_content_type,
    },
    Rule {
        id: "format.stream-events",
        level: Level::Required,
        title: "Every event of a stream is a chunk, an error or the terminator",
        reason: "Any other event breaks strict parsers in the middle of a response.",
        references: &["https://platform.openai.com/docs/api-reference/chat-streaming"],
        timing: false,
        scope: Scope::CALLS,
        check: stream_events,
    },
];

fn envelope(facts: &Facts<'_>) -> Option<RuleOutcome> {
    // `format.content-coding` reports a body that no client can read.
    let coded = facts.raw_response().and_then(|answer| answer.body.coded.as_ref());
    if coded.is_some_and(|coded| coded.error.is_some() || coded.undeclared.is_some()) {
        return None;
    }
    let (value, complete) = match &facts.response {
        CallerResponse::Failure { body, .. } => {
            (body.as_ref(), facts.raw_response().is_some_and(|answer| answer.ending == ResponseEnd::Complete))
        }
        CallerResponse::Stream(stream) if !stream.errors.is_empty() => {
            (stream.errors.first().map(|(_, error)| &error.raw), true)
        }
        _ => return None,
    };
    let in_stream = matches!(facts.response, CallerResponse::Stream(_));
    let header = facts.raw_response().and_then(|answer| answer.header("x-amzn-errortype"));
    let own = |name: &str, member: &Value| {
        let errors = facts.failures().filter_map(|(_, result)| result.error());
        errors.into_iter().any(|sent| sent.raw["error"][name] == *member)
    };
    let api = facts.api();
    let passed_through = |value: &Value| {
        own_dialect(facts, |attempt, result| {
            // AWS sends a part of an error in this header.
            let typed = attempt.sent.header("x-amzn-errortype").is_some();
            result.error().is_some_and(|error| error.raw == *value) && typed == header.is_some()
        })
    };
    let wrong = match value {
        _ if !complete => Some("an incomplete body".to_owned()),
        None => facts.raw_response().map(|answer| {
            if answer.body.text.is_empty() { "an empty body".to_owned() } else { excerpt(&answer.body.text) }
        }),
        Some(value) if passed_through(value) => None,
        Some(value) => dialect::wrong_envelope(api, value, in_stream, header, own),
    };
    let expected = dialect::ErrorForm::of(api).description();
    RuleOutcome::check(wrong.is_none(), || (expected.to_owned(), wrong.unwrap_or_default()))
}

/// Whether a failed upstream of the caller's own dialect did the same: what the provider sends to its own clients
/// is in their dialect by definition. Not for OpenAI's dialect: many providers use it in many variants, and the
/// proxy has to unify them.
fn own_dialect(facts: &Facts<'_>, same: impl Fn(&Attempt, &AttemptOutcome) -> bool) -> bool {
    let api = facts.api();
    api.native_provider() != Provider::Openai
        && facts.failures().any(|(attempt, result)| attempt.api == Some(api) && same(attempt, result))
}

fn content_type(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (CallerResponse::Failure { .. }, Some(answer)) = (&facts.response, facts.raw_response()) else {
        return None;
    };
    let got = answer.header("content-type").unwrap_or("no content-type");
    if own_dialect(facts, |attempt, _| attempt.sent.header("content-type") == Some(got)) {
        return Some(RuleOutcome::Holds);
    }
    let essence = got.split(';').next().unwrap_or_default().trim();
    RuleOutcome::check(essence.eq_ignore_ascii_case("application/json"), || {
        ("content-type: application/json".to_owned(), got.to_owned())
    })
}

fn stream_content_type(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let answer = facts.raw_response().filter(|_| facts.response.stream().is_some())?;
    RuleOutcome::check(answer.header("content-type").is_some(), || {
        let expected = dialect::carrier(facts.api()).content_type();
        (format!("content-type: {expected}"), "no content-type".to_owned())
    })
}

fn stream_events(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let stream = facts.response.stream()?;
    // An event that the provider itself sent belongs to the dialect: its documentation says that clients must
    // ignore unknown events.
    let api = facts.api();
    let sent = |text: &str| {
        let own = facts.attempts.iter().filter(|(attempt, _)| attempt.api == Some(api));
        own.into_iter().any(|(attempt, _)| {
            attempt_outcome::frames(&attempt.sent, api).into_iter().flatten().any(|frame| frame.data == text)
        })
    };
    let odd: Vec<&str> = stream.odd.iter().map(String::as_str).filter(|text| !sent(text)).collect();
    RuleOutcome::check(odd.is_empty(), || {
        let done = dialect::terminator(facts.api()).map(|name| format!(", {name}")).unwrap_or_default();
        (format!("chunks, an error{done}"), format!("{:?}", excerpt(&odd.join(" | "))))
    })
}
