//! The status that the caller gets for an upstream failure.

use super::{leak::redirected, success::unanswered};
use crate::{
    judge::{
        attempt_outcome::AttemptOutcome,
        caller_response::{CallerResponse, CallerStream},
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{Failed, FailedAfterContent, PassThrough, Pinged, Scope},
    },
    observation::{Attempt, ResponseEnd},
    scenario::{ErrorName, Fault, Level, StatusPattern, StatusSet, TurnReply},
};

/// The calls that failed while the proxy could still choose the status.
const FAILED: Scope = Scope::CALLS.only(&[Failed]).never(&[FailedAfterContent]);

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "status.answered",
        level: Level::Required,
        title: "A call that does not succeed gets a response, not a connection that closes without one",
        reason: "SDKs take it for a fault of the network and send the request again, even if the provider refused \
                 it. What the provider said is lost.",
        references: &["RFC 9110 section 15", "RFC 9112 section 9.5"],
        timing: false,
        scope: Scope::CALLS,
        check: answered,
    },
    Rule {
        id: "status.failure-not-success",
        level: Level::Required,
        title: "A failed call never gets a 2xx status",
        reason: "SDKs decide by the status whether to raise an error and whether to retry. After a 200 they do \
                 neither, and the caller continues with an invalid response.",
        references: &["BerriAI/litellm#32221"],
        timing: false,
        scope: Scope::CALLS.only(&[Failed]).never(&[FailedAfterContent, Pinged]),
        check: failure_not_success,
    },
    Rule {
        id: "status.cut-body",
        level: Level::Recommended,
        title: "If an upstream's plain response breaks off, the caller gets an error status, not a 200 that breaks off",
        reason: "SDKs raise an exception for such a body, and those for Python retry, but the exception says only that a \
                 connection was lost.",
        references: &["RFC 9112 section 8", "RFC 9110 section 15.6.3"],
        timing: false,
        scope: FAILED,
        check: cut_body,
    },
    Rule {
        id: "status.mirrored",
        level: Level::Required,
        title: "400, 404 and 422 keep their status",
        reason: "They say that the request itself is wrong. As a 5xx they cause useless retries; as another 4xx they \
                 make the caller look for the mistake in the wrong place.",
        references: &["RFC 9110 section 15.5", "BerriAI/litellm#23901"],
        timing: false,
        scope: FAILED,
        check: mirrored,
    },
    Rule {
        id: "status.class-kept",
        level: Level::Required,
        title: "A 4xx stays a 4xx and a 5xx stays a 5xx",
        reason: "The class says who has to act: after a 4xx the caller must change the request, after a 5xx it must \
                 wait.",
        references: &["RFC 9110 section 15"],
        timing: false,
        scope: FAILED,
        check: class_kept,
    },
    Rule {
        id: "status.rate-limit",
        level: Level::Required,
        title: "A 429 stays a 429",
        reason: "With any other status, clients do not back off, and a quota looks like an outage.",
        references: &["RFC 6585 section 4", "BerriAI/litellm#22218"],
        timing: false,
        scope: FAILED,
        check: rate_limit,
    },
    Rule {
        id: "status.credentials",
        level: Level::Required,
        title: "A rejected provider key is not reported as a success or as a rate limit",
        reason: "It is disputed whether a proxy may pass on the 401. It is undisputed that no client must retry it \
                 like a rate limit.",
        references: &["RFC 9110 section 15.5.2"],
        timing: false,
        scope: FAILED,
        check: credentials,
    },
    Rule {
        id: "status.credentials-apart",
        level: Level::Recommended,
        title: "A 401 of an upstream is not reported as a 403, or the reverse",
        reason: "A 401 says that the key is wrong, a 403 that the right key may not do this. The wrong one of the two \
                 sends people looking for a mistake where there is none.",
        references: &["RFC 9110 section 15.5.2", "RFC 9110 section 15.5.4"],
        timing: false,
        scope: FAILED,
        check: credentials_apart,
    },
    Rule {
        id: "status.timeout",
        level: Level::Recommended,
        title: "If an upstream does not answer in time, the caller gets a 504 or a 408",
        reason: "The status distinguishes a slow provider from a broken proxy.",
        references: &["RFC 9110 section 15.6.5"],
        timing: false,
        scope: FAILED.also(&[PassThrough]),
        check: timeout,
    },
    Rule {
        id: "status.unreachable",
        level: Level::Recommended,
        title: "If an upstream cannot be reached, the caller gets a 502 or a 503",
        reason: "A 500 says that the proxy itself is broken.",
        references: &["RFC 9110 section 15.6.3"],
        timing: false,
        scope: FAILED.also(&[PassThrough]),
        check: unreachable,
    },
    Rule {
        id: "status.broken-reply",
        level: Level::Required,
        title: "If an upstream's response is incomplete or invalid, the caller gets a 5xx",
        reason: "The caller did nothing wrong and may retry; a 4xx says the opposite.",
        references: &["RFC 9110 section 15.6.3"],
        timing: false,
        scope: FAILED,
        check: broken_reply,
    },
    Rule {
        id: "status.overloaded",
        level: Level::Recommended,
        title: "If a provider is overloaded, the caller gets a 503 or a 529",
        reason: "After an overload, a client should wait or try another deployment; a 500 says neither.",
        references: &["BerriAI/litellm#5764"],
        timing: false,
        scope: FAILED,
        check: overloaded,
    },
];

fn answered(facts: &Facts<'_>) -> Option<RuleOutcome> {
    // `success.delivered` checks a clear success, `request.forwarded` and `mistake.refused` a call without attempts.
    let is_clear_success = facts.success().is_some_and(|(attempt, _)| !attempt.sent.doubtful);
    if is_clear_success || (facts.attempts.is_empty() && !facts.is_unreachable()) {
        return None;
    }
    let closed = match &facts.response {
        // The rules on timeouts check a wait without end, those on the process a proxy that is gone.
        CallerResponse::Nothing(ResponseEnd::Deadline | ResponseEnd::Refused) => return None,
        // A proxy may pass on a head that only some clients accept.
        CallerResponse::Nothing(ResponseEnd::Broken(_))
            if facts.attempts.iter().any(|(attempt, _)| attempt.sent.doubtful) =>
        {
            return None;
        }
        CallerResponse::Nothing(_) => true,
        _ => false,
    };
    RuleOutcome::check(!closed, || ("a response with a status".to_owned(), facts.response.describe()))
}

/// Whether the upstream sent an error status before its body broke off. A proxy may pass that status on, or not.
fn had_status(attempt: &Attempt) -> bool {
    attempt.sent.status.is_some_and(|status| status >= 300)
}

fn failure_not_success(facts: &Facts<'_>) -> Option<RuleOutcome> {
    // The rules on streams check failures in a stream or at its beginning, unless the response is neither a stream nor
    // a success.
    let is_theirs = match &facts.response {
        // A 204 has no body that could be incomplete.
        CallerResponse::Whole { status: 204, .. } => false,
        CallerResponse::Whole { completion, error, complete, .. } => {
            !complete || (completion.is_some() && error.is_none())
        }
        _ => true,
    };
    let in_stream = facts.failures().any(|(_, result)| {
        matches!(result, AttemptOutcome::ErrorEvent { .. } | AttemptOutcome::EndedEarly { .. })
            || matches!(
                result,
                AttemptOutcome::Cut { head_sent: true, .. } | AttemptOutcome::Silent { head_sent: true, .. }
            )
    });
    if (facts.wants_stream() && in_stream && is_theirs)
        || facts.response.stream().is_some_and(CallerStream::shows_failure)
        || unanswered(&facts.response)
        || is_cut_as_sent(facts)
    {
        return None;
    }
    RuleOutcome::check(!facts.response.is_2xx(), || {
        ("a status other than 2xx".to_owned(), facts.response.describe())
    })
}

/// Whether the caller got a 2xx with a plain body that broke off, as those of the upstreams did.
fn is_cut_as_sent(facts: &Facts<'_>) -> bool {
    let begun = |attempt: &Attempt, result: &AttemptOutcome| {
        matches!(
            result,
            AttemptOutcome::Cut { head_sent: true, .. } | AttemptOutcome::Silent { head_sent: true, .. }
        ) && !had_status(attempt)
    };
    // A 204 has no body that could break off.
    matches!(facts.response, CallerResponse::Whole { complete: false, status, .. } if status != 204)
        && facts.failures().all(|(attempt, result)| begun(attempt, result))
}

fn cut_body(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let broke_off = !facts.wants_stream()
        && !facts.is_unreachable()
        && facts.failures().all(|(attempt, result)| {
            matches!(result, AttemptOutcome::Cut { head_sent: true, .. }) && !had_status(attempt)
        });
    if !broke_off {
        return None;
    }
    match &facts.response {
        CallerResponse::Failure { .. } => Some(RuleOutcome::Holds),
        CallerResponse::Whole { complete: false, .. } => {
            RuleOutcome::broken("an error status", facts.response.describe(), Vec::new())
        }
        _ => None,
    }
}

fn mirrored(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let fixed = |status| matches!(status, 400 | 404 | 422);
    let got = status(facts, facts.failed_only_by(fixed) && !rejects_key(facts))?;
    if is_spent_quota(facts) {
        let allowed = &facts.policy.quota.answer;
        return RuleOutcome::check(allowed.contains(got), || {
            (allowed.to_string(), facts.response.describe())
        });
    }
    let sent = facts.upstream_statuses();
    RuleOutcome::check(sent.contains(&got), || (list(&sent), facts.response.describe()))
}

fn class_kept(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let has_own_rule = |status| matches!(status, 400 | 401 | 403 | 404 | 407 | 408 | 422 | 429);
    let by_class = |status: u16| (400..600).contains(&status) && !has_own_rule(status);
    let got = status(facts, facts.failed_only_by(by_class))?;
    let sent = facts.upstream_statuses();
    // An upstream that reports a timeout of its own did time out, and the policy decides how the proxy reports a
    // timeout.
    let timed_out = facts.failures().all(|(attempt, _)| reports_a_timeout(attempt));
    let allowed = timed_out && facts.policy.timeout.answer.contains(got);
    RuleOutcome::check(allowed || sent.iter().any(|status| status / 100 == got / 100), || {
        (format!("the class of {}", list(&sent)), facts.response.describe())
    })
}

/// Whether a gateway in front of the provider reports a timeout; 524 is Cloudflare's status for it.
fn reports_a_timeout(attempt: &Attempt) -> bool {
    matches!(attempt.sent.status, Some(504 | 524))
}

/// Whether the attempt's failure means one of these errors according to the catalogue, whatever its status.
fn means(attempt: &Attempt, names: &[ErrorName]) -> bool {
    attempt.turn.as_ref().is_some_and(|turn| {
        let by_event =
            |fault: &Fault| matches!(fault, Fault::ErrorEvent { error, .. } if names.contains(&error.known()));
        matches!(turn.answer, TurnReply::Error(name) if names.contains(&name.known()))
            || turn.faults.iter().any(by_event)
    })
}

/// Whether the provider rejected the proxy's key with a 400, as Google and xAI do; for other providers a 400 means a
/// bad request.
fn rejects_key(facts: &Facts<'_>) -> bool {
    let keys = [ErrorName::InvalidApiKey, ErrorName::MissingApiKey];
    facts.failed_only_by(|status| status == 400) && facts.failures().all(|(attempt, _)| means(attempt, &keys))
}

/// Whether the provider reports a spent quota or balance with a 400; for other providers it means a bad request.
fn is_spent_quota(facts: &Facts<'_>) -> bool {
    facts.failed_only_by(|status| status == 400)
        && facts.failures().all(|(attempt, _)| means(attempt, &[ErrorName::Quota]))
}

fn rate_limit(facts: &Facts<'_>) -> Option<RuleOutcome> {
    within(facts, facts.failed_only_by(|status| status == 429), &facts.policy.rate_limit.answer)
}

fn credentials(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let allowed = &facts.policy.credentials.answer;
    if rejects_key(facts) {
        // The proxy may pass the 400 on, or send a status for what it means.
        let mut allowed = allowed.clone();
        allowed.0.insert(0, StatusPattern::Exactly(400));
        return within(facts, true, &allowed);
    }
    within(facts, facts.failed_only_by(|status| matches!(status, 401 | 403)), allowed)
}

fn credentials_apart(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let got = status(facts, facts.failed_only_by(|status| matches!(status, 401 | 403)))?;
    let sent = facts.upstream_statuses();
    RuleOutcome::check(!matches!(got, 401 | 403) || sent.contains(&got), || {
        (format!("{}, or a status other than 401 and 403", list(&sent)), facts.response.describe())
    })
}

fn timeout(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let silent = facts.unreachable.is_empty()
        && facts
            .failures()
            .all(|(attempt, result)| matches!(result, AttemptOutcome::Silent { .. }) && !had_status(attempt));
    // If the upstream never read from the connection, or the handshake never ended, the provider counts as
    // unreachable as well.
    let allowed = if facts.attempts.iter().all(|(attempt, _)| attempt.was_asked()) {
        facts.policy.timeout.answer.clone()
    } else {
        unreachable_or_late(facts)
    };
    within(facts, silent, &allowed)
}

fn unreachable(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let allowed = if facts.is_unreachable_in_silence() {
        unreachable_or_late(facts)
    } else {
        facts.policy.unreachable.answer.clone()
    };
    within(facts, facts.is_unreachable(), &allowed)
}

fn unreachable_or_late(facts: &Facts<'_>) -> StatusSet {
    let (unreachable, late) = (&facts.policy.unreachable.answer.0, &facts.policy.timeout.answer.0);
    let more = late.iter().filter(|status| !unreachable.contains(status));
    StatusSet(unreachable.iter().chain(more).cloned().collect())
}

fn broken_reply(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let broken = facts.unreachable.is_empty()
        && facts.failures().all(|(attempt, result)| match result {
            AttemptOutcome::OddBody { error } => error.is_none(),
            // A redirect and an invalid status are not a response either.
            AttemptOutcome::Status { status, .. } => (300..400).contains(status) || *status >= 600,
            AttemptOutcome::EndedEarly { .. } => true,
            AttemptOutcome::Cut { .. } => !had_status(attempt),
            _ => false,
        });
    let got = status(facts, broken)?;
    // HTTP clients may follow a redirect, and then the target's response is the response to the request.
    if redirected(facts).any(|target| target.sent.status == Some(got)) {
        return None;
    }
    RuleOutcome::check((500..600).contains(&got), || ("a 5xx".to_owned(), facts.response.describe()))
}

fn overloaded(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let applies = !facts.is_unreachable()
        && facts.failures().all(|(attempt, result)| {
            // The rules on 4xx apply to a provider that reports an overload with a 4xx.
            result.status() == Some(529)
                || (matches!(result.status(), Some(500..)) && means(attempt, &[ErrorName::Overloaded]))
        });
    within(facts, applies, &facts.policy.overloaded.answer)
}

fn within(facts: &Facts<'_>, applies: bool, allowed: &StatusSet) -> Option<RuleOutcome> {
    let got = status(facts, applies)?;
    RuleOutcome::check(allowed.contains(got), || {
        (format!("{allowed} (policy `{}`)", facts.policy.name), facts.response.describe())
    })
}

/// The error status that the caller got; `None` unless the rule applies.
fn status(facts: &Facts<'_>, applies: bool) -> Option<u16> {
    facts.response.failure_status().filter(|_| applies)
}

fn list(statuses: &[u16]) -> String {
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}
