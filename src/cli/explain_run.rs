//! `upfault explain REPORT`: judges a stored run again.

use std::{fmt::Write, path::Path};

use serde::{Deserialize, de::IgnoredAny};

use super::{
    context::CliContext, explain_args::ExplainArgs, failure::Failure, policy, print, report_to::ReportTo,
    settings::Settings,
};
use crate::{
    judge::Policy,
    report::{
        ALLOWED_INCONCLUSIVE, EXIT_OK, Fanout, FileReporter, Rejudgement, Report, ReportTarget, Reporter,
        Rerun, SourceRoot, TerminalReporter, TerminalSettings, Tolerance, exit_code, judge_again, plural,
    },
};

/// Judges a stored run again, by its own policy or by another one. Verdicts and exit code are those of a run with
/// this policy and the strictness of the stored run.
pub(super) fn explain_run(context: &CliContext, args: &ExplainArgs) -> Result<u8, Failure> {
    let (file, by) = (&args.what, args.policy.as_deref());
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let report = Report::read(&context.place(file)).map_err(|error| usage(&error))?;
    let own = report.judged_by.clone().or_else(|| Policy::named(&report.policy));
    let policy = match (by, &own) {
        (Some(name), _) => policy::chosen(context, name)?,
        (None, Some(own)) => own.clone(),
        (None, None) => {
            return Err(Failure::Usage(format!(
                "{file} was judged by the policy `{}`, which this upfault does not have\nhelp: choose a policy: --policy NAME",
                report.policy
            )));
        }
    };
    let again = judge_again(&report, &policy);
    let settings = TerminalSettings {
        strict: report.strict,
        ..args.output.settings(context, &Settings::read(context)?)
    };
    // Commands that run a case again use this policy.
    let policy_word =
        |rerun: Rerun| Rerun { policy: by.map(str::to_owned).or(rerun.policy.clone()), ..rerun };
    let rerun = report.rerun.clone().map(policy_word);
    let on_stdout = args.report.iter().any(|report| report.target == ReportTarget::Stdout);
    let out: Box<dyn std::io::Write + Send> =
        if on_stdout { Box::new(std::io::stderr()) } else { Box::new(std::io::stdout()) };
    let mut reporters: Vec<Box<dyn Reporter + Send>> = vec![Box::new(TerminalReporter::new(out, settings))];
    for ReportTo { format, target } in &args.report {
        reporters.push(Box::new(FileReporter::new(*format, target.clone())));
    }
    let kept = Failure::io("cannot keep the cases of the report");
    let fanout = Fanout::new(&std::env::temp_dir(), rerun, reporters).map_err(kept)?;
    let mut fanout = fanout.in_repository(SourceRoot::of(&context.root));
    for event in &again.events {
        match fanout.event(event) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(EXIT_OK),
            other => other.map_err(Failure::io("cannot write the report"))?,
        }
    }
    let compared = compared(&report, &policy, own.as_ref(), &again);
    if on_stdout {
        print::note(compared.trim_end())
    } else {
        print::fitted(&compared, context.width)?
    }
    let inconclusive = report.allow_inconclusive.unwrap_or(ALLOWED_INCONCLUSIVE);
    let tolerance = Tolerance { strict: report.strict, inconclusive };
    Ok(exit_code(fanout.summary(), tolerance, report.summary.interrupted))
}

/// How findings and verdicts differ from those of the run.
fn compared(report: &Report, policy: &Policy, own: Option<&Policy>, again: &Rejudgement) -> String {
    let mut text = String::new();
    if again.without_exchanges > 0 {
        let _ = writeln!(
            text,
            "\nnote: {} without exchanges kept the verdict of the run; `--report json-full=PATH` stores the exchanges of \
             every case",
            plural(again.without_exchanges, "passing case")
        );
    }
    let _ = write!(text, "\nJudged again by {}; the run was judged by {}", policy.describe(), report.policy);
    if again.differences.is_empty() {
        text.push_str(": the same findings and verdicts.\n");
        return text;
    }
    text.push_str(":\n");
    for departure in &again.differences {
        let _ = writeln!(text, "  {}", departure.case);
        for (what, names) in [("new", &departure.new), ("gone", &departure.gone)] {
            if !names.is_empty() {
                let _ = writeln!(text, "    {what}: {}", names.join(", "));
            }
        }
        if let Some((then, now)) = departure.verdict {
            let _ = writeln!(text, "    verdict: {then} in the report, {now} now");
        }
    }
    if own == Some(policy) {
        let _ = writeln!(
            text,
            "note: the policy is the same, so the rules have changed since upfault {} wrote the report",
            report.upfault
        );
    }
    text
}

/// Whether `what` is a report: a JSON file that is not a scenario.
pub(super) fn is_report(context: &CliContext, what: &str) -> bool {
    let path = Path::new(what);
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    if !is_json || !context.place(path).is_file() {
        return false;
    }
    let text = std::fs::read_to_string(context.place(path)).unwrap_or_default();
    let members: Option<Members> = serde_json::from_str(&text).ok();
    !members.is_some_and(|members| members.schema.is_none() && members.title.is_some())
}

/// The fields that distinguish a report from a scenario.
#[derive(Deserialize)]
struct Members {
    schema: Option<IgnoredAny>,
    title: Option<IgnoredAny>,
}
