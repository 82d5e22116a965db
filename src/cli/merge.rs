//! `upfault merge`

use std::{collections::HashSet, io::Write, sync::Arc};

use super::{
    args::MergeArgs, context::CliContext, failure::Failure, print, report_to::ReportTo, settings::Settings,
};
use crate::{
    event::Event,
    report::{
        EXIT_PROXY, Fanout, FileReporter, Report, ReportTarget, Reporter, ShardHeads, SourceRoot,
        TerminalReporter, TerminalSettings, Tolerance, exit_code,
    },
};

/// Joins the reports of shards, and reports the run as if it had not been split: with the same text and exit code.
pub(super) fn merge(context: &CliContext, args: &MergeArgs) -> Result<u8, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let heads = ShardHeads::read(&context.cwd, &args.reports).map_err(|error| usage(&error))?;
    let begin = heads.begin();
    let Some(Event::RunStarted(started)) = begin.first() else {
        return Err(Failure::Usage("no report to merge\nhelp: name the reports of all shards".to_owned()));
    };
    let tolerance = Tolerance { strict: started.strict, inconclusive: started.allow_inconclusive };
    let settings = TerminalSettings {
        strict: started.strict,
        ..args.output.settings(context, &Settings::read(context)?)
    };
    let on_stdout = args.report.iter().any(|report| report.target == ReportTarget::Stdout);
    let out: Box<dyn Write + Send> =
        if on_stdout { Box::new(std::io::stderr()) } else { Box::new(std::io::stdout()) };
    let mut reporters: Vec<Box<dyn Reporter + Send>> = vec![Box::new(TerminalReporter::new(out, settings))];
    for ReportTo { format, target } in &args.report {
        reporters.push(Box::new(FileReporter::new(*format, target.clone())));
    }
    let mut fanout = Fanout::new(&std::env::temp_dir(), heads.rerun(), reporters)
        .map_err(Failure::io("cannot keep the cases of the reports"))?
        .in_repository(SourceRoot::of(&context.root));
    let mut send = |event: &Event| match fanout.event(event) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Failure::io("cannot write the report")),
    };
    for event in &begin {
        send(event)?;
    }
    let mut ids = HashSet::new();
    for file in heads.files() {
        let report = Report::read(&context.place(file)).map_err(|error| usage(&error))?;
        for case in report.cases {
            if !ids.insert(case.id.clone()) {
                return Err(Failure::Usage(format!(
                    "{} contains the case {}, which another shard contains too\nhelp: the reports were changed; run the \
                     shards again",
                    file.display(),
                    case.id
                )));
            }
            send(&Event::CaseFinished(Arc::new(case)))?;
        }
    }
    let end = heads.end();
    send(&end)?;
    let summary = fanout.summary();
    if summary.gave_up && !summary.interrupted {
        print::note(&format!(
            "error: the proxy of shard {} stopped before every case had a verdict, and was not restarted\n\
             help: the log of that shard's job says why",
            heads.gave_up().join(", ")
        ));
        return Ok(EXIT_PROXY);
    }
    Ok(exit_code(summary, tolerance, summary.interrupted))
}
