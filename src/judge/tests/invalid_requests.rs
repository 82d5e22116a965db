//! Invalid requests.

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::ResponseEnd,
    scenario::RequestMistake,
};

impl ObservationBuilder {
    /// The request of the last exchange had this mistake.
    fn mistaken(mut self, mistake: RequestMistake) -> Self {
        if let Some(last) = self.observation.exchanges.last_mut() {
            last.mistake = Some(mistake);
        }
        self
    }
}

/// The error of a proxy that called no upstream.
const OWN: &str = r#"{"error":{"message":"not here","type":"kind","param":null,"code":"c"}}"#;

pub(super) fn examples() -> Vec<RuleExample> {
    let own = |status| plain().received(say(status, OWN)).mistaken(RequestMistake::WrongKey);
    let asked = plain().tried(say(200, OK)).received(error(401)).mistaken(RequestMistake::WrongKey);
    vec![("mistake.refused", own(401), own(500)), ("mistake.not-forwarded", own(401), asked)]
}

fn broken(seen: &ObservationBuilder) -> Vec<String> {
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    findings.into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn each_mistake_has_its_allowed_statuses() {
    use RequestMistake::*;
    for (mistake, good) in
        [(WrongKey, &[401, 403][..]), (UnknownModel, &[400, 404, 422]), (BrokenJson, &[400, 422])]
    {
        for status in [400, 401, 403, 404, 409, 422, 429, 500, 502, 503] {
            let findings = broken(&plain().received(say(status, OWN)).mistaken(mistake));
            let expected: &[&str] = if good.contains(&status) { &[] } else { &["mistake.refused"] };
            assert_eq!(findings, expected, "{mistake:?} {status}");
        }
        for seen in [plain().received(say(200, OK)), plain().received_nothing(ResponseEnd::Deadline)] {
            assert!(broken(&seen.mistaken(mistake)).contains(&"mistake.refused".to_owned()), "{mistake:?}");
        }
    }
}

#[test]
fn the_upstream_may_refuse_broken_json() {
    let passed_on = plain().tried(error(400)).received(error(400)).mistaken(RequestMistake::BrokenJson);
    assert_eq!(broken(&passed_on), [""; 0]);
}

#[test]
fn an_invalid_request_needs_no_attempt_at_an_upstream() {
    assert!(broken(&plain().received(say(404, OWN))).contains(&"request.forwarded".to_owned()));
    assert_eq!(broken(&plain().received(say(404, OWN)).mistaken(RequestMistake::UnknownModel)), [""; 0]);
}
