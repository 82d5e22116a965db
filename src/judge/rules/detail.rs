//! Whether the details of the provider's error reach the caller.

use serde_json::Value;

use super::{
    language_literal::{MISSING, literal_in},
    limits,
    other_members::other_texts,
    own,
};
use crate::{
    dialect::{self, ErrorForm, ErrorObject, Vocabulary},
    judge::{
        attempt_outcome::AttemptOutcome,
        facts::Facts,
        retry_after::asked_ms,
        rule::{Rule, RuleOutcome},
        scope::{Failed, FailedAfterContent, PassThrough, Pinged, Scope, Session},
    },
    observation::{Attempt, excerpt, word},
    scenario::Level,
};

/// The failures that the proxy could report by an error object, in a body or in an event. A close frame has no room
/// for one.
const ERROR_OBJECT: Scope = Scope::CALLS.only(&[Failed]).never(&[Session]);

/// The same without streams with pings: there the error is an event, and the rules on streams check that.
const MESSAGE: Scope = Scope::CALLS.only(&[Failed]).never(&[FailedAfterContent, Session, Pinged]);

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "detail.message-kept",
        level: Level::Required,
        title: "The provider's message of a 4xx reaches the caller",
        reason: "It says what to change: which parameter, which model, which limit.",
        references: &["BerriAI/litellm#9496"],
        timing: false,
        scope: MESSAGE,
        check: message_kept,
    },
    Rule {
        id: "detail.server-message-kept",
        level: Level::Recommended,
        title: "The provider's message of a 5xx reaches the caller",
        reason: "It distinguishes an outage from an overload. Some proxies hide it on purpose.",
        references: &["https://docs.litellm.ai/docs/exception_mapping"],
        timing: false,
        scope: MESSAGE,
        check: server_message_kept,
    },
    Rule {
        id: "detail.own-error",
        level: Level::Required,
        title: "An error contains nothing that an upstream sent for another request",
        reason: "Two callers whose errors are swapped, or one that gets an old error, fix what is not broken, and a \
                 message may contain what only the other caller may see.",
        references: &["RFC 9112 section 9.2", "https://openai.com/index/march-20-chatgpt-outage/"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: own::error,
    },
    Rule {
        id: "detail.message-once",
        level: Level::Required,
        title: "The provider's message appears in the response once",
        reason: "No one reads a message that is wrapped into itself, and no client parses an error object that is \
                 escaped into a message.",
        references: &["BerriAI/litellm#40135"],
        timing: false,
        scope: Scope::CALLS.only(&[Failed]),
        check: message_once,
    },
    Rule {
        id: "detail.message-plain",
        level: Level::Recommended,
        title: "The message is text, not an error object written into a string",
        reason: "A client shows it to a person, or searches it for words; neither works with escaped JSON.",
        references: &["BerriAI/litellm#40135"],
        timing: false,
        scope: ERROR_OBJECT,
        check: message_plain,
    },
    Rule {
        id: "detail.code-kept",
        level: Level::Recommended,
        title: "The provider's error code reaches the caller",
        reason: "Callers branch on it: after insufficient_quota a retry is useless, after rate_limit_exceeded it is \
                 not.",
        references: &["BerriAI/litellm#15968"],
        timing: false,
        scope: ERROR_OBJECT,
        check: code_kept,
    },
    Rule {
        id: "detail.limit-code-kept",
        level: Level::Required,
        title: "The code of OpenAI's 429 reaches the caller",
        reason: "OpenAI sends a 429 for a limit that ends within seconds and for money that is used up, in five cases with \
                 the same type. Only the code says whether a retry can succeed.",
        references: &[
            "https://developers.openai.com/api/docs/guides/error-codes",
            "langwatch/langwatch#6304",
        ],
        timing: false,
        scope: ERROR_OBJECT,
        check: limit_code_kept,
    },
    Rule {
        id: "detail.type-kept",
        level: Level::Recommended,
        title: "The provider's error type reaches the caller",
        reason: "If there is no code, only the type distinguishes kinds of errors.",
        references: &["https://platform.openai.com/docs/guides/error-codes"],
        timing: false,
        scope: ERROR_OBJECT,
        check: type_kept,
    },
    Rule {
        id: "detail.param-kept",
        level: Level::Recommended,
        title: "The name of the offending parameter reaches the caller",
        reason: "It is the first thing that a person looks for.",
        references: &["https://platform.openai.com/docs/guides/error-codes"],
        timing: false,
        scope: ERROR_OBJECT,
        check: param_kept,
    },
    Rule {
        id: "detail.members-kept",
        level: Level::Recommended,
        title: "What the provider's error says in other members reaches the caller",
        reason: "Filter results, the text that a model failed to generate and the words of a provider behind the \
                 provider are nowhere else.",
        references: &[
            "RFC 9457 section 3.2",
            "https://openrouter.ai/docs/api/reference/errors-and-debugging",
        ],
        timing: false,
        scope: ERROR_OBJECT,
        check: members_kept,
    },
    Rule {
        id: "detail.no-language-literals",
        level: Level::Required,
        title: "An error contains no literals of a programming language in place of JSON values",
        reason: "A client that looks for null does not find \"None\", and b'…' is not text.",
        references: &["BerriAI/litellm#10793"],
        timing: false,
        scope: Scope::CALLS.only(&[Failed]),
        check: no_language_literals,
    },
];

/// The error object that the caller got, and those that failed upstreams sent, with an error status or as an event.
fn pair<'f, 'a>(facts: &'f Facts<'a>) -> Option<(&'f ErrorObject, Vec<(&'a Attempt, &'f ErrorObject)>)> {
    let sent: Vec<_> = facts
        .failures()
        .filter(|(_, result)| !matches!(result, AttemptOutcome::OddBody { .. }))
        .filter_map(|(attempt, result)| result.error().map(|error| (attempt, error)))
        .collect();
    let got = facts.response.error()?;
    (!sent.is_empty() && facts.failures().count() == sent.len()).then_some((got, sent))
}

/// `wanted` gets the status of each failure, or `None` for an error with status 200 that states none.
fn message(facts: &Facts<'_>, wanted: impl Fn(Option<u16>) -> bool) -> Option<RuleOutcome> {
    let applies = |result: &AttemptOutcome| match result {
        AttemptOutcome::Status { status, .. } => wanted(Some(*status)),
        // `stream.error-detail` checks an error that is passed on as an event.
        AttemptOutcome::ErrorEvent { .. } => {
            facts.response.failure_status().is_some() && wanted(result.status())
        }
        AttemptOutcome::OddBody { error: Some(_) } => {
            facts.response.failure_status().is_some() && wanted(None)
        }
        _ => false,
    };
    // A failed chain may report any of its failures; `fallback.true-error` checks that.
    if !facts.unreachable.is_empty()
        || !facts.failures().all(|(_, result)| applies(result))
        || facts.chain().len() > 1
    {
        return None;
    }
    let canaries: Vec<&str> = facts
        .failures()
        // `detail.members-kept` checks words in other members.
        .filter(|(attempt, result)| {
            result.error().is_some_and(|error| word::has_token(&error.message, &attempt.canaries.message))
        })
        .map(|(attempt, _)| attempt.canaries.message.as_str())
        .collect();
    let answer = facts.raw_response().filter(|_| !canaries.is_empty())?;
    // Of several attempts, the proxy may report one that said something only in another member.
    let is_kept =
        facts.failures().any(|(attempt, _)| word::has_token(&answer.body.text, &attempt.canaries.message));
    RuleOutcome::check(is_kept, || {
        (
            format!("the provider's message, which contains {}", canaries.join(" or ")),
            facts.response.describe(),
        )
    })
}

fn message_kept(facts: &Facts<'_>) -> Option<RuleOutcome> {
    message(facts, |status| matches!(status, Some(400..500)))
}

fn server_message_kept(facts: &Facts<'_>) -> Option<RuleOutcome> {
    message(facts, |status| matches!(status, Some(500..) | None))
}

fn message_once(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let answer = facts.raw_response()?;
    // A proxy may report a failed chain as a list of its failures.
    if facts.chain().len() > 1 {
        return None;
    }
    // The rules on streams check an error event that was sent twice.
    let text = match facts.response.error() {
        Some(error) => error.raw.to_string(),
        None => answer.body.text.clone(),
    };
    let mut outcome = None;
    for (attempt, _) in facts.failures() {
        let canary = attempt.canaries.message.as_str();
        let sent = word::count_tokens(&attempt.said(), canary);
        let count = word::count_tokens(&text, canary);
        if sent != 1 || count == 0 {
            continue;
        }
        outcome = Some(RuleOutcome::Holds);
        if count > 1 {
            return RuleOutcome::broken(
                "once",
                format!("{count} times: {}", facts.response.describe()),
                Vec::new(),
            );
        }
    }
    outcome
}

fn message_plain(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (got, sent) = pair(facts)?;
    if sent.iter().any(|(_, error)| contains_object(&error.message)) {
        return None;
    }
    RuleOutcome::check(!contains_object(&got.message), || {
        ("a message in plain text".to_owned(), format!("{:?}", excerpt(&got.message)))
    })
}

/// Whether a text contains an error object as JSON, possibly escaped once more.
fn contains_object(text: &str) -> bool {
    let is_object = |text: &str| {
        text.match_indices('{').any(|(at, _)| {
            let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
            matches!(values.next(), Some(Ok(Value::Object(members))) if ["error", "message", "detail"].iter().any(|name| members.contains_key(*name)))
        })
    };
    is_object(text) || is_object(&text.replace("\\\"", "\""))
}

/// Whether the texts of an error's other members reach the caller, anywhere in the response.
fn members_kept(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let own = ErrorForm::of(facts.api()).vocabulary();
    let answer = facts.raw_response().filter(|_| facts.chain().len() < 2)?;
    let (last, result) = facts.failures().last()?;
    // Other rules check a failure that is not reported as an error.
    facts.response.error()?;
    let texts = other_texts(last, result.error(), own);
    if texts.is_empty() || matches!(result, AttemptOutcome::OddBody { .. }) || facts.ended_without_an_error()
    {
        return None;
    }
    // A text is compared as JSON writes it.
    let arrived = |text: &str| {
        let escaped = Value::from(text).to_string();
        answer.body.text.contains(escaped.trim_matches('"'))
            || answer.headers.iter().any(|(_, value)| value == text)
            || facts.response.error().is_some_and(|error| error.message.contains(text))
    };
    // A proxy may translate a wait into the header that every client knows.
    let asked = asked_ms(|name| answer.header(name), facts.exchange.end_ms, facts.began);
    let is_header = |wait: f64| asked.is_some_and(|ms| (ms / 1000.0 - wait).abs() <= 2.0);
    let lost = texts.iter().find(|other| !arrived(&other.text) && !other.wait().is_some_and(is_header));
    RuleOutcome::check(lost.is_none(), || {
        let lost = lost.map(|lost| format!("`{}`: {:?}", lost.place, excerpt(&lost.text)));
        (lost.unwrap_or_default(), facts.response.describe())
    })
}

/// Whether one member of the error object equals, as text, what one of the upstreams sent. Does not apply between
/// two dialects, because the values of one mean nothing in the other.
fn member(facts: &Facts<'_>, name: &str, read: impl Fn(&ErrorObject) -> &Value) -> Option<RuleOutcome> {
    let (got, sent) = pair(facts)?;
    let own = ErrorForm::of(facts.api()).vocabulary();
    if own == Vocabulary::Other {
        return None;
    }
    // The official error events of the Responses API have a code, but no type.
    let is_typed_event = got.raw["type"].is_string() && got.raw.get("error").is_none();
    if name == "type" && own == Vocabulary::OpenAi && is_typed_event {
        return None;
    }
    let sent: Vec<&Value> =
        sent.iter().filter(|(_, error)| error.family == own).map(|(_, error)| read(error)).collect();
    // Of several attempts, the proxy may report one without this member.
    if sent.is_empty() || sent.iter().any(|value| value.is_null()) {
        return None;
    }
    let got = read(got);
    let same = |sent: &Value| match (dialect::text(sent), dialect::text(got)) {
        // AWS writes a type with an initial capital in the header, and with a small letter in a stream.
        (sent, got) if own == Vocabulary::Aws => sent.eq_ignore_ascii_case(&got),
        (sent, got) => sent == got,
    };
    RuleOutcome::check(sent.iter().any(|value| same(value)), || {
        let mut sent: Vec<String> = sent.iter().map(|value| format!("`{}`", dialect::text(value))).collect();
        sent.dedup();
        (format!("`{name}` {}", sent.join(" or ")), format!("`{}`", dialect::text(got)))
    })
}

fn code_kept(facts: &Facts<'_>) -> Option<RuleOutcome> {
    if limits::has_limit_code(facts) { None } else { member(facts, "code", |error| &error.code) }
}

fn limit_code_kept(facts: &Facts<'_>) -> Option<RuleOutcome> {
    if limits::has_limit_code(facts) { member(facts, "code", |error| &error.code) } else { None }
}

fn type_kept(facts: &Facts<'_>) -> Option<RuleOutcome> {
    member(facts, "type", |error| &error.kind)
}

fn param_kept(facts: &Facts<'_>) -> Option<RuleOutcome> {
    member(facts, "param", |error| &error.param)
}

fn no_language_literals(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let got = facts.response.error()?;
    let sent: String = facts.failures().map(|(attempt, _)| attempt.said()).collect();
    for (name, value) in [("type", &got.kind), ("code", &got.code), ("param", &got.param)] {
        if let Value::String(text) = value
            && MISSING.contains(&text.as_str())
        {
            return RuleOutcome::broken(
                format!("`{name}`: null, or a value"),
                format!("the text {text:?}"),
                Vec::new(),
            );
        }
    }
    let message = facts.steady(&got.message);
    let literal = literal_in(&message, &sent);
    RuleOutcome::check(literal.is_none(), || {
        (
            "a message without literals of a programming language".to_owned(),
            format!("{:?} in {:?}", literal.unwrap_or_default(), excerpt(&got.message)),
        )
    })
}
