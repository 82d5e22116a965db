//! `upfault show`

use super::{args::ShowArgs, context::CliContext, failure::Failure, filter::Filter, print};
use crate::{
    event::CaseReport,
    judge::Verdict,
    report::{EXIT_OK, FailureOutput, Report, TerminalSettings, Verbosity, plural, write_cases},
    scenario::{id_pattern, nearest},
    shell,
};

/// Shows cases of a stored report in full: as a run shows those that failed.
pub(super) fn show(context: &CliContext, args: &ShowArgs) -> Result<u8, Failure> {
    let report =
        Report::read(&context.place(&args.report)).map_err(|error| Failure::Usage(error.to_string()))?;
    let chosen = chosen(&report, args)?;
    let settings = TerminalSettings {
        color: context.color_out,
        width: context.width,
        verbosity: Verbosity::Verbose,
        failures: FailureOutput::All,
        strict: report.strict,
    };
    let mut text = Vec::new();
    write_cases(&mut text, settings, &chosen, report.rerun.as_ref())
        .map_err(Failure::io("cannot print the cases"))?;
    print::out(&String::from_utf8_lossy(&text))?;
    Ok(EXIT_OK)
}

/// The cases that the arguments select; at least one.
fn chosen<'a>(report: &'a Report, args: &ShowArgs) -> Result<Vec<&'a CaseReport>, Failure> {
    let file = args.report.display().to_string();
    let cases = named(report, args, &file)?;
    let Some(text) = &args.filter else {
        if !args.cases.is_empty() {
            return Ok(cases);
        }
        let failed = |case: &CaseReport| case.verdict.is_failure() || case.verdict == Verdict::Inconclusive;
        let cases: Vec<_> = cases.into_iter().filter(|case| failed(case)).collect();
        return match cases.is_empty() {
            false => Ok(cases),
            true => Err(Failure::Usage(format!(
                "none of the {} in {file} failed\nhelp: name a case, or a pattern: `{}`",
                plural(report.cases.len(), "case"),
                shell::command(&["upfault", "show", &file, "limits/*"])
            ))),
        };
    };
    let filter = Filter::parse_stored(text).map_err(|error| Failure::Usage(error.to_string()))?;
    let cases: Vec<_> = cases.into_iter().filter(|case| filter.matches_stored(case)).collect();
    match cases.is_empty() {
        false => Ok(cases),
        true => Err(Failure::Usage(format!(
            "no case in {file} matches `{text}` (of {})\nhelp: `{}` shows every case that broke a rule",
            report.cases.len(),
            shell::command(&["upfault", "show", &file, "--filter", "rule:*"])
        ))),
    }
}

/// The cases that are named by ids or patterns; all cases if none is.
fn named<'a>(report: &'a Report, args: &ShowArgs, file: &str) -> Result<Vec<&'a CaseReport>, Failure> {
    if args.cases.is_empty() {
        return Ok(report.cases.iter().collect());
    }
    let mut cases = Vec::new();
    for wanted in &args.cases {
        let pattern = id_pattern(wanted).map_err(|error| {
            Failure::Usage(format!("`{wanted}` is not a valid pattern: {}", error.kind()))
        })?;
        let before = cases.len();
        // The id of a scenario selects all of its cases, unless one of them has this id.
        let exact = report.cases.iter().any(|case| case.id == *wanted);
        cases.extend(report.cases.iter().filter(|case| match exact {
            true => case.id == *wanted,
            false => pattern.is_match(&case.id) || pattern.is_match(&case.scenario),
        }));
        if cases.len() == before {
            let help = match nearest(wanted, report.cases.iter().map(|case| case.id.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("`{}` shows the ids", shell::command(&["upfault", "list"])),
            };
            return Err(Failure::Usage(format!("{file} contains no case `{wanted}`\nhelp: {help}")));
        }
    }
    Ok(cases)
}
