//! The durations of a run, by which a later run with `--shard` is split.

use std::io::{self, Write};

use super::RecordedRun;
use crate::{
    event::CaseReport,
    judge::Verdict,
    shard::{CaseTime, Durations},
};

/// Writes the durations of the cases that ran. Skipped cases take no time.
pub(super) fn render(run: &RecordedRun, out: &mut dyn Write) -> io::Result<()> {
    let known = |case: &&CaseReport| case.duration_ms > 0.0 || case.verdict == Verdict::Skipped;
    let ran = run.report.cases.iter().filter(known);
    let times =
        ran.map(|case| (case.id.clone(), CaseTime { shared_ms: case.duration_ms, alone_ms: case.alone_ms }));
    Durations::new(run.report.proxy.to_string(), times).write(out)
}

#[cfg(test)]
mod tests {
    use crate::{
        event::CaseReport,
        judge::Verdict,
        report::{format::tests::rendered, sample::case},
    };

    #[test]
    fn cases_are_listed_with_their_durations() {
        let skipped = CaseReport { duration_ms: 0.0, ..case("c", Verdict::Skipped) };
        let alone = CaseReport { alone_ms: 900.4, ..case("b[stream]", Verdict::Known) };
        insta::assert_snapshot!(rendered("durations", vec![case("a", Verdict::Pass), alone, skipped]), @r#"
        {
          "proxy": "litellm 1.102.4",
          "cases": {
            "a": 12,
            "b[stream]": 12,
            "c": 0
          },
          "alone": {
            "b[stream]": 900
          }
        }
        "#);
    }
}
