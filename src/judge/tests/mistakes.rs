//! A caller that asks wrongly.

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::ResponseEnd,
    scenario::RequestMistake,
};

impl ObservationBuilder {
    /// The last exchange had this mistake in it.
    fn mistaken(mut self, mistake: RequestMistake) -> Self {
        if let Some(last) = self.observation.exchanges.last_mut() {
            last.mistake = Some(mistake);
        }
        self
    }
}

/// What a proxy says that asked nobody.
const OWN: &str = r#"{"error":{"message":"not here","type":"kind","param":null,"code":"c"}}"#;

pub fn proofs() -> Vec<RuleExample> {
    let own = |status| plain().received(say(status, OWN)).mistaken(RequestMistake::WrongKey);
    let asked = plain().tried(say(200, OK)).received(error(401)).mistaken(RequestMistake::WrongKey);
    vec![("mistake.refused", own(401), own(500)), ("mistake.not-forwarded", own(401), asked)]
}

fn broken(seen: &ObservationBuilder) -> Vec<String> {
    let findings = judge::judge(&seen.observation, &Policy::default());
    findings.into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn each_mistake_has_the_statuses_that_say_whose_it_is() {
    use RequestMistake::*;
    for (mistake, good) in
        [(WrongKey, &[401, 403][..]), (UnknownModel, &[400, 404, 422]), (BrokenJson, &[400, 422])]
    {
        for status in [400, 401, 403, 404, 409, 422, 429, 500, 502, 503] {
            let told = broken(&plain().received(say(status, OWN)).mistaken(mistake));
            let expected: &[&str] = if good.contains(&status) { &[] } else { &["mistake.refused"] };
            assert_eq!(told, expected, "{mistake:?} {status}");
        }
        for seen in [plain().received(say(200, OK)), plain().received_nothing(ResponseEnd::Deadline)] {
            assert!(broken(&seen.mistaken(mistake)).contains(&"mistake.refused".to_owned()), "{mistake:?}");
        }
    }
}

#[test]
fn broken_json_may_be_the_upstreams_to_refuse() {
    let passed_on = plain().tried(error(400)).received(error(400)).mistaken(RequestMistake::BrokenJson);
    assert_eq!(broken(&passed_on), [""; 0]);
}

#[test]
fn that_no_upstream_was_asked_is_held_against_nobody_here() {
    assert!(broken(&plain().received(say(404, OWN))).contains(&"request.forwarded".to_owned()));
    assert_eq!(broken(&plain().received(say(404, OWN)).mistaken(RequestMistake::UnknownModel)), [""; 0]);
}
