//! A caller that asks wrongly.

use super::{every_rule::Proof, seen::*};
use crate::{
    judge::{self, Policy},
    observation::Ending,
    scenario::Mistake,
};

impl Seen {
    /// The last exchange had this mistake in it.
    fn mistaken(mut self, mistake: Mistake) -> Self {
        if let Some(last) = self.observation.exchanges.last_mut() {
            last.mistake = Some(mistake);
        }
        self
    }
}

pub fn proofs() -> Vec<Proof> {
    let own = |status| plain().told(error(status)).mistaken(Mistake::WrongKey);
    let asked = plain().tried(say(200, OK)).told(error(401)).mistaken(Mistake::WrongKey);
    vec![("mistake.refused", own(401), own(500)), ("mistake.not-forwarded", own(401), asked)]
}

fn broken(seen: &Seen) -> Vec<String> {
    let findings = judge::judge(&seen.observation, &Policy::default());
    findings.into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn each_mistake_has_the_statuses_that_say_whose_it_is() {
    use Mistake::*;
    for (mistake, good) in
        [(WrongKey, &[401, 403][..]), (UnknownModel, &[400, 404, 422]), (BrokenJson, &[400, 422])]
    {
        for status in [400, 401, 403, 404, 409, 422, 429, 500, 502, 503] {
            let told = broken(&plain().told(error(status)).mistaken(mistake));
            let expected: &[&str] = if good.contains(&status) { &[] } else { &["mistake.refused"] };
            assert_eq!(told, expected, "{mistake:?} {status}");
        }
        for seen in [plain().told(say(200, OK)), plain().told_nothing(Ending::Deadline)] {
            assert!(broken(&seen.mistaken(mistake)).contains(&"mistake.refused".to_owned()), "{mistake:?}");
        }
    }
}

#[test]
fn broken_json_may_be_the_upstreams_to_refuse() {
    let passed_on = plain().tried(error(400)).told(error(400)).mistaken(Mistake::BrokenJson);
    assert_eq!(broken(&passed_on), [""; 0]);
}

#[test]
fn that_no_upstream_was_asked_is_held_against_nobody_here() {
    assert!(broken(&plain().told(error(404))).contains(&"request.forwarded".to_owned()));
    assert_eq!(broken(&plain().told(error(404)).mistaken(Mistake::UnknownModel)), [""; 0]);
}
