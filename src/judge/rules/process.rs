//! Whether the proxy as a whole survives a case, and serves other callers meanwhile.
//!
//! These rules read the harm that the runner recorded. It records harm only for a case that ran alone.

use crate::{
    judge::{
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{CallerLeft, PassThrough, ProxyStopped, Scope, Subject},
    },
    observation::ProxyHarm,
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

fn serves_others(facts: &Facts<'_>) -> Option<RuleOutcome> {
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
