//! Tests of verdicts: a table of examples, and properties for any observation.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{
    judge::{
        PolicyAnswer,
        tests::{
            arbitrary::{observation, policy},
            seen::{ERROR, ObservationBuilder, error, plain, say},
        },
    },
    observation::AttemptEnd,
    scenario::{SiblingKind, VersionRange},
    snapshot::{CaseSnapshot, KnownScope, Recorded, SnapshotFile, SnapshotStore, WriteMode},
};

fn line(rule: &str, level: Level) -> FindingLine {
    FindingLine { rule: rule.to_owned(), level, observed: String::new(), policy: Vec::new() }
}

/// A call that breaks `status.mirrored` (required) and `detail.type-kept` (recommended) and nothing else.
fn seen() -> ObservationBuilder {
    plain().tried(error(400)).received(say(500, &ERROR.replace("kind", "other")))
}

#[test]
fn the_verdict_follows_the_table() {
    use Verdict::{Changed, Fail, Known, Pass};
    let clean = plain().tried(error(400)).received(error(400));
    let required = || line("status.mirrored", Level::Required);
    let advice = || line("detail.type-kept", Level::Recommended);
    let other = || line("headers.retry-after", Level::Required);
    let rules: Vec<String> = judge_by(&seen().observation, &[], &Policy::default())
        .findings
        .into_iter()
        .map(|one| one.rule)
        .collect();
    assert_eq!(rules, ["status.mirrored", "detail.type-kept"]);
    for (accepted, diff, seen, loose, strict) in [
        // Nothing is accepted: only the contract counts.
        (None, "", clean.clone(), Pass, Pass),
        (None, "", seen(), Fail, Fail),
        // The observation is as accepted.
        (Some(vec![]), "", clean.clone(), Pass, Pass),
        (Some(vec![required(), advice()]), "", seen(), Known, Fail),
        // The observation changed.
        (Some(vec![]), "-a\n+b\n", clean.clone(), Changed, Changed),
        (Some(vec![required(), advice()]), "-a\n+b\n", seen(), Changed, Changed),
        // There are new findings, or findings are gone.
        (Some(vec![]), "", seen(), Fail, Fail),
        (Some(vec![advice()]), "", seen(), Fail, Fail),
        (Some(vec![required()]), "", seen(), Changed, Changed),
        (Some(vec![required(), advice(), other()]), "", seen(), Changed, Changed),
        (Some(vec![required()]), "", clean.clone(), Changed, Changed),
        (Some(vec![other(), advice()]), "", seen(), Fail, Fail),
    ] {
        let accepted = accepted.map_or(Accepted::Nothing, Accepted::Findings);
        let verdict = |strict| {
            let policy = Policy::default();
            judge_case(&seen.observation, &[], &policy, &accepted, diff, &[], strict).verdict
        };
        assert_eq!((verdict(false), verdict(true)), (loose, strict), "{accepted:?} {diff}");
    }
}

#[test]
fn a_finding_that_only_the_policy_requires_is_not_a_change_and_fails_until_it_is_accepted() {
    let late = plain().tried_in_vain(AttemptEnd::ClientLeft).received(error(408)).observation;
    let judged = |text: &str, lines: &[FindingLine]| {
        let policy = Policy::from_text("p.yaml", text).unwrap();
        judge_case(&late, &[], &policy, &Accepted::Findings(lines.to_vec()), "", &[], false)
    };
    let ours = "timeout: 504\n";
    let enforced = judged(ours, &[]);
    assert_eq!(enforced.verdict, Verdict::Fail);
    let change = enforced.change.as_ref().unwrap();
    assert!(!change.is_change() && change.is_new("status.timeout"), "{change:?}");
    assert_eq!(PolicyAnswer::list(&change.enforced[0].answers), "policy.timeout = 504");
    // A finding that is only advice is not accepted and changes nothing.
    let advice = judged("extends: rfc9110\n", &[]);
    assert_eq!((advice.verdict, advice.change), (Verdict::Pass, Some(Difference::default())));
    // After it was accepted it is known under that policy, and under no other one.
    let [finding] = enforced.to_hold.found.as_slice() else { panic!("{:?}", enforced.to_hold) };
    let accepted = FindingLine { policy: finding.policy.clone(), ..line(&finding.rule, finding.level) };
    assert_eq!(judged(ours, std::slice::from_ref(&accepted)).verdict, Verdict::Known);
    let default = judged("extends: default\n", std::slice::from_ref(&accepted));
    assert_eq!((default.verdict, default.change), (Verdict::Pass, Some(Difference::default())));
    assert_eq!(default.to_hold.kept, [accepted], "another policy's finding is not forgotten");
}

#[test]
fn an_accepted_finding_that_the_policy_does_not_require_is_reported_and_is_not_a_change() {
    let seen = plain().tried(error(429).with("retry-after", "7")).received(error(429)).observation;
    let lenient = Policy::named("litellm-docs").unwrap();
    let accepted = Accepted::Findings(vec![line("headers.retry-after", Level::Required)]);
    let judged = judge_case(&seen, &[], &lenient, &accepted, "", &[], false);
    assert_eq!(judged.verdict, Verdict::Pass);
    let change = judged.change.unwrap();
    assert!(!change.is_change() && !change.is_empty());
    assert_eq!(change.eased[0].rule, "headers.retry-after");
    assert_eq!(PolicyAnswer::list(&change.eased[0].answers), "policy.retry_after = lifted");
    // It is not a change either if the finding is gone.
    let kept = plain().tried(error(429)).received(error(429)).observation;
    let judged = judge_case(&kept, &[], &lenient, &accepted, "", &[], false);
    assert_eq!((judged.verdict, judged.change), (Verdict::Pass, Some(Difference::default())));
}

/// A claim that an issue explains the findings of a rule.
fn claim(rule: &str, scope: KnownScope) -> KnownClaim {
    KnownClaim {
        rule: rule.to_owned(),
        issue: "https://github.com/BerriAI/litellm/issues/1".to_owned(),
        versions: VersionRange::default(),
        scope,
        state: KnownState::NoEffect,
        place: "upfault.toml:1".to_owned(),
    }
}

#[test]
fn a_known_finding_explains_what_it_names_and_fails_when_it_is_wrong() {
    use KnownScope::{Inside, Outside, Unknown};
    use Verdict::{Changed, Fail, Known, Pass};
    let clean = plain().tried(error(400)).received(error(400));
    let (mirrored, kept, other) = ("status.mirrored", "detail.type-kept", "headers.retry-after");
    let held = || vec![line(mirrored, Level::Required), line(kept, Level::Recommended)];
    for (claims, accepted, diff, seen, loose, strict) in [
        // Without a snapshot.
        (vec![(mirrored, Inside)], None, "", seen(), Known, Fail),
        (vec![(mirrored, Outside)], None, "", seen(), Fail, Fail),
        (vec![(mirrored, Unknown)], None, "", seen(), Fail, Fail),
        (vec![(mirrored, Outside), (mirrored, Inside)], None, "", seen(), Known, Fail),
        (vec![(other, Inside)], None, "", seen(), Fail, Fail),
        (vec![(mirrored, Inside)], None, "", clean.clone(), Fail, Fail),
        (vec![(mirrored, Outside)], None, "", clean.clone(), Pass, Pass),
        (vec![(mirrored, Unknown)], None, "", clean.clone(), Pass, Pass),
        // A finding that never fails a case can be known too.
        (vec![(kept, Inside)], Some(held()), "", seen(), Known, Fail),
        (vec![(kept, Inside)], None, "", clean.clone(), Fail, Fail),
        // With a snapshot.
        (vec![(mirrored, Inside)], Some(held()), "", seen(), Known, Fail),
        (vec![(mirrored, Outside)], Some(held()), "", seen(), Fail, Fail),
        (vec![(mirrored, Inside)], Some(vec![line(kept, Level::Recommended)]), "", seen(), Known, Fail),
        (
            vec![(mirrored, Inside)],
            Some(vec![line(kept, Level::Recommended)]),
            "-a\n+b\n",
            seen(),
            Changed,
            Changed,
        ),
        (vec![(mirrored, Inside)], Some(held()), "", clean.clone(), Fail, Fail),
    ] {
        let claims: Vec<KnownClaim> = claims.into_iter().map(|(rule, scope)| claim(rule, scope)).collect();
        let accepted = accepted.map_or(Accepted::Nothing, Accepted::Findings);
        let judged =
            |strict| judge_case(&seen.observation, &[], &Policy::default(), &accepted, diff, &claims, strict);
        assert_eq!((judged(false).verdict, judged(true).verdict), (loose, strict), "{claims:?} {accepted:?}");
        // Nothing is left to review if a snapshot exists and the finding is known.
        let to_hold = judged(false).to_hold.kept.iter().map(|line| line.rule.clone()).collect::<Vec<_>>();
        if let (Accepted::Findings(lines), Known) = (&accepted, loose) {
            assert_eq!(to_hold, lines.iter().map(|line| line.rule.clone()).collect::<Vec<_>>());
        }
        // What is stored is judged the same way again.
        let stored = judged(false).known;
        let again = judge_case(&seen.observation, &[], &Policy::default(), &accepted, diff, &stored, false);
        assert_eq!(again, judged(false));
    }
}

#[test]
fn a_known_finding_that_this_run_cannot_decide_has_no_effect() {
    let clean = plain().tried(error(400)).received(error(400)).observation;
    let judged = |rule: &str, seen: &Observation, siblings: &[ComparedSibling<'_>], policy: &Policy| {
        let claims = [claim(rule, KnownScope::Inside)];
        let judged = judge_case(seen, siblings, policy, &Accepted::Nothing, "", &claims, false);
        (judged.known[0].state, judged.verdict)
    };
    let default = Policy::default();
    // The sibling did not run.
    let absent = [ComparedSibling { kin: SiblingKind::Stream, seen: None }];
    let nothing = (KnownState::NoEffect, Verdict::Pass);
    assert_eq!(judged("sibling.stream-status", &clean, &absent, &default), nothing);
    assert_eq!(judged("sibling.stream-status", &clean, &[], &default).0, KnownState::Gone);
    // The policy does not require the rule, or another policy makes the finding.
    let lost = plain().tried(error(429).with("retry-after", "7")).received(error(429)).observation;
    let lenient = Policy::named("litellm-docs").unwrap();
    assert_eq!(judged("headers.retry-after", &lost, &[], &lenient), nothing);
    assert_eq!(judged("headers.retry-after", &lost, &[], &default), (KnownState::Occurs, Verdict::Known));
    let late = plain().tried_in_vain(AttemptEnd::ClientLeft).received(error(408)).observation;
    let strict = Policy::from_text("p.yaml", "timeout: 504\n").unwrap();
    assert_eq!(judged("status.timeout", &late, &[], &strict).0, KnownState::Occurs);
    assert_eq!(judged("status.timeout", &late, &[], &default), nothing);
}

/// A case, its siblings, and which of the siblings were judged.
fn family() -> impl Strategy<Value = (Observation, [(SiblingKind, Observation); 2], [bool; 2])> {
    (observation(), observation(), observation(), any::<[bool; 2]>()).prop_map(
        |(mut seen, mut plain, mut route, judged)| {
            seen.arrangement.combination.stream = true;
            for (sibling, token) in [(&mut plain, "plain"), (&mut route, "route")] {
                let own = sibling.arrangement.combination;
                sibling.arrangement = seen.arrangement.clone();
                sibling.arrangement.identity.token = token.to_owned();
                sibling.arrangement.combination.api = own.api;
            }
            plain.arrangement.combination = seen.arrangement.combination;
            plain.arrangement.combination.stream = false;
            (seen, [(SiblingKind::Stream, plain), (SiblingKind::Route, route)], judged)
        },
    )
}

/// The snapshot as a later run reads it from the file.
fn stored(snapshot: &CaseSnapshot) -> CaseSnapshot {
    let file = SnapshotFile { cases: vec![snapshot.clone()], ..SnapshotFile::default() };
    SnapshotFile::parse(&file.render()).unwrap().cases.remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// After an observation was accepted under any policies, the same observation is not a change under any policy,
    /// nothing is pending, and the policies that accepted its findings do not report them as new.
    #[test]
    fn the_same_observation_is_never_a_change_under_any_policy(
        (seen, siblings, judged) in family(),
        policies in vec(policy(), 1..4),
        last in policy(),
        strict in any::<bool>(),
    ) {
        let siblings: Vec<ComparedSibling<'_>> = siblings
            .iter()
            .zip(judged)
            .map(|((kin, seen), judged)| ComparedSibling { kin: *kin, seen: judged.then_some(seen) })
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let store = |mode| SnapshotStore::new(dir.path().join("proxy"), mode).without_bundled();
        let record = |mode, snapshot: &CaseSnapshot| {
            let now = SnapshotFile { cases: vec![snapshot.clone()], ..SnapshotFile::default() };
            store(mode).record("s", &now, &BTreeSet::new()).unwrap()
        };
        let mut held: Option<CaseSnapshot> = None;
        let judge = |held: &Option<CaseSnapshot>, policy: &Policy, strict| {
            let accepted =
                held.as_ref().map_or(Accepted::Nothing, |held| Accepted::Findings(held.findings.clone()));
            let judged = judge_case(&seen, &siblings, policy, &accepted, "", &[], strict);
            let now = CaseSnapshot::new("s", &seen).holding(&seen, judged.to_hold.clone());
            (judged, now)
        };
        for policy in &policies {
            let (_, now) = judge(&held, policy, false);
            record(WriteMode::AcceptAll, &now);
            held = Some(stored(&now));
            let (again, same) = judge(&held, policy, false);
            prop_assert!(matches!(again.verdict, Verdict::Pass | Verdict::Known), "{:?}", again);
            prop_assert_eq!(record(WriteMode::AcceptAll, &stored(&same)), Recorded::Unchanged);
        }
        // The findings are still known under every policy that accepted them.
        for policy in &policies {
            let (again, _) = judge(&held, policy, false);
            prop_assert!(matches!(again.verdict, Verdict::Pass | Verdict::Known), "{:?}", again);
        }
        let (by_last, now) = judge(&held, &last, strict);
        prop_assert!(by_last.verdict != Verdict::Changed, "{:?}", by_last);
        prop_assert!(!by_last.change.as_ref().unwrap().is_change(), "{:?}", by_last);
        prop_assert_eq!(record(WriteMode::Pending, &now), Recorded::Unchanged);
        if by_last.verdict == Verdict::Fail && !strict {
            let change = by_last.change.unwrap();
            prop_assert!(!change.enforced.is_empty() && change.enforced.iter().all(|one| !one.answers.is_empty()));
        }
    }

    /// A verdict `changed` always comes with a visible difference.
    #[test]
    fn a_change_always_shows_something(
        seen in observation(),
        policy in policy(),
        rules in vec((select(crate::judge::rules().map(|rule| rule.id).collect::<Vec<_>>()), 0..3usize), 0..4),
        diff in select(vec!["", "-a\n+b\n"]),
        strict in any::<bool>(),
    ) {
        let lines = rules.into_iter().map(|(rule, level)| line(rule, Level::ALL[level])).collect();
        let judged = judge_case(&seen, &[], &policy, &Accepted::Findings(lines), diff, &[], strict);
        let change = judged.change.unwrap();
        if judged.verdict == Verdict::Changed {
            let shown = !change.diff.is_empty()
                || !change.vanished_findings.is_empty()
                || judged.findings.iter().any(|finding| change.is_new(&finding.rule));
            prop_assert!(shown, "{:?}", change);
        }
    }
}
