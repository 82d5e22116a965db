//! `upfault fmt`

use std::{io, path::Path};

use super::{context::CliContext, failure::Failure, fmt_args::FmtArgs, print, select, settings::Settings};
use crate::{
    report::{EXIT_FINDINGS, EXIT_OK, plural},
    scenario::canonical,
    snapshot::replace_atomically,
};

/// Formats scenario files: those in `paths`, or all of the project. Nothing is written if one of them does not load.
pub(super) fn fmt(context: &CliContext, args: &FmtArgs) -> Result<u8, Failure> {
    if args.paths.paths == [Path::new("-")] {
        return standard_input(args.check);
    }
    let settings = Settings::read(context)?;
    let library = select::library(context, &settings, &args.paths)?;
    let (mut changed, mut total) = (Vec::new(), 0);
    for scenario in &library.scenarios {
        let path = context.root.join(&scenario.file);
        let source = library.text(&scenario.id);
        // A bundled scenario is not a file, and only what was read may be replaced.
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&*source) {
            continue;
        }
        total += 1;
        let text = formatted(&scenario.id, &scenario.file, &source)?;
        if text != *source {
            changed.push((path, &scenario.file, source, text));
        }
    }
    if total == 0 {
        return Err(Failure::Usage(
            "there are no scenario files here to format\nhelp: name files or folders, or run it in a folder with `scenarios/`"
                .to_owned(),
        ));
    }
    let mut out = String::new();
    for (path, file, source, text) in &changed {
        if !args.check {
            if std::fs::read_to_string(path).ok().as_deref() != Some(&**source) {
                return Err(Failure::Usage(format!(
                    "{file} has changed since it was read\nhelp: run `upfault fmt` again"
                )));
            }
            replace_atomically(path, text).map_err(Failure::io(format!("cannot write {file}")))?;
        }
        out.push_str(&format!("{file}\n"));
    }
    let files = plural(total, "file");
    out.push_str(&match (changed.len(), args.check) {
        (0, _) => format!("nothing to change in {files}\n"),
        (count, false) => format!("{count} of {files} formatted\n"),
        (count, true) => format!("{count} of {files} would change; `upfault fmt` formats them\n"),
    });
    print::fitted(&out, context.width)?;
    Ok(if args.check && !changed.is_empty() { EXIT_FINDINGS } else { EXIT_OK })
}

/// Formats standard input to standard output, as editors call it.
fn standard_input(check: bool) -> Result<u8, Failure> {
    let source = io::read_to_string(io::stdin().lock()).map_err(Failure::io("cannot read standard input"))?;
    let text = formatted("standard-input", "standard input", &source)?;
    if check {
        return Ok(if text == source { EXIT_OK } else { EXIT_FINDINGS });
    }
    print::out(&text)?;
    Ok(EXIT_OK)
}

fn formatted(id: &str, file: &str, source: &str) -> Result<String, Failure> {
    canonical(id, file, source).map_err(|errors| Failure::Load(errors.into()))
}
