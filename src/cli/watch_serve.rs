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
    let files = args.arm.iter().map(|from| &from.file);
    let named = args.paths.iter().chain(files).map(|path| context.place(path));
    ProjectWatch::start(context, &settings, named.filter(|path| path.exists()))
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
    loop {
        watch.changed().await;
        // Folders that did not exist before are watched from now on.
        if let Ok(next) = start(context, args) {
            watch = next;
        }
        match reload(context, args, server, &mut files, &mut outdated).await {
            Ok(line) => print::note(&line),
            Err(failure) => {
                print::note(&format!(
                    "{}\nnote: the files have changed and do not load: what was loaded before keeps serving",
                    failure.render(context.color_err)
                ));
            }
        }
    }
}

async fn reload(
    context: &CliContext,
    args: &ServeArgs,
    server: &Server,
    files: &mut ArmedFiles,
    outdated: &mut bool,
) -> Result<String, Failure> {
    // Everything is read before anything changes. Words have their new meaning while the other files are read.
    let before = loaded_provider_files();
    let is_new = own_files::load(context)?;
    let read = serve_library::library(context, args)
        .and_then(|library| Ok((files.read(context, &library)?, library)))
        .and_then(|read| {
            if is_new {
                server.mocks().replace_catalogue().map_err(Failure::io("cannot arm the catalogue"))?;
            }
            Ok(read)
        });
    let (wanted, library) = read.inspect_err(|_| own_files::restore(before))?;
    *outdated |= is_new;
    let scenarios = plural(library.scenarios.len(), "scenario");
    let followed = server.mocks().replace_library(library, *outdated);
    let changed = files.arm_again(server, wanted, *outdated).await?;
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
