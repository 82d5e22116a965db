//! `upfault serve --watch`: loads the files again when one changes.

use std::convert::Infallible;

use super::{
    args::ServeArgs, armed_files::ArmedFiles, context::CliContext, failure::Failure, own_files, print,
    serve_library, settings::Settings, watch::ProjectWatch,
};
use crate::{provider::loaded_provider_files, report::plural, serve::Server};

/// Watches what `serve` reads.
///
/// # Errors
///
/// If the system cannot watch files.
pub(super) fn start(context: &CliContext, args: &ServeArgs) -> Result<ProjectWatch, Failure> {
    let settings = Settings::read(context)?;
    let scenarios = args.paths.iter().map(|path| context.place(path));
    let files = args.arm.iter().map(|from| context.place(&from.file));
    ProjectWatch::start(context, &settings, scenarios, files)
}

/// Loads the files after each change. What does not load is reported, and the last good state keeps serving.
pub(super) async fn keep(
    context: &CliContext,
    args: &ServeArgs,
    server: &Server,
    mut files: ArmedFiles,
    mut watch: ProjectWatch,
) -> Infallible {
    // Whether mocks still play what words of the project's files meant before.
    let mut outdated = false;
    let mut context = context.clone();
    loop {
        watch.changed().await;
        let reloaded = match context.found_again() {
            Ok(found) => {
                context = found;
                // Folders that did not exist before are watched from now on. What the old watch has reported is read below.
                if let Ok(next) = start(&context, args) {
                    watch = next;
                }
                reload(&context, args, server, &mut files, &mut outdated).await
            }
            Err(failure) => Err(NotReloaded::Unread(failure)),
        };
        match reloaded {
            Ok(line) => print::note(&line),
            Err(NotReloaded::Unread(failure)) => print::note(&format!(
                "{}\nnote: the files have changed and do not load: what was loaded before keeps serving",
                failure.render(context.color_err)
            )),
            Err(NotReloaded::Unarmed(failure)) => print::note(&format!(
                "{}\nnote: the files were loaded, but not every mock of `--arm` could be armed again; the next change of a file is \
                 another attempt",
                failure.render(context.color_err)
            )),
        }
    }
}

/// Why files were not loaded again.
enum NotReloaded {
    /// They do not load. Nothing has changed.
    Unread(Failure),
    /// They were loaded, and a mock could not be armed.
    Unarmed(Failure),
}

async fn reload(
    context: &CliContext,
    args: &ServeArgs,
    server: &Server,
    files: &mut ArmedFiles,
    outdated: &mut bool,
) -> Result<String, NotReloaded> {
    // Everything is read before anything changes. Words have their new meaning while the other files are read.
    let before = loaded_provider_files();
    let is_new = own_files::load(context).map_err(NotReloaded::Unread)?;
    let read = serve_library::library(context, args)
        .and_then(|library| Ok((files.read(context, &library)?, library)))
        .and_then(|read| {
            if is_new {
                server.mocks().replace_catalogue().map_err(Failure::io("cannot arm the catalogue"))?;
            }
            Ok(read)
        });
    let (wanted, library) = read.inspect_err(|_| own_files::restore(before)).map_err(NotReloaded::Unread)?;
    *outdated |= is_new;
    let scenarios = plural(library.scenarios.len(), "scenario");
    let followed = server.mocks().replace_library(library, *outdated);
    let changed = files.arm_again(server, wanted, *outdated).await.map_err(NotReloaded::Unarmed)?;
    *outdated = false;
    let mut line = format!("reloaded: {scenarios}");
    if !changed.is_empty() {
        line.push_str(&format!("; armed again: {}", changed.join(", ")));
    }
    if followed > 0 {
        line.push_str(&format!("; {} of clients changed", plural(followed, "mock")));
    }
    Ok(line)
}
