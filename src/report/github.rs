//! Annotations of GitHub Actions: workflow commands on standard output.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use std::{
    cmp::Reverse,
    fmt::Write as _,
    io::{self, Write},
};

use super::{
    RecordedRun,
    inert::is_unsafe,
    outline::{failing, rules},
};
use crate::{event::CaseReport, judge::Verdict, scenario::Level};

/// How many annotations of one kind GitHub shows for a step.
const MAX_ANNOTATIONS: usize = 10;

/// Renders a report as workflow commands at the line of the scenario: an error for each failing case, a warning for each
/// inconclusive one. Cases that break more required rules come first. The last annotation of a kind counts those that do
/// not fit.
pub(super) fn render(run: &RecordedRun, out: &mut dyn Write) -> io::Result<()> {
    let report = &run.report;
    let mut text = String::new();
    let mut failing = failing(report);
    let broken =
        |case: &CaseReport| case.findings.iter().filter(|finding| finding.level == Level::Required).count();
    // The sort is stable: within a verdict, cases are sorted by id.
    failing.sort_by_key(|case| (verdict_rank(case.verdict), Reverse(broken(case))));
    let inconclusive = report.cases.iter().filter(|case| case.verdict == Verdict::Inconclusive).collect();
    for (command, cases) in [("error", failing), ("warning", inconclusive)] {
        let shown = if cases.len() > MAX_ANNOTATIONS { MAX_ANNOTATIONS - 1 } else { cases.len() };
        for case in &cases[..shown] {
            let title = format!("{} {}", case.verdict.as_str().to_uppercase(), case.id);
            let message = format!("{}\n{}", case.title, rules(case));
            let _ = writeln!(
                text,
                "::{command} file={},line={},title={}::{}",
                property(&run.sources.path(&case.file)),
                case.line,
                property(&title),
                data(&message)
            );
        }
        if cases.len() > shown {
            let _ = writeln!(text, "::{command} title=upfault::{} more cases", cases.len() - shown);
        }
    }
    out.write_all(text.as_bytes())
}

/// The position of a verdict among all, the worst first.
fn verdict_rank(verdict: Verdict) -> Option<usize> {
    Verdict::ALL.iter().position(|known| *known == verdict)
}

/// The message of a command. Other control characters could hide text in the log.
fn data(text: &str) -> String {
    let plain: String = text.chars().map(|c| if is_unsafe(c) && c != '\n' { ' ' } else { c }).collect();
    plain.replace('%', "%25").replace('\n', "%0A")
}

/// The value of a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use crate::{
        event::CaseReport,
        judge::Verdict,
        report::{
            format::tests::rendered,
            sample::{case, failing},
        },
    };

    #[test]
    fn failing_and_inconclusive_cases_are_annotations_and_the_rest_is_counted() {
        let mut cases: Vec<CaseReport> = (0..25).map(|n| failing(&format!("a/{n:02}"))).collect();
        cases
            .push(CaseReport { reason: Some("busy".to_owned()), ..case("b/unclear", Verdict::Inconclusive) });
        cases.push(case("c/pass", Verdict::Pass));
        let text = rendered("github", cases);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 11, "{text}");
        assert_eq!(
            lines[0],
            "::error file=scenarios/a/00.yaml,line=1,title=FAIL a/00::A 429 keeps its status, its detail and its \
             Retry-After%0Aheaders.retry-after"
        );
        assert_eq!(lines[9], "::error title=upfault::16 more cases");
        assert!(
            lines[10]
                .starts_with("::warning file=scenarios/b/unclear.yaml,line=1,title=INCONCLUSIVE b/unclear::")
        );
        assert_eq!(rendered("github", vec![case("a/b", Verdict::Pass)]), "");
    }

    #[test]
    fn a_case_that_breaks_more_rules_comes_first_at_the_line_of_its_scenario() {
        let mut worse = CaseReport { line: 3, ..failing("z/worse") };
        worse.findings.push(worse.findings[0].clone());
        let text = rendered("github", vec![failing("a/b"), case("a/broken", Verdict::Broken), worse]);
        let places: Vec<&str> = text.lines().map(|line| line.split(",title").next().unwrap()).collect();
        assert_eq!(
            places,
            [
                "::error file=scenarios/a/broken.yaml,line=1",
                "::error file=scenarios/z/worse.yaml,line=3",
                "::error file=scenarios/a/b.yaml,line=1"
            ]
        );
    }

    #[test]
    fn hostile_text_cannot_start_a_command() {
        let hostile =
            CaseReport { title: "x\n::set-output name=a::b%\r\u{1b}[2J".to_owned(), ..failing("a/b,c:d") };
        let text = rendered("github", vec![hostile]);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("title=FAIL a/b%2Cc%3Ad::x%0A::set-output name=a::b%25  [2J%0A"), "{text}");
    }
}
