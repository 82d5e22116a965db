//! Property tests: the judge accepts any observation, and its results are reproducible.

use proptest::{option, prelude::*};

use super::{
    arbitrary::{headers, observation, policy},
    arbitrary_text::json,
    seen::{plain, say},
};
use crate::{
    judge::{self, Policy},
    observation::{ExchangeOutcome, Observation},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_observation_gets_the_same_findings_twice(seen in observation()) {
        for policy in Policy::all() {
            let findings = judge::judge(&seen, &[], &policy);
            prop_assert_eq!(&findings, &judge::judge(&seen, &[], &policy));
            let applicable = judge::applicable(&seen, &[], &policy);
            for finding in &findings {
                prop_assert!(applicable.contains(&finding.rule.as_str()), "{} was broken but is not applicable", finding.rule);
                prop_assert!(!finding.evidence.is_empty());
            }
        }
    }

    #[test]
    fn any_two_observations_get_the_same_comparison_twice(
        (seen, other) in (observation(), observation()),
        turn in option::of(any::<bool>()),
    ) {
        // Two independent random observations are hardly ever siblings.
        let mut sibling = other.clone();
        sibling.arrangement = seen.arrangement.clone();
        sibling.arrangement.identity.token = "other".to_owned();
        match turn {
            Some(_) => sibling.arrangement.combination.stream = false,
            None => sibling.arrangement.combination.api = other.arrangement.combination.api,
        }
        for policy in Policy::all() {
            let findings = judge::judge(&seen, &[&sibling, &other], &policy);
            prop_assert_eq!(&findings, &judge::judge(&seen, &[&sibling, &other], &policy));
            let of_pair: Vec<_> = findings.iter().filter(|finding| judge::kin_of(&finding.rule).is_some()).collect();
            let applicable = judge::applicable(&seen, &[&sibling], &policy);
            prop_assert!(of_pair.iter().all(|finding| applicable.contains(&finding.rule.as_str())));
        }
    }

    /// Every difference from the findings of the default policy names the policy answers that cause it.
    #[test]
    fn every_effect_of_a_policy_names_its_answers(seen in observation(), policy in policy()) {
        let judged = judge::judge_by(&seen, &[], &policy);
        prop_assert_eq!(&judged.by_default, &judge::judge(&seen, &[], &Policy::default()));
        for effect in &judged.eased {
            prop_assert!(!effect.answers.is_empty(), "{:?}", effect);
        }
        for finding in &judged.findings {
            let usual = judged.by_default.iter().find(|usual| usual.rule == finding.rule);
            let is_own = usual.is_none_or(|usual| finding.level < usual.level);
            prop_assert_eq!(is_own, !finding.policy.is_empty(), "{:?}", finding);
        }
        for usual in &judged.by_default {
            let now = judged.findings.iter().find(|finding| finding.rule == usual.rule);
            let is_less = now.is_none_or(|now| now.level > usual.level);
            prop_assert_eq!(is_less, judged.eased.iter().any(|effect| effect.rule == usual.rule));
        }
    }

    /// Comparing a case with a sibling that observed the same makes no findings.
    #[test]
    fn siblings_with_equal_observations_have_no_findings(mut seen in observation()) {
        let mut other = seen.clone();
        seen.arrangement.combination.stream = true;
        other.arrangement.combination.stream = false;
        let findings = judge::judge(&seen, &[&other], &Policy::default());
        prop_assert!(findings.iter().all(|finding| judge::kin_of(&finding.rule).is_none()), "{findings:?}");
    }

    #[test]
    fn a_stored_observation_gets_the_same_findings(seen in observation()) {
        let stored = serde_json::to_string(&seen).unwrap();
        let read: Observation = serde_json::from_str(&stored).unwrap();
        let policy = Policy::default();
        prop_assert_eq!(judge::judge(&read, &[], &policy), judge::judge(&seen, &[], &policy));
    }

    #[test]
    fn the_origin_of_any_error_has_evidence_and_is_reproducible(seen in observation()) {
        let origins = judge::origins(&seen);
        prop_assert_eq!(&origins, &judge::origins(&seen));
        for origin in &origins {
            prop_assert!(!origin.evidence.is_empty(), "{:?}", origin);
        }
        let stored = serde_json::to_string(&origins).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<judge::ErrorOrigin>>(&stored).unwrap(), origins);
    }

    /// A proxy that changes nothing keeps every detail.
    #[test]
    fn a_response_equal_to_the_upstreams_keeps_every_detail(
        status in 400..600u16,
        (kind, code, param) in (json(), json(), json()),
        headers in headers(),
    ) {
        let body = format!("{{\"error\":{{\"message\":\"no MSG\",\"type\":{kind},\"code\":{code},\"param\":{param}}}}}");
        let mut said = say(status, &body);
        let poison = ["set-cookie", "connection", "te", "upgrade"];
        let others = headers.iter().filter(|(name, _)| name != "content-type" && !poison.contains(&name.as_str()));
        for (name, value) in others {
            said = said.with(name, value);
        }
        let seen = plain().tried(said.clone()).received(said);
        let origins = judge::origins(&seen.observation);
        prop_assert_eq!(origins.len(), 1);
        prop_assert_eq!(&origins[0].maker, &judge::ErrorSource::Upstream { deployment: "primary".to_owned(), n: 1 });
        for traced in &origins[0].details {
            prop_assert_eq!(&traced.fate, &judge::DetailFate::Kept, "{:?}", traced);
        }
    }

    #[test]
    fn the_sdk_view_covers_any_exchange_and_only_a_return_is_silent(seen in observation()) {
        let view = judge::sdk_view(&seen);
        let sdks = judge::Sdk::speaking(seen.arrangement.combination.api).count();
        let exchanges_with_caller = seen.exchanges.iter().filter(|exchange| exchange.abandoned().is_none()).count();
        prop_assert_eq!(view.len(), if sdks == 0 { 0 } else { exchanges_with_caller });
        for sdk in view.iter().flat_map(|step| &step.sdks) {
            prop_assert!(!sdk.silent || sdk.outcome == judge::SdkOutcome::Returns);
        }
        prop_assert!(view.iter().all(|step| step.sdks.len() == sdks));
    }

    #[test]
    fn the_order_of_headers_does_not_matter(seen in observation()) {
        let mut turned = seen.clone();
        turned.attempts.iter_mut().for_each(|attempt| attempt.sent.headers.reverse());
        for exchange in &mut turned.exchanges {
            if let ExchangeOutcome::Answer(answer) = &mut exchange.outcome {
                answer.headers.reverse();
            }
        }
        // Several headers may break one rule. Their order decides which of them the finding shows.
        let broken = |seen: &Observation| -> Vec<_> {
            let findings = judge::judge(seen, &[], &Policy::default());
            findings.into_iter().map(|finding| (finding.rule, finding.level)).collect()
        };
        prop_assert_eq!(broken(&turned), broken(&seen));
    }
}
