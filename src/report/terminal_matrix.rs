//! The smoke tests: which providers' plain success and plain failure reach the caller at all.

use std::{collections::BTreeMap, io};

use super::paint::{Painter, safe};
use crate::{event::CaseReport, judge::Verdict, scenario::Api};

/// The folder of these scenarios.
const FOLDER: &str = "smoke/";

/// How many providers and APIs pass, and a line with the verdicts of each one that fails, or of all if `verbose`.
/// Prints nothing if there are fewer than two rows: then the list of cases says it all.
pub(super) fn smoke(painter: &mut Painter<'_>, cases: &[&CaseReport], verbose: bool) -> io::Result<()> {
    let mut rows: BTreeMap<(Api, String), BTreeMap<Verdict, Vec<String>>> = BTreeMap::new();
    let mut cases: Vec<&CaseReport> =
        cases.iter().copied().filter(|case| case.scenario.starts_with(FOLDER)).collect();
    // Success before failure, plain before streamed.
    cases.sort_by_key(|case| (!case.scenario.contains("success"), case.scenario.clone(), case.matrix.stream));
    for case in cases {
        let row = (case.matrix.api, case.matrix.provider.to_string());
        rows.entry(row).or_default().entry(case.verdict).or_default().push(kind(case));
    }
    if rows.len() < 2 {
        return Ok(());
    }
    let has = |verdicts: &BTreeMap<Verdict, Vec<String>>, verdict| verdicts.contains_key(&verdict);
    let fails = |verdicts: &BTreeMap<Verdict, Vec<String>>| {
        let quiet = |verdict: &Verdict| matches!(verdict, Verdict::Pass | Verdict::Known | Verdict::Skipped);
        !verdicts.keys().all(quiet)
    };
    let failing = rows.values().filter(|verdicts| fails(verdicts)).count();
    let others: Vec<_> = rows.values().filter(|verdicts| !fails(verdicts)).collect();
    let known = others.iter().filter(|verdicts| has(verdicts, Verdict::Known)).count();
    let skipped = others
        .iter()
        .filter(|verdicts| !has(verdicts, Verdict::Known) && has(verdicts, Verdict::Skipped))
        .count();
    let passing = others.len() - known - skipped;
    painter.gap()?;
    let more = if verbose || passing == rows.len() { "" } else { " (-v lists all)" };
    let mut line = format!("{passing} of {} provider APIs pass the basic cases", rows.len());
    for (count, words) in [(failing, "failing"), (known, "with only known findings"), (skipped, "skipped")] {
        if count > 0 {
            line.push_str(&format!(", {count} {words}"));
        }
    }
    line.push_str(more);
    painter.field(0, "SMOKE ", &line)?;
    let shown = rows.into_iter().filter(|(_, verdicts)| verbose || fails(verdicts));
    let shown: Vec<_> = shown.map(|((api, provider), verdicts)| (name(api, &provider), verdicts)).collect();
    let width = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, verdicts) in shown {
        let parts: Vec<String> =
            verdicts.iter().map(|(verdict, kinds)| format!("{verdict}: {}", kinds.join(", "))).collect();
        painter.field(2, &format!("{:width$}  ", safe(&name)), &safe(&parts.join("; ")))?;
    }
    Ok(())
}

/// `success`, `success (stream)`.
fn kind(case: &CaseReport) -> String {
    // Each API has its own file: `messages/success` is the same kind of case as `success`.
    let kind = case.scenario.rsplit('/').next().unwrap_or_default();
    if case.matrix.stream { format!("{kind} (stream)") } else { kind.to_owned() }
}

fn name(api: Api, provider: &str) -> String {
    if api == Api::OpenaiChat { provider.to_owned() } else { format!("{provider} ({api})") }
}
