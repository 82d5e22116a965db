//! What comes back through a route that hands a request to a provider as it is.

use std::borrow::Cow;

use crate::{
    judge::{
        attempt_outcome::is_truncated,
        caller_response::{CallerResponse, shorten},
        facts::Facts,
        rule::{Rule, RuleOutcome},
        trace::hop_by_hop,
    },
    observation::{Attempt, AttemptEnd, Response, ResponseBody, ResponseEnd},
    scenario::{Fault, Level},
};

pub const RULES: &[Rule] = &[
    Rule {
        id: "passthrough.status",
        level: Level::Required,
        title: "Through a pass-through the status is the provider's",
        reason: "Callers speak the provider's own dialect there, with its own SDK: whatever the status is, it is the \
                 one that this SDK knows what to do with.",
        references: &["BerriAI/litellm#32133", "maximhq/bifrost#6073"],
        timing: false,
        check: status,
    },
    Rule {
        id: "passthrough.content-type",
        level: Level::Required,
        title: "Through a pass-through the content type is the provider's",
        reason: "By it the provider's own SDK chooses how to read the body; a better one is a wrong one.",
        references: &["RFC 9110 section 8.3", "maximhq/bifrost#6073"],
        timing: false,
        check: content_type,
    },
    Rule {
        id: "passthrough.body",
        level: Level::Required,
        title: "Through a pass-through the body is the provider's, byte for byte",
        reason: "An error that was mended, wrapped or written anew is no longer what the provider said, and that \
                 is all that a pass-through promises.",
        references: &["BerriAI/litellm#32133", "maximhq/bifrost#6073"],
        timing: false,
        check: body,
    },
    Rule {
        id: "passthrough.cut-stays-cut",
        level: Level::Required,
        title: "Through a pass-through a body that broke off does not end as if it were whole",
        reason: "The end of the body is the only sign by which a caller can tell half an answer from a whole one.",
        references: &["RFC 9112 section 8", "BerriAI/litellm#29187"],
        timing: false,
        check: cut_stays_cut,
    },
    Rule {
        id: "passthrough.hop-by-hop",
        level: Level::Required,
        title: "Through a pass-through no header comes out that belongs to the provider's connection",
        reason: "Keep-Alive, Upgrade, and whatever Connection names speak of one hop; on the next one they are \
                 false.",
        references: &["RFC 9110 section 7.6.1"],
        timing: false,
        check: no_hop_by_hop,
    },
];

/// Whether a rule of another family speaks of a pass-through as well. Most do not: what they ask of a
/// proxy is to put an answer into the caller's form, and here it must leave it alone.
pub fn binds_too(rule: &str) -> bool {
    const FAMILIES: [&str; 7] =
        ["passthrough.", "timeout.", "retry.", "disconnect.", "leak.", "recovery.", "expect."];
    const RULES: [&str; 10] = [
        "request.forwarded",
        "success.own-answer",
        "detail.own-error",
        "headers.retry-after",
        "headers.retry-after-ms",
        "headers.rate-limits",
        "headers.request-id",
        "headers.own-retry-after",
        // Where there is no answer to hand back, the proxy speaks for itself.
        "status.timeout",
        "status.unreachable",
    ];
    FAMILIES.iter().any(|family| rule.starts_with(family)) || RULES.contains(&rule)
}

/// The answer of the upstream that was to be handed back; it may have broken off.
fn sent<'a>(facts: &Facts<'a>) -> Option<&'a Attempt> {
    let (attempt, _) = facts.attempts.last()?;
    let sound = attempt.sent.status.is_some_and(|status| (100..600).contains(&status));
    (facts.arrangement.proxy.pass_through && sound && !is_doubtful(attempt)).then_some(*attempt)
}

/// Whether a sound client could refuse it. What is wrong with a content is no reason to: nobody who passes
/// it through has to read it.
fn is_doubtful(attempt: &Attempt) -> bool {
    let faults = attempt.turn.iter().flat_map(|turn| &turn.faults);
    attempt.sent.doubtful && !faults.into_iter().all(|fault| matches!(fault, Fault::Malform(_)))
}

/// Whether all of it came, so that there is something to hand back whole.
fn is_whole(attempt: &Attempt) -> bool {
    attempt.end == AttemptEnd::Finished && attempt.sent.broken_after.is_none()
}

/// The answer of the upstream and that of the proxy, where both have one status: else the rule on the
/// status speaks.
fn pair<'a>(facts: &Facts<'a>) -> Option<(&'a Attempt, &'a Response)> {
    let (attempt, answer) = (sent(facts)?, facts.raw_response()?);
    (attempt.sent.status == Some(answer.status)).then_some((attempt, answer))
}

fn status(facts: &Facts<'_>) -> RuleOutcome {
    let Some(attempt) = sent(facts).filter(|attempt| is_whole(attempt)) else {
        return RuleOutcome::NotApplicable;
    };
    let got = facts.raw_response().map(|answer| answer.status);
    RuleOutcome::check(got == attempt.sent.status, || {
        let expected = attempt.sent.status.map(|status| status.to_string()).unwrap_or_default();
        (expected, facts.response.describe())
    })
}

fn content_type(facts: &Facts<'_>) -> RuleOutcome {
    let Some((attempt, answer)) = pair(facts) else { return RuleOutcome::NotApplicable };
    let (sent, got) = (attempt.sent.header("content-type"), answer.header("content-type"));
    RuleOutcome::check(sent == got, || {
        let shown = |kind: Option<&str>| {
            kind.map_or("no content-type".to_owned(), |kind| format!("content-type: {kind}"))
        };
        (shown(sent), shown(got))
    })
}

fn body(facts: &Facts<'_>) -> RuleOutcome {
    let Some((attempt, answer)) = pair(facts) else { return RuleOutcome::NotApplicable };
    let whole = is_whole(attempt);
    // What a proxy says of its own behind half an answer is no part of it.
    if !whole && matches!(&facts.response, CallerResponse::Stream(stream) if !stream.errors.is_empty()) {
        return RuleOutcome::NotApplicable;
    }
    let bytes = attempt.sent.body_bytes();
    let sent = String::from_utf8_lossy(&bytes);
    let ResponseBody { text, bytes: count, .. } = &answer.body;
    let holds = if !whole {
        // The end may stand inside of a character.
        sent.starts_with(text.trim_end_matches(char::REPLACEMENT_CHARACTER))
    } else if is_truncated(&attempt.sent) || (text.len() as u64) < *count {
        *count == attempt.sent.bytes
    } else {
        // What is no UTF-8 is replaced in both texts: there the number of bytes tells.
        *count == attempt.sent.bytes && *text == sent
    };
    let what = if whole { "the body as sent" } else { "a beginning of the body as sent" };
    RuleOutcome::check(holds, || {
        (format!("{what}: {}", shown(&sent, attempt.sent.bytes)), shown(text, *count))
    })
}

fn shown(text: &str, bytes: u64) -> String {
    let text: Cow<'_, str> =
        if text.is_empty() { "nothing".into() } else { format!("{:?}", shorten(text)).into() };
    format!("{text} ({bytes} bytes)")
}

fn cut_stays_cut(facts: &Facts<'_>) -> RuleOutcome {
    let Some((attempt, answer)) = pair(facts) else { return RuleOutcome::NotApplicable };
    if is_whole(attempt) {
        return RuleOutcome::NotApplicable;
    }
    let is_told = matches!(&facts.response, CallerResponse::Stream(stream) if !stream.errors.is_empty());
    // The upstream may have said all that it had to say before the connection broke.
    let is_all = facts.success().is_some();
    RuleOutcome::check(answer.ending != ResponseEnd::Complete || is_told || is_all, || {
        ("an end by which the caller can see that it broke off".to_owned(), facts.response.describe())
    })
}

fn no_hop_by_hop(facts: &Facts<'_>) -> RuleOutcome {
    let Some((attempt, answer)) = pair(facts) else { return RuleOutcome::NotApplicable };
    let mut outcome = RuleOutcome::NotApplicable;
    for (name, value) in hop_by_hop(attempt) {
        outcome = RuleOutcome::Holds;
        if answer.header(name) == Some(value) {
            return RuleOutcome::broken(format!("no {name}"), format!("{name}: {value}"), Vec::new());
        }
    }
    outcome
}
