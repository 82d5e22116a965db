//! Cases that harm the proxy as a whole.

use super::{
    every_rule::RuleExample,
    seen::{OK, ObservationBuilder, error, plain, say},
};
use crate::{
    judge::{self, Policy},
    observation::ProxyHarm,
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
