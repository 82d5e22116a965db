//! `upfault selftest`

use std::path::PathBuf;

use super::{args::SelftestArgs, context::CliContext, failure::Failure, print, report_to::ReportTo};
use crate::{
    platform::OperatingSystem,
    report::{EXIT_FINDINGS, EXIT_OK, ReportTarget, write_selftest},
    selftest::{exhibits, prove},
    snapshot::write_atomically,
    upstream::unplayable_turn,
};

/// Verifies the faults and prints the results.
pub(super) fn selftest(context: &CliContext, args: &SelftestArgs) -> Result<u8, Failure> {
    let path = |report: &'_ ReportTo| match (&report.target, report.format.name) {
        (ReportTarget::File(path), "json") => Ok(path.clone()),
        _ => Err(Failure::Usage("the only report of a selftest is `json=PATH`".to_owned())),
    };
    let paths: Vec<PathBuf> = args.report.iter().map(path).collect::<Result<_, _>>()?;
    let mut chosen = exhibits();
    chosen.retain(|exhibit| {
        let reason = unplayable_turn(&exhibit.turn, OperatingSystem::HERE);
        if let Some(reason) = &reason {
            print::note(&format!("skipped: {reason}"));
        }
        reason.is_none()
    });
    if let Some(filter) = &args.filter {
        chosen.retain(|exhibit| exhibit.matches(filter));
        if chosen.is_empty() {
            return Err(Failure::Usage(format!(
                "no fault matches `{filter}`\nhelp: `upfault selftest` lists all faults; a part of a name is enough, `*` \
                 matches any text"
            )));
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start threads"))?;
    let selftest = runtime.block_on(prove(chosen, args.seed));
    runtime.shutdown_background();
    let selftest = selftest?;
    for path in paths {
        let text = serde_json::to_string_pretty(&selftest).map_err(|error| Failure::Io {
            what: "cannot write the report".to_owned(),
            source: error.into(),
        })?;
        let what = format!("cannot write the report {}", path.display());
        write_atomically(&path, &format!("{text}\n")).map_err(Failure::io(what))?;
    }
    let mut table = Vec::new();
    write_selftest(&mut table, &selftest, args.verbose, context.color_out, context.width)
        .map_err(Failure::io("cannot write the table"))?;
    print::out(&String::from_utf8_lossy(&table))?;
    Ok(if selftest.unproven == 0 { EXIT_OK } else { EXIT_FINDINGS })
}
