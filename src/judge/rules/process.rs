//! Whether the proxy as a whole survives a case, and serves other callers meanwhile.
//!
//! These rules read the harm that the runner recorded. It records harm only for a case that ran alone. Whether one request
//! of a case waited for another one is read from the case itself.

use crate::{
    judge::{
        attempt_outcome::AttemptOutcome,
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{CallerLeft, PassThrough, ProxyStopped, Scope, Subject},
    },
    observation::{Attempt, Exchange, ProxyHarm},
    scenario::Level,
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "process.keeps-running",
        level: Level::Required,
        title: "No response of a provider ends the proxy's process",
        reason: "Every other caller loses its current request, and no request is served until the proxy has been \
                 restarted.",
        references: &[],
        timing: false,
        scope: Scope::of(Subject::Proxy).also(&[ProxyStopped, PassThrough, CallerLeft]),
        check: keeps_running,
    },
    Rule {
        id: "process.keeps-answering",
        level: Level::Required,
        title: "No response of a provider makes the proxy stop answering requests",
        reason: "A process that runs but does not answer looks healthy to a supervisor, while every caller waits for \
                 a timeout.",
        references: &[],
        timing: false,
        scope: Scope::of(Subject::Proxy).also(&[ProxyStopped, PassThrough, CallerLeft]),
        check: keeps_answering,
    },
    Rule {
        id: "process.serves-others",
        level: Level::Required,
        title: "While one provider is silent, the proxy serves the callers of other providers",
        reason: "Otherwise an outage of one provider is an outage of all: each request waits for the slowest one \
                 before it.",
        references: &["BerriAI/litellm#28624"],
        timing: false,
        scope: Scope::of(Subject::Proxy).also(&[PassThrough, CallerLeft]),
        check: serves_others,
    },
];

/// The outcome of a rule that one kind of harm breaks.
fn judged<'a>(
    facts: &Facts<'a>,
    breach: impl FnOnce(&'a ProxyHarm) -> Option<RuleOutcome>,
) -> Option<RuleOutcome> {
    facts.seen.harm.as_ref().and_then(breach).or(Some(RuleOutcome::Holds))
}

/// A line of evidence, followed by the end of the proxy's log.
fn with_log(line: String, log: &[String]) -> Vec<String> {
    std::iter::once(line).chain(log.iter().map(|line| format!("the proxy's log ends with: {line}"))).collect()
}

fn keeps_running(facts: &Facts<'_>) -> Option<RuleOutcome> {
    judged(facts, |harm| {
        let ProxyHarm::Exited { how, log } = harm else { return None };
        let evidence = with_log("no other case was under way".to_owned(), log);
        RuleOutcome::broken("the proxy keeps running", format!("the proxy {how}"), evidence)
    })
}

fn keeps_answering(facts: &Facts<'_>) -> Option<RuleOutcome> {
    judged(facts, |harm| {
        let ProxyHarm::Froze { silent_ms, log } = harm else { return None };
        let seconds = silent_ms / 1000.0;
        let line = format!(
            "requests on other routes, to upstreams that answer at once, got nothing for {seconds:.0} s; no other \
             case was under way"
        );
        let expected = "the proxy goes on answering requests";
        RuleOutcome::broken(expected, "it answered no request", with_log(line, log))
    })
}

/// A caller must be held up by at least this long, in milliseconds.
const HELD_UP_MS: f64 = 1000.0;

/// The maximum time between the end of a request and the first sign of the one that waited for it, in milliseconds.
const TOGETHER_MS: f64 = 250.0;

/// Two concurrent requests of the case: the second one got nowhere until the first one, whose upstream was silent, had
/// ended.
fn held_up<'a>(facts: &Facts<'a>) -> Option<(&'a Exchange, &'a Exchange, f64)> {
    let case = facts.arrangement.combination;
    let is_silent = |attempt: &&Attempt| {
        attempt.was_asked() && matches!(AttemptOutcome::of(attempt, case), AttemptOutcome::Silent { .. })
    };
    let silent =
        facts.all_exchanges.iter().filter(|one| facts.seen.attempts_of(one).any(|one| is_silent(&one)));
    let waited_for = |first: &Exchange, second: &'a Exchange| {
        let at_ms = facts.seen.attempts_of(second).next()?.at_ms;
        let waited_ms = at_ms - second.sent_ms;
        let follows = (-TOGETHER_MS / 5.0..TOGETHER_MS).contains(&(at_ms - first.end_ms));
        (waited_ms >= HELD_UP_MS && follows && first.sent_ms < at_ms).then_some(waited_ms)
    };
    silent
        .flat_map(|first| facts.all_exchanges.iter().map(move |second| (first, second)))
        .filter(|(first, second)| !std::ptr::eq(*first, *second) && second.sent_ms < first.end_ms)
        .find_map(|(first, second)| Some((first, second, waited_for(first, second)?)))
}

fn serves_others(facts: &Facts<'_>) -> Option<RuleOutcome> {
    if let Some((first, second, waited_ms)) = held_up(facts) {
        return RuleOutcome::broken(
            format!("the request of {} goes to its upstream at once", second.step),
            format!("it went there after {waited_ms:.0} ms, when the request of {} ended", first.step),
            vec![format!("the upstream of {} was silent until {:.0} ms", first.step, first.end_ms)],
        );
    }
    judged(facts, |harm| {
        let ProxyHarm::HeldUpOthers { sent_ms, answered_ms } = harm else { return None };
        let waited = answered_ms - sent_ms;
        RuleOutcome::broken(
            "a request on another route, to an upstream that answers at once, is answered at once",
            format!("it was answered after {waited:.0} ms, when a request of this case ended"),
            vec![
                format!("the other request was sent at {sent_ms:.0} ms and answered at {answered_ms:.0} ms"),
                "this case ran alone, twice, with the same result".to_owned(),
            ],
        )
    })
}
