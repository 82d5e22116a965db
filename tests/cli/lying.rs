//! Runs against proxies whose responses are not HTTP, are not text, never end, or have a wrong length. Such a response is a
//! finding, never a failure of upfault.

use upfault::internals::judge::Verdict;

use super::stage::Stage;

#[test]
fn every_kind_of_invalid_response_is_a_finding() {
    for (mode, seen) in [
        ("garbage", "no response: broken: "),
        ("huge", "200 with an incomplete body"),
        ("undecodable", "not a completion"),
        ("overlong", "200 with an incomplete body"),
        ("underlong", "not a completion"),
    ] {
        let stage = Stage::small().fake(mode);
        let (printed, report) = stage.run(&["scenarios/t", "--proxy", mode]);
        printed.code(1).out_has(&[seen]);
        // On a busy machine some cases may be inconclusive, but none may pass or be broken.
        let count = |verdict| report.cases.iter().filter(|case| case.verdict == verdict).count();
        assert_eq!(count(Verdict::Fail) + count(Verdict::Inconclusive), 4, "{mode}: {:?}", report.summary);
        for case in &report.cases {
            assert!(case.findings.iter().all(|finding| !finding.evidence.is_empty()), "{:?}", case.findings);
        }
        stage.nothing_is_left();
    }
}
