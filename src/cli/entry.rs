//! The entry point: from the command line to an exit code.

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};

use super::{
    adopt,
    args::{Args, CliCommand},
    check, compare, completion,
    context::CliContext,
    doctor, explain,
    failure::Failure,
    fmt, gateway, help, init, list, man, matrix, merge, new, own_files, print, proxy, record, repro,
    rerun_failed::{select_failed, with_stored_options},
    review, run, schema, selftest, serve, show, watch_run,
};
use crate::report::{EXIT_OK, EXIT_USAGE};

/// Runs the command line and returns the exit code.
///
/// # Examples
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     upfault::main()
/// }
/// ```
pub fn main() -> ExitCode {
    ExitCode::from(code())
}

fn code() -> u8 {
    match completion::answered() {
        Ok(false) => {}
        Ok(true) => return EXIT_OK,
        Err(error) => {
            let _ = error.print();
            return EXIT_USAGE;
        }
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => EXIT_OK,
                _ => EXIT_USAGE,
            };
        }
    };
    let read = with_stored_options(args).and_then(|args| Ok((CliContext::read(&args)?, args)));
    let read = read.and_then(|(context, mut args)| {
        // These work in a project whose files are broken. The configuration of the embedded proxy has no words of a project.
        let needs_words = !matches!(
            args.command,
            CliCommand::Help(_)
                | CliCommand::Man { .. }
                | CliCommand::Completions { .. }
                | CliCommand::Init(_)
                | CliCommand::Doctor
                | CliCommand::Gateway(_)
        );
        if needs_words {
            own_files::load(&context)?;
        }
        select_failed(&mut args)?;
        Ok((context, args))
    });
    let (context, args) = match read {
        Ok(read) => read,
        Err(failure) => {
            print::note(&failure.render(false));
            return failure.code();
        }
    };
    match dispatch(&context, args.command) {
        Ok(code) => code,
        Err(failure) => {
            print::note(&failure.render(context.color_err));
            failure.code()
        }
    }
}

fn dispatch(context: &CliContext, command: CliCommand) -> Result<u8, Failure> {
    match command {
        CliCommand::Run(args) if args.watch => watch_run::watch(context, &args),
        CliCommand::Run(args) => run::run(context, args),
        CliCommand::Adopt(args) => adopt::adopt(context, &args),
        CliCommand::Serve(args) => serve::serve(context, &args),
        CliCommand::Record(args) => record::record(context, &args),
        CliCommand::Selftest(args) => selftest::selftest(context, &args),
        CliCommand::Check(args) => check::check(context, &args),
        CliCommand::Fmt(args) => fmt::fmt(context, &args),
        CliCommand::List(args) => list::list(context, &args),
        CliCommand::Merge(args) => merge::merge(context, &args),
        CliCommand::Explain(args) => explain::explain(context, &args),
        CliCommand::Compare(args) => compare::compare(context, &args),
        CliCommand::Matrix(args) => matrix::matrix(context, &args),
        CliCommand::Show(args) => show::show(context, &args),
        CliCommand::Repro(args) => repro::repro(context, &args),
        CliCommand::Review(args) => review::review(context, &args),
        CliCommand::New(args) => new::new(context, &args),
        CliCommand::Init(args) => init::init(context, &args),
        CliCommand::Proxy { command } => proxy::proxy(context, command),
        CliCommand::Gateway(args) => gateway::gateway(context, &args),
        CliCommand::Doctor => doctor::doctor(context),
        CliCommand::Completions { shell } => completion::completions(&shell),
        CliCommand::Man { to } => man::man(context, to.as_deref()),
        CliCommand::Help(args) => help::help(context, &args),
        CliCommand::Schema { of } => schema::schema(of),
    }
}
