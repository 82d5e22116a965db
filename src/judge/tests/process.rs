//! Cases that harm the proxy as a whole.

use super::{
    every_rule::RuleExample,
    seen::{OK, ObservationBuilder, error, plain, say},
};
use crate::{
    judge::{self, Policy},
    observation::{AttemptEnd, ProxyHarm},
};

fn with(harm: Option<ProxyHarm>) -> ObservationBuilder {
    let mut seen = plain().tried(say(200, OK)).received(say(200, OK));
    seen.observation.harm = harm;
    seen
}

pub(super) fn examples() -> Vec<RuleExample> {
    let log = vec!["fatal: out of words".to_owned()];
    vec![
        (
            "process.keeps-running",
            with(None),
            with(Some(ProxyHarm::Exited { how: "exited with code 70".to_owned(), log: log.clone() })),
        ),
        ("process.keeps-answering", with(None), with(Some(ProxyHarm::Froze { silent_ms: 10000.0, log }))),
        (
            "process.serves-others",
            with(None),
            with(Some(ProxyHarm::HeldUpOthers { sent_ms: 100.0, answered_ms: 4010.0 })),
        ),
    ]
}

#[test]
fn a_case_that_stopped_the_proxy_has_no_other_findings() {
    let mut seen = plain().tried(error(429)).received(say(200, OK));
    let rules = |seen: &ObservationBuilder| -> Vec<String> {
        let findings = judge::judge(&seen.observation, &[], &Policy::default());
        findings.into_iter().map(|finding| finding.rule).collect()
    };
    assert!(!rules(&seen).is_empty(), "a forged success is a finding");
    seen.observation.harm = Some(ProxyHarm::Exited { how: "exited with code 1".to_owned(), log: Vec::new() });
    assert_eq!(rules(&seen), ["process.keeps-running"]);
}

#[test]
fn a_request_that_waits_for_a_silent_provider_of_another_one_is_held_up() {
    let rule = "process.serves-others";
    let seen = |arrived_ms: f64| {
        let mut seen = plain()
            .with_deployment("well")
            .tried_in_vain(AttemptEnd::ClientLeft)
            .tried_at("well", say(200, OK), AttemptEnd::Finished)
            .wait(4000.0)
            .received(error(504))
            .together("well", say(200, OK))
            .observation;
        seen.attempts[0].end_ms = Some(seen.exchanges[0].end_ms);
        seen.attempts[1].at_ms = arrived_ms;
        seen.attempts[1].end_ms = Some(arrived_ms + 1.0);
        judge::judge(&seen, &[], &Policy::default()).into_iter().any(|finding| finding.rule == rule)
    };
    assert!(seen(4010.0), "it waited until the silent request had ended");
    assert!(!seen(10.0), "it was served at once");
    assert!(!seen(2000.0), "it waited for something else");
}
