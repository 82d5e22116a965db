//! What becomes of a session over a WebSocket.

use crate::{
    judge::{
        attempt_outcome::AttemptOutcome,
        caller_response::{CallerResponse, shorten},
        facts::Facts,
        rule::{Rule, RuleOutcome},
        session::{CallerSession, is_normal},
    },
    observation::{Attempt, StepName, word},
    scenario::Level,
};

/// A caller is told so many milliseconds after the upstream's end.
const REPORTED_WITHIN_MS: f64 = 2000.0;

pub const RULES: &[Rule] = &[
    Rule {
        id: "realtime.no-silent-socket",
        level: Level::Required,
        title: "A session whose upstream failed tells its caller within two seconds",
        reason: "A socket that stays open and silent looks like a model that is thinking: the caller waits, and \
                 nothing ever wakes it.",
        references: &["BerriAI/litellm#39851", "RFC 6455 section 7.1.7"],
        timing: true,
        check: no_silent_socket,
    },
    Rule {
        id: "realtime.error-visible",
        level: Level::Required,
        title: "A session that failed shows it: by the handshake's status, an error event, a close code or a cut",
        reason: "Under the codes 1000 and 1001 no client raises an error: the failure passes for an end that \
                 was wanted.",
        references: &["BerriAI/litellm#39851", "RFC 6455 section 7.4.1"],
        timing: false,
        check: error_visible,
    },
    Rule {
        id: "realtime.no-forged-success",
        level: Level::Required,
        title: "A session that failed never ends in a completed response",
        reason: "Nobody asks again for what looks finished.",
        references: &["BerriAI/litellm#33404"],
        timing: false,
        check: no_forged_success,
    },
    Rule {
        id: "realtime.events-intact",
        level: Level::Required,
        title: "What was said in a session before it failed reaches the caller in order, unchanged, once",
        reason: "A caller that can use a part of an answer must be able to trust that part.",
        references: &["maximhq/bifrost#6783"],
        timing: false,
        check: events_intact,
    },
    Rule {
        id: "realtime.detail",
        level: Level::Required,
        title: "The upstream's message reaches the caller of a session: that of an error event, or of a refused handshake",
        reason: "It says what to change: which event, which parameter, which limit.",
        references: &["BerriAI/litellm#39851"],
        timing: false,
        check: detail,
    },
    Rule {
        id: "realtime.event-form",
        level: Level::Required,
        title: "An error event of a session is an error object with a type and a message",
        reason: "Clients read `error.type` and `error.message`; an error of another form raises in the client itself.",
        references: &["https://developers.openai.com/api/docs/guides/realtime-websocket"],
        timing: false,
        check: event_form,
    },
    Rule {
        id: "realtime.handshake-status",
        level: Level::Recommended,
        title: "A handshake that the upstream refused is refused to the caller with a status",
        reason: "A client that gets its 429 before the switch of protocols backs off as it does everywhere else; \
                 one that is let in and thrown out has to parse it out of a reason.",
        references: &["RFC 6455 section 4.2.2"],
        timing: false,
        check: handshake_status,
    },
    Rule {
        id: "realtime.close-code",
        level: Level::Recommended,
        title: "The upstream's close code reaches the caller",
        reason: "1008 says that the caller broke a rule, 1011 that the server failed, 1013 to try later, and 4000 \
                 and up are the provider's own words.",
        references: &["RFC 6455 section 7.4"],
        timing: false,
        check: close_code,
    },
    Rule {
        id: "realtime.close-reason",
        level: Level::Recommended,
        title: "The reason of the upstream's close reaches the caller",
        reason: "It is all that a close has room for besides a number.",
        references: &["RFC 6455 section 7.1.6", "ayagmar/codex-proxy-rs#90"],
        timing: false,
        check: close_reason,
    },
    Rule {
        id: "realtime.close-told",
        level: Level::Recommended,
        title: "A session that the proxy ends has a close frame with a code",
        reason: "A cut tells a broken network from a broken provider for nobody.",
        references: &["RFC 6455 section 7.1.7"],
        timing: false,
        check: close_reported,
    },
];

/// The session that the caller got for a call that failed.
fn failed_session<'f>(facts: &'f Facts<'_>) -> Option<&'f CallerSession> {
    match &facts.response {
        CallerResponse::Session(session) if facts.is_failure() => Some(session),
        _ => None,
    }
}

/// The last failed attempt, with what became of it.
fn last_failure<'f, 'a>(facts: &'f Facts<'a>) -> Option<(&'a Attempt, &'f AttemptOutcome)> {
    facts.failures().last()
}

/// Whether the upstream's own end was one under which no client raises an error.
fn ended_well(fate: &AttemptOutcome) -> bool {
    matches!(fate, AttemptOutcome::Closed { closed, .. } if is_normal(closed.code))
}

/// When the upstream had failed, in milliseconds; `None` where it is only silent, as a session may be.
fn failed_ms(attempt: &Attempt, fate: &AttemptOutcome) -> Option<f64> {
    if matches!(fate, AttemptOutcome::Silent { .. }) { None } else { attempt.end_ms }
}

fn no_silent_socket(facts: &Facts<'_>) -> RuleOutcome {
    let Some(session) = failed_session(facts) else { return RuleOutcome::NotApplicable };
    let failed = last_failure(facts).and_then(|(attempt, fate)| failed_ms(attempt, fate));
    let Some(failed_ms) = failed else { return RuleOutcome::NotApplicable };
    let told_ms = session.failed_ms(facts.exchange.end_ms);
    let late_ms = told_ms.unwrap_or(facts.exchange.end_ms) - failed_ms;
    RuleOutcome::check(told_ms.is_some() && late_ms <= REPORTED_WITHIN_MS, || {
        let seconds = late_ms / 1000.0;
        let observed = match told_ms {
            Some(_) => format!("told after {seconds:.1} s: {}", facts.response.describe()),
            None => format!("nothing for {seconds:.1} s: {}", facts.response.describe()),
        };
        ("an error event or an end within 2 s".to_owned(), observed)
    })
}

fn error_visible(facts: &Facts<'_>) -> RuleOutcome {
    let Some(session) = failed_session(facts) else { return RuleOutcome::NotApplicable };
    // One that is open is for the rule above, a forged success for the one below.
    if session.is_open() || session.completion.finish.is_some() {
        return RuleOutcome::NotApplicable;
    }
    if last_failure(facts).is_none_or(|(_, fate)| ended_well(fate)) {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(session.shows_failure(), || {
        ("an error event, or a close code other than 1000 and 1001".to_owned(), facts.response.describe())
    })
}

fn no_forged_success(facts: &Facts<'_>) -> RuleOutcome {
    let Some(session) = failed_session(facts) else { return RuleOutcome::NotApplicable };
    RuleOutcome::check(session.completion.finish.is_none(), || {
        ("no `response.done` that says how an answer ended".to_owned(), facts.response.describe())
    })
}

fn events_intact(facts: &Facts<'_>) -> RuleOutcome {
    let Some(session) = failed_session(facts) else { return RuleOutcome::NotApplicable };
    let [(_, fate)] = facts.attempts.as_slice() else { return RuleOutcome::NotApplicable };
    let Some(sent) = fate.delivered() else { return RuleOutcome::NotApplicable };
    let (sent, got) = (sent.text(), session.completion.text());
    // What was on its way when a connection was cut may be lost with it: there a beginning will do.
    let holds = if matches!(fate, AttemptOutcome::Cut { .. }) { sent.starts_with(&got) } else { sent == got };
    RuleOutcome::check(holds, || {
        (format!("the content as sent: {:?}", shorten(&sent)), format!("{:?}", shorten(&got)))
    })
}

/// The messages of failed upstreams that a caller is owed: of error events, and of refusals that speak of
/// the request.
fn owed<'a>(facts: &Facts<'a>) -> Vec<&'a str> {
    facts
        .failures()
        .filter(|(_, fate)| match fate {
            AttemptOutcome::ErrorEvent { .. } => true,
            AttemptOutcome::Status { status, error } => (400..500).contains(status) && error.is_some(),
            _ => false,
        })
        .filter(|(attempt, _)| word::has_token(&attempt.said(), &attempt.canaries.message))
        .map(|(attempt, _)| attempt.canaries.message.as_str())
        .collect()
}

fn detail(facts: &Facts<'_>) -> RuleOutcome {
    if failed_session(facts).is_none_or(CallerSession::is_open) {
        return RuleOutcome::NotApplicable;
    }
    let (owed, Some(answer)) = (owed(facts), facts.raw_response()) else { return RuleOutcome::NotApplicable };
    if owed.is_empty() {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(owed.iter().any(|message| word::has_token(&answer.body.text, message)), || {
        (format!("the upstream's message, which holds {}", owed.join(" or ")), facts.response.describe())
    })
}

fn event_form(facts: &Facts<'_>) -> RuleOutcome {
    let CallerResponse::Session(session) = &facts.response else { return RuleOutcome::NotApplicable };
    let Some((_, error)) = session.errors.first() else { return RuleOutcome::NotApplicable };
    let raw = &error.raw;
    // A response that failed tells it where it ends.
    let object = if raw["type"] == "response.done" {
        &raw["response"]["status_details"]["error"]
    } else {
        &raw["error"]
    };
    let holds = raw["type"].is_string() && object["type"].is_string() && object["message"].is_string();
    RuleOutcome::check(holds, || {
        ("{\"type\": \"error\", \"error\": {\"type\", \"message\", …}}".to_owned(), shorten(&raw.to_string()))
    })
}

fn handshake_status(facts: &Facts<'_>) -> RuleOutcome {
    let refused = facts.failed_only_by(|_| true);
    if !facts.api().is_session() || !refused || facts.exchange.step == StepName::Recovery {
        return RuleOutcome::NotApplicable;
    }
    match &facts.response {
        CallerResponse::Session(_) => {
            let sent: Vec<String> = facts.upstream_statuses().iter().map(u16::to_string).collect();
            RuleOutcome::broken(
                format!("the handshake refused, as by the upstream with {}", sent.join(" or ")),
                facts.response.describe(),
                Vec::new(),
            )
        }
        CallerResponse::Failure { .. } => RuleOutcome::Holds,
        _ => RuleOutcome::NotApplicable,
    }
}

/// The close frame by which the upstream's session ended, and the one that its caller got.
fn close_frames<'f>(
    facts: &'f Facts<'_>,
) -> Option<(&'f crate::observation::ReceivedClose, &'f crate::observation::ReceivedClose)> {
    let session = failed_session(facts)?;
    let (_, AttemptOutcome::Closed { closed: sent, .. }) = last_failure(facts)? else { return None };
    let got = session.closed.as_ref().filter(|got| !got.answered)?;
    Some((sent, got))
}

fn close_code(facts: &Facts<'_>) -> RuleOutcome {
    let Some((sent, got)) = close_frames(facts) else { return RuleOutcome::NotApplicable };
    // An empty frame leaves the code to the proxy.
    let Some(code) = sent.code else { return RuleOutcome::NotApplicable };
    RuleOutcome::check(got.code == Some(code), || (format!("the code {code}"), format!("{got}")))
}

fn close_reason(facts: &Facts<'_>) -> RuleOutcome {
    let Some((sent, _)) = close_frames(facts) else { return RuleOutcome::NotApplicable };
    let Some(answer) = facts.raw_response().filter(|_| !sent.reason.is_empty()) else {
        return RuleOutcome::NotApplicable;
    };
    RuleOutcome::check(word::occurs(&answer.body.text, &sent.reason), || {
        (format!("the reason {:?}", shorten(&sent.reason)), facts.response.describe())
    })
}

fn close_reported(facts: &Facts<'_>) -> RuleOutcome {
    let Some(session) = failed_session(facts) else { return RuleOutcome::NotApplicable };
    let ended = session.was_cut() || session.closed.as_ref().is_some_and(|closed| !closed.answered);
    if !ended {
        return RuleOutcome::NotApplicable;
    }
    let told = session.closed.as_ref().is_some_and(|closed| closed.code.is_some());
    RuleOutcome::check(told, || ("a close frame with a code".to_owned(), facts.response.describe()))
}
