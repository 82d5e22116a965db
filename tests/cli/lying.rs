//! Proxies whose answers are no HTTP, no text, no end, or of another length than they say: that is
//! a finding, and never upfault's own failure.

use upfault::judge::Verdict;

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
        said.code(1).out_has(&["4 cases: 4 fail", seen]);
        for case in &report.cases {
            assert_eq!(case.verdict, Verdict::Fail, "{mode} {}: {:?}", case.id, case.reason);
            assert!(case.findings.iter().all(|finding| !finding.evidence.is_empty()), "{:?}", case.findings);
        }
        stage.nothing_is_left();
    }
}
