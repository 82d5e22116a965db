//! Proxies whose answers are no HTTP, no text, no end, or of another length than they say: that is
//! a finding, and never upfault's own failure.

use upfault::internals::judge::Verdict;

use super::stage::Stage;

#[test]
fn an_answer_that_is_none_is_a_finding_whatever_came_in_its_place() {
    for (mode, seen) in [
        ("garbage", "no answer: broken: "),
        ("huge", "broke off"),
        ("undecodable", "no completion"),
        ("overlong", "broke off"),
        ("underlong", "no completion"),
    ] {
        let stage = Stage::small().fake(mode);
        let (said, report) = stage.run(&["scenarios/t", "--proxy", mode]);
        said.code(1).out_has(&[seen]);
        // On a busy machine some may be too late to be told for sure; none passes, and none is broken.
        let count = |verdict| report.cases.iter().filter(|case| case.verdict == verdict).count();
        assert_eq!(count(Verdict::Fail) + count(Verdict::Inconclusive), 4, "{mode}: {:?}", report.summary);
        for case in &report.cases {
            assert!(case.findings.iter().all(|finding| !finding.evidence.is_empty()), "{:?}", case.findings);
        }
        stage.nothing_is_left();
    }
}
