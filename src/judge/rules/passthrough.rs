//! Responses on a route that passes requests through to a provider unchanged.

use std::borrow::Cow;

use crate::{
    judge::{
        attempt_outcome::is_truncated,
        facts::Facts,
        mirrored::same_content_type,
        rule::{Rule, RuleOutcome},
        scope::{PassThrough, Scope},
        trace::hop_by_hop,
    },
    observation::{Attempt, AttemptEnd, Response, ResponseBody, ResponseEnd, excerpt},
    scenario::{Fault, FaultNeed, Level, ReplyPart},
};

const PASSED_THROUGH: Scope = Scope::CALLS.only(&[PassThrough]);

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "passthrough.status",
        level: Level::Required,
        title: "A pass-through route returns the provider's status",
        reason: "Callers use the provider's own dialect there, with its own SDK, and that SDK knows what to do with \
                 the provider's status.",
        references: &["BerriAI/litellm#32133", "maximhq/bifrost#6073"],
        timing: false,
        scope: PASSED_THROUGH,
        check: status,
    },
    Rule {
        id: "passthrough.content-type",
        level: Level::Required,
        title: "A pass-through route returns the provider's content type",
        reason: "The provider's own SDK decides by it how to read the body. Even a more correct content type is \
                 wrong.",
        references: &["RFC 9110 section 8.3", "maximhq/bifrost#6073"],
        timing: false,
        scope: PASSED_THROUGH,
        check: content_type,
    },
    Rule {
        id: "passthrough.body",
        level: Level::Required,
        title: "A pass-through route returns the provider's body, byte for byte",
        reason: "An error that the proxy fixes, wraps or rewrites is no longer what the provider said, and a \
                 pass-through promises nothing else.",
        references: &["BerriAI/litellm#32133", "maximhq/bifrost#6073"],
        timing: false,
        scope: PASSED_THROUGH,
        check: body,
    },
    Rule {
        id: "passthrough.cut-stays-cut",
        level: Level::Required,
        title: "On a pass-through route, a body that broke off does not end as if it were complete",
        reason: "Only the end of the body shows the caller whether a response is incomplete.",
        references: &["RFC 9112 section 8", "BerriAI/litellm#29187"],
        timing: false,
        scope: PASSED_THROUGH,
        check: cut_stays_cut,
    },
    Rule {
        id: "passthrough.hop-by-hop",
        level: Level::Required,
        title: "A pass-through route does not pass on headers that belong to the provider's connection",
        reason: "Keep-Alive, Upgrade and the headers that Connection lists apply to one hop; on the next one they \
                 are false.",
        references: &["RFC 9110 section 7.6.1"],
        timing: false,
        scope: PASSED_THROUGH,
        check: no_hop_by_hop,
    },
];

/// The attempt whose response the proxy must pass on; its body may be incomplete.
fn sent<'a>(facts: &Facts<'a>) -> Option<&'a Attempt> {
    let (attempt, _) = facts.attempts.last()?;
    let sound = attempt.sent.status.is_some_and(|status| (100..600).contains(&status));
    (sound && !is_doubtful(attempt)).then_some(*attempt)
}

/// Whether a correct HTTP client could refuse the response. Malformed content does not count, because a proxy that
/// passes it through does not have to read it.
fn is_doubtful(attempt: &Attempt) -> bool {
    let faults = attempt.turn.iter().flat_map(|turn| &turn.faults);
    attempt.sent.doubtful && !faults.into_iter().all(|fault| matches!(fault, Fault::Malform(_)))
}

/// Whether the upstream sent its complete response, so that the proxy can pass on all of it.
fn is_whole(attempt: &Attempt) -> bool {
    attempt.end == AttemptEnd::Finished && attempt.sent.broken_after.is_none()
}

/// Whether the upstream sent a complete HTTP message, although its content is broken or bytes follow that do not belong to
/// it: a proxy that does not read content forwards such a message as complete.
fn is_whole_message(attempt: &Attempt) -> bool {
    let mut faults = attempt.turn.iter().flat_map(|turn| &turn.faults);
    attempt.end == AttemptEnd::Finished
        && faults.any(|fault| fault.changes(ReplyPart::NextReply) || fault.needs(FaultNeed::AwsEventStream))
}

/// The upstream's response and the one that the proxy passed on in its place, which has the same status; otherwise
/// `passthrough.status` reports the difference.
fn pair<'a>(facts: &Facts<'a>) -> Option<(&'a Attempt, &'a Response)> {
    let (attempt, answer) = (sent(facts)?, facts.raw_response()?);
    let same = attempt.sent.status == Some(answer.status) && !is_own_error(attempt, answer);
    same.then_some((attempt, answer))
}

/// Whether the proxy reported in an error of its own that the upstream's body broke off: it reads a body to its end before it
/// passes it on.
fn is_own_error(attempt: &Attempt, answer: &Response) -> bool {
    let bytes = attempt.sent.body_bytes();
    answer.status >= 500
        && answer.ending == ResponseEnd::Complete
        && !is_whole(attempt)
        && !String::from_utf8_lossy(&bytes).starts_with(&answer.body.text)
}

fn status(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let attempt = sent(facts).filter(|attempt| is_whole(attempt))?;
    let got = facts.raw_response().map(|answer| answer.status);
    RuleOutcome::check(got == attempt.sent.status, || {
        let expected = attempt.sent.status.map(|status| status.to_string()).unwrap_or_default();
        (expected, facts.response.describe())
    })
}

fn content_type(facts: &Facts<'_>) -> Option<RuleOutcome> {
    // A response without a body does not need the type of one (RFC 9110 section 15.4.5).
    let (attempt, answer) = pair(facts).filter(|(_, answer)| !matches!(answer.status, 204 | 304))?;
    let (sent, got) = (attempt.sent.header("content-type"), answer.header("content-type"));
    RuleOutcome::check(same_content_type(attempt, answer), || {
        let shown = |kind: Option<&str>| {
            kind.map_or("no content-type".to_owned(), |kind| format!("content-type: {kind}"))
        };
        (shown(sent), shown(got))
    })
}

fn body(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (attempt, answer) = pair(facts)?;
    let whole = is_whole(attempt);
    // An error event that the proxy adds after half a response is not a part of that response.
    if !whole && facts.response.stream().is_some_and(|stream| !stream.errors.is_empty()) {
        return None;
    }
    let bytes = attempt.sent.body_bytes();
    let sent = String::from_utf8_lossy(&bytes);
    let ResponseBody { text, bytes: count, .. } = &answer.body;
    let holds = if !whole {
        // The body may end in the middle of a character.
        sent.starts_with(text.trim_end_matches(char::REPLACEMENT_CHARACTER))
    } else if is_truncated(&attempt.sent) || (text.len() as u64) < *count {
        *count == attempt.sent.bytes
    } else {
        // Bytes that are not valid UTF-8 are replaced in both texts, so the number of bytes is compared as well.
        *count == attempt.sent.bytes && *text == sent
    };
    let what = if whole { "the body as sent" } else { "the first part of the body as sent" };
    RuleOutcome::check(holds, || {
        (format!("{what}: {}", shown(&sent, attempt.sent.bytes)), shown(text, *count))
    })
}

fn shown(text: &str, bytes: u64) -> String {
    let text: Cow<'_, str> =
        if text.is_empty() { "nothing".into() } else { format!("{:?}", excerpt(text)).into() };
    format!("{text} ({bytes} bytes)")
}

fn cut_stays_cut(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (attempt, answer) = pair(facts)?;
    if is_whole(attempt) || is_whole_message(attempt) {
        return None;
    }
    let is_reported = facts.response.stream().is_some_and(|stream| !stream.errors.is_empty());
    // The upstream may have sent all its content before the connection broke.
    let is_all = facts.success().is_some();
    RuleOutcome::check(answer.ending != ResponseEnd::Complete || is_reported || is_all, || {
        ("an end that shows the caller that the body is incomplete".to_owned(), facts.response.describe())
    })
}

fn no_hop_by_hop(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (attempt, answer) = pair(facts)?;
    let mut outcome = None;
    for (name, value) in hop_by_hop(attempt) {
        outcome = Some(RuleOutcome::Holds);
        if answer.header(name) == Some(value) {
            return RuleOutcome::broken(format!("no {name}"), format!("{name}: {value}"), Vec::new());
        }
    }
    outcome
}
