//! Sessions over a WebSocket that fail.

use crate::{
    judge::{
        attempt_outcome::AttemptOutcome,
        caller_response::CallerResponse,
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{Failed, Recovery, Scope, Session},
        session::is_normal,
    },
    observation::{Attempt, excerpt, word},
    scenario::Level,
};

/// The time within which a proxy must report the upstream's end to the caller, in milliseconds.
const REPORTED_WITHIN_MS: f64 = 2000.0;

const FAILED: Scope = Scope::CALLS.only(&[Failed, Session]);

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "realtime.no-silent-socket",
        level: Level::Required,
        title: "If the upstream of a session fails, the proxy reports it to the caller within two seconds",
        reason: "A socket that stays open and silent looks like a model that is still thinking: the caller waits \
                 without end.",
        references: &["BerriAI/litellm#39851", "RFC 6455 section 7.1.7"],
        timing: true,
        scope: FAILED,
        check: no_silent_socket,
    },
    Rule {
        id: "realtime.error-visible",
        level: Level::Required,
        title: "A session that failed shows it: by the status of the handshake, an error event, a close code or a cut connection",
        reason: "After the close codes 1000 and 1001 no client raises an error: the failure looks like an intended \
                 end.",
        references: &["BerriAI/litellm#39851", "RFC 6455 section 7.4.1"],
        timing: false,
        scope: FAILED,
        check: error_visible,
    },
    Rule {
        id: "realtime.no-forged-success",
        level: Level::Required,
        title: "A session that failed never ends in a completed response",
        reason: "No client retries what looks finished.",
        references: &["BerriAI/litellm#33404"],
        timing: false,
        scope: FAILED,
        check: no_forged_success,
    },
    Rule {
        id: "realtime.events-intact",
        level: Level::Required,
        title: "The content that a session received before it failed reaches the caller in order, unchanged, once",
        reason: "A caller that can use a part of a response must be able to trust that part.",
        references: &["maximhq/bifrost#6783"],
        timing: false,
        scope: FAILED,
        check: events_intact,
    },
    Rule {
        id: "realtime.detail",
        level: Level::Required,
        title: "The upstream's message, from an error event or a refused handshake, reaches the caller of a session",
        reason: "It says what to change: which event, which parameter, which limit.",
        references: &["BerriAI/litellm#39851"],
        timing: false,
        scope: FAILED,
        check: detail,
    },
    Rule {
        id: "realtime.event-form",
        level: Level::Required,
        title: "An error event of a session is an error object with a type and a message",
        reason: "Clients read `error.type` and `error.message`; an error in another form raises an exception in the \
                 client itself.",
        references: &["https://developers.openai.com/api/docs/guides/realtime-websocket"],
        timing: false,
        scope: Scope::CALLS.only(&[Session]),
        check: event_form,
    },
    Rule {
        id: "realtime.handshake-status",
        level: Level::Recommended,
        title: "If the upstream refuses the handshake, the proxy refuses the caller's handshake with an error status",
        reason: "A client that gets a 429 before the protocol switch backs off as it does everywhere else. A client \
                 whose session is opened and then closed has to parse the cause out of a close reason.",
        references: &["RFC 6455 section 4.2.2"],
        timing: false,
        scope: Scope::CALLS.only(&[Failed]).never(&[Recovery]),
        check: handshake_status,
    },
    Rule {
        id: "realtime.close-code",
        level: Level::Recommended,
        title: "The upstream's close code reaches the caller",
        reason: "1008 says that the caller broke a rule, 1011 that the server failed, 1013 to try later; codes from \
                 4000 are defined by the provider.",
        references: &["RFC 6455 section 7.4"],
        timing: false,
        scope: FAILED,
        check: close_code,
    },
    Rule {
        id: "realtime.close-reason",
        level: Level::Recommended,
        title: "The close reason of the upstream reaches the caller",
        reason: "Apart from a number, a close frame can contain nothing else.",
        references: &["RFC 6455 section 7.1.6", "ayagmar/codex-proxy-rs#90"],
        timing: false,
        scope: FAILED,
        check: close_reason,
    },
    Rule {
        id: "realtime.close-told",
        level: Level::Recommended,
        title: "A session that the proxy ends has a close frame with a code",
        reason: "After a cut, a client cannot distinguish a broken network from a broken provider.",
        references: &["RFC 6455 section 7.1.7"],
        timing: false,
        scope: FAILED,
        check: close_reported,
    },
];

/// The last failed attempt and its outcome.
fn last_failure<'f, 'a>(facts: &'f Facts<'a>) -> Option<(&'a Attempt, &'f AttemptOutcome)> {
    facts.failures().last()
}

/// Whether the upstream closed the session with a code after which no client raises an error.
fn ended_well(result: &AttemptOutcome) -> bool {
    matches!(result, AttemptOutcome::Closed { closed, .. } if is_normal(closed.code))
}

/// When the upstream failed, in milliseconds; `None` if it is only silent, which a session may be.
fn failed_ms(attempt: &Attempt, result: &AttemptOutcome) -> Option<f64> {
    if matches!(result, AttemptOutcome::Silent { .. }) { None } else { attempt.end_ms }
}

fn no_silent_socket(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let session = facts.response.session()?;
    let (attempt, result) = last_failure(facts)?;
    let failed_ms = failed_ms(attempt, result)?;
    let reported_ms = session.failed_ms(facts.exchange.end_ms);
    let late_ms = reported_ms.unwrap_or(facts.exchange.end_ms) - failed_ms;
    RuleOutcome::check(reported_ms.is_some() && late_ms <= REPORTED_WITHIN_MS, || {
        let seconds = late_ms / 1000.0;
        let observed = match reported_ms {
            Some(_) => format!("reported after {seconds:.1} s: {}", facts.response.describe()),
            None => format!("nothing for {seconds:.1} s: {}", facts.response.describe()),
        };
        ("an error event or an end within 2 s".to_owned(), observed)
    })
}

fn error_visible(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let session = facts.response.session()?;
    let (_, result) = last_failure(facts)?;
    // `realtime.no-silent-socket` checks an open session, `realtime.no-forged-success` a forged success.
    if session.is_open() || session.completion.finish.is_some() || ended_well(result) {
        return None;
    }
    RuleOutcome::check(session.shows_failure(), || {
        ("an error event, or a close code other than 1000 and 1001".to_owned(), facts.response.describe())
    })
}

fn no_forged_success(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let session = facts.response.session()?;
    RuleOutcome::check(session.completion.finish.is_none(), || {
        ("no `response.done` that says how a response ended".to_owned(), facts.response.describe())
    })
}

fn events_intact(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let session = facts.response.session()?;
    let [(_, result)] = facts.attempts.as_slice() else { return None };
    let sent = result.delivered()?;
    let (sent, got) = (sent.text(), session.completion.text());
    // A cut connection may lose content that was on its way: then the first part is enough.
    let holds =
        if matches!(result, AttemptOutcome::Cut { .. }) { sent.starts_with(&got) } else { sent == got };
    RuleOutcome::check(holds, || {
        (format!("the content as sent: {:?}", excerpt(&sent)), format!("{:?}", excerpt(&got)))
    })
}

/// The messages of failed upstreams that must reach the caller: those of error events, and those of handshakes that
/// were refused with a 4xx.
fn required_messages<'a>(facts: &Facts<'a>) -> Vec<&'a str> {
    facts
        .failures()
        .filter(|(_, result)| match result {
            AttemptOutcome::ErrorEvent { .. } => true,
            AttemptOutcome::Status { status, error } => (400..500).contains(status) && error.is_some(),
            _ => false,
        })
        .filter(|(attempt, _)| word::has_token(&attempt.said(), &attempt.canaries.message))
        .map(|(attempt, _)| attempt.canaries.message.as_str())
        .collect()
}

fn detail(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (messages, answer) = (required_messages(facts), facts.raw_response()?);
    if messages.is_empty() || facts.response.session()?.is_open() {
        return None;
    }
    RuleOutcome::check(messages.iter().any(|message| word::has_token(&answer.body.text, message)), || {
        (
            format!("the upstream's message, which contains {}", messages.join(" or ")),
            facts.response.describe(),
        )
    })
}

fn event_form(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let session = facts.response.session()?;
    let (_, error) = session.errors.first()?;
    let raw = &error.raw;
    // A failed response contains the error in its last event.
    let object = if raw["type"] == "response.done" {
        &raw["response"]["status_details"]["error"]
    } else {
        &raw["error"]
    };
    let holds = raw["type"].is_string() && object["type"].is_string() && object["message"].is_string();
    RuleOutcome::check(holds, || {
        ("{\"type\": \"error\", \"error\": {\"type\", \"message\", …}}".to_owned(), excerpt(&raw.to_string()))
    })
}

fn handshake_status(facts: &Facts<'_>) -> Option<RuleOutcome> {
    // An error event in the session is not a refused handshake, whatever status it states.
    let refused = |result: &AttemptOutcome| matches!(result, AttemptOutcome::Status { .. });
    if !facts.api().is_session()
        || !facts.failed_only_by(|_| true)
        || !facts.failures().all(|(_, result)| refused(result))
    {
        return None;
    }
    match &facts.response {
        CallerResponse::Session(_) => {
            let sent: Vec<String> = facts.upstream_statuses().iter().map(u16::to_string).collect();
            RuleOutcome::broken(
                format!("a refused handshake: the upstream refused it with {}", sent.join(" or ")),
                facts.response.describe(),
                Vec::new(),
            )
        }
        CallerResponse::Failure { .. } => Some(RuleOutcome::Holds),
        _ => None,
    }
}

/// The close frame that ended the upstream's session, and the one that the caller got.
fn close_frames<'f>(
    facts: &'f Facts<'_>,
) -> Option<(&'f crate::observation::ReceivedClose, &'f crate::observation::ReceivedClose)> {
    let session = facts.response.session()?;
    let (_, AttemptOutcome::Closed { closed: sent, .. }) = last_failure(facts)? else { return None };
    let got = session.closed.as_ref().filter(|got| !got.answered)?;
    Some((sent, got))
}

fn close_code(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (sent, got) = close_frames(facts)?;
    // If the upstream's frame is empty, the proxy may choose the code.
    let code = sent.code?;
    RuleOutcome::check(got.code == Some(code), || (format!("the code {code}"), format!("{got}")))
}

fn close_reason(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (sent, _) = close_frames(facts)?;
    let answer = facts.raw_response().filter(|_| !sent.reason.is_empty())?;
    RuleOutcome::check(word::occurs(&answer.body.text, &sent.reason), || {
        (format!("the reason {:?}", excerpt(&sent.reason)), facts.response.describe())
    })
}

fn close_reported(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let session = facts.response.session()?;
    let ended = session.was_cut() || session.closed.as_ref().is_some_and(|closed| !closed.answered);
    if !ended {
        return None;
    }
    let has_code = session.closed.as_ref().is_some_and(|closed| closed.code.is_some());
    RuleOutcome::check(has_code, || ("a close frame with a code".to_owned(), facts.response.describe()))
}
