//! Whether a response contains only what upstreams sent for its own request, and nothing for a concurrent or an
//! earlier request. The planted tokens in the response identify the request.

use std::collections::HashSet;

use crate::judge::{caller_response::CallerResponse, facts::Facts, rule::RuleOutcome};
use crate::observation::{Attempt, PlantedToken, Response, excerpt, planted, word};

/// A token of another request, and its place in the response.
struct Foreign {
    what: &'static str,
    token: String,
    place: String,
}

/// The tokens in a response: whether there are any, and the first one of another request.
#[derive(Default)]
struct Search {
    traced: bool,
    foreign: Option<Foreign>,
}

impl Search {
    fn look(&mut self, facts: &Facts<'_>, own: &HashSet<&str>, place: &str, text: &str, kinds: &[&str]) {
        for PlantedToken { kind, token, stem } in planted(text) {
            // A proxy may generate ids of this form; only those that begin with the case's token are upfault's.
            let is_ours = kind != "request id" || stem.starts_with(&facts.arrangement.identity.token);
            if !kinds.contains(&kind) || !is_ours {
                continue;
            }
            self.traced = true;
            if self.foreign.is_none() && !own.contains(stem) && !said_by_own(facts, token) {
                let place = place.to_owned();
                self.foreign = Some(Foreign { what: kind, token: token.to_owned(), place });
            }
        }
    }

    fn look_at_headers(&mut self, facts: &Facts<'_>, own: &HashSet<&str>, answer: &Response, kinds: &[&str]) {
        for (name, value) in &answer.headers {
            self.look(facts, own, &format!("header {name}"), value, kinds);
        }
    }

    fn outcome(self, facts: &Facts<'_>) -> Option<RuleOutcome> {
        let Some(Foreign { what, token, place }) = self.foreign else {
            return if self.traced { Some(RuleOutcome::Holds) } else { None };
        };
        RuleOutcome::broken(
            "only what an upstream sent for this request",
            format!("the {what} {token} in the {place}"),
            vec![whose(facts, &token)],
        )
    }
}

/// The stems of the tokens that this response may contain: those of its own attempts and, if a cooldown is
/// configured, those of earlier attempts, because the proxy reports the failure that started the cooldown.
fn own<'a>(facts: &Facts<'a>) -> HashSet<&'a str> {
    let chain = facts.chain();
    let may_start_cooldown = |attempt: &&Attempt| {
        facts.arrangement.proxy.cooldown.is_some()
            && attempt.at_ms <= facts.exchange.end_ms
            && chain.contains(&attempt.deployment.as_str())
    };
    let attempts = facts.attempts.iter().map(|(attempt, _)| *attempt);
    attempts
        .chain(facts.other_requests.iter().copied())
        .chain(facts.all_attempts.iter().filter(may_start_cooldown))
        .map(|attempt| attempt.canaries.stem())
        .collect()
}

/// Whether an upstream of this request itself sent the token of another request.
fn said_by_own(facts: &Facts<'_>, token: &str) -> bool {
    facts.attempts.iter().any(|(attempt, _)| said(attempt, token))
}

fn said(attempt: &Attempt, token: &str) -> bool {
    word::has_token(&attempt.said(), token)
        || attempt.sent.headers.iter().any(|(_, value)| word::has_token(value, token))
}

/// Whether a token belongs to an earlier run of the same case.
fn is_of_an_earlier_run(facts: &Facts<'_>, stem: &str) -> bool {
    let identity = &facts.arrangement.identity;
    let runs = facts.arrangement.other_looks.iter().chain([&identity.token]);
    runs.into_iter().any(|token| stem.strip_prefix(token.as_str()).is_some_and(|rest| rest.starts_with('-')))
}

/// Which request a token belongs to, as far as this case knows.
fn whose(facts: &Facts<'_>, token: &str) -> String {
    let stem = planted(token).first().map_or("", |planted| planted.stem);
    match facts.all_attempts.iter().find(|attempt| attempt.canaries.stem() == stem) {
        Some(attempt) => {
            let step = facts.seen.exchange_of(attempt).map(|exchange| format!(" for {}", exchange.step));
            let Attempt { deployment, n, at_ms, .. } = attempt;
            format!(
                "{token} belongs to upstream {deployment}#{n}, which was called at {at_ms:.0} ms{}",
                step.unwrap_or_default()
            )
        }
        None if is_of_an_earlier_run(facts, stem) => {
            format!(
                "{token} belongs to an earlier run of this case: upfault had sent the same requests before"
            )
        }
        None => format!("{token} belongs to another case that ran at the same time"),
    }
}

/// `detail.own-error`
pub(super) fn error(facts: &Facts<'_>) -> Option<RuleOutcome> {
    const KINDS: &[&str] = &["message", "code", "type", "param", "request id", "header"];
    let answer = facts.raw_response()?;
    let is_failure = matches!(facts.response, CallerResponse::Failure { .. });
    if !is_failure && facts.response.error().is_none() {
        return None;
    }
    let (own, mut search) = (own(facts), Search::default());
    search.look(facts, &own, "body", &answer.body.text, KINDS);
    for frame in &answer.body.frames {
        search.look(facts, &own, "error event", &frame.data, KINDS);
    }
    if is_failure {
        search.look_at_headers(facts, &own, answer, KINDS);
    }
    search.outcome(facts)
}

/// `success.own-answer`
pub(super) fn answer(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (answer, got) = (facts.raw_response()?, facts.response.completion()?);
    let (own, mut search) = (own(facts), Search::default());
    search.look(facts, &own, "content", &got.text(), &["content"]);
    search.look_at_headers(facts, &own, answer, &["request id", "header"]);
    search.outcome(facts)
}

/// `headers.own-retry-after`
pub(super) fn retry_after(facts: &Facts<'_>) -> Option<RuleOutcome> {
    const NAMES: [&str; 2] = ["retry-after", "retry-after-ms"];
    let answer = facts.raw_response()?;
    let waits = |attempt: &Attempt| NAMES.into_iter().any(|name| attempt.sent.header(name).is_some());
    let others = || facts.all_attempts.iter().filter(|attempt| attempt.at_ms <= answer.head_ms);
    if facts.attempts.iter().any(|(own, _)| waits(own)) || !others().any(waits) {
        return None;
    }
    for name in NAMES {
        let Some(got) = answer.header(name) else { continue };
        // A proxy may send a time that it chose itself. Only the value shows that it comes from another request.
        let from = others().find(|attempt| {
            let sent = attempt.sent.header(name);
            sent.is_some_and(|sent| is_left_of(name, sent, got, answer.head_ms - attempt.at_ms))
        });
        let Some(from) = from else { continue };
        let step =
            facts.seen.exchange_of(from).map(|exchange| format!(", which was called for {}", exchange.step));
        let Attempt { deployment, n, .. } = from;
        return RuleOutcome::broken(
            format!("no {name}: no upstream of this request sent one"),
            format!("{name}: {}", excerpt(got)),
            vec![format!(
                "upstream {deployment}#{n}{} sent {name}: {}",
                step.unwrap_or_default(),
                from.sent.header(name).unwrap_or_default()
            )],
        );
    }
    Some(RuleOutcome::Holds)
}

/// Whether `got` equals `sent`, or what is left of it after `elapsed_ms`. Waits of up to five seconds never match,
/// because a proxy may have chosen the same value itself.
fn is_left_of(name: &str, sent: &str, got: &str, elapsed_ms: f64) -> bool {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let unit_ms = if name == "retry-after" { 1000.0 } else { 1.0 };
    match (number(sent), number(got)) {
        (Some(sent), Some(got)) if sent * unit_ms > 5000.0 => {
            let left_ms = sent * unit_ms - elapsed_ms;
            got == sent || (got * unit_ms - left_ms).abs() <= 1000.0
        }
        (Some(_), _) => false,
        (None, _) => sent == got,
    }
}
