//! From the command line to an exit code.

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};

use super::{
    args::{Args, Command},
    check,
    context::Context,
    explain,
    failure::Failure,
    gateway, list, print, proxy, review, run, schema, selftest, serve,
};
use crate::report::{EXIT_OK, EXIT_USAGE};

/// Parses, runs, and says how it ended.
pub fn main() -> ExitCode {
    ExitCode::from(code())
}

fn code() -> u8 {
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
    let context = match Context::read(&args) {
        Ok(context) => context,
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

fn dispatch(context: &Context, command: Command) -> Result<u8, Failure> {
    match command {
        Command::Run(args) => run::run(context, args),
        Command::Serve(args) => serve::serve(context, &args),
        Command::Selftest(args) => selftest::selftest(context, &args),
        Command::Check(paths) => check::check(context, &paths),
        Command::List(select) => list::list(context, &select),
        Command::Explain(args) => explain::explain(context, &args),
        Command::Review(args) => review::review(context, &args),
        Command::Proxy { command } => proxy::proxy(context, command),
        Command::Gateway(args) => gateway::gateway(context, &args),
        Command::Schema { of } => schema::schema(of),
    }
}
