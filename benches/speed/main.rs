//! Measures the CPU time of the mocks, the accuracy of their delays, their memory, and the cost of a run.
//!
//! Every figure is compared with a bare hyper server in the same run. The servers take turns in many short rounds, so that
//! other load on the machine affects all of them. Each server is a separate process (this program, started again), so that
//! its CPU time can be measured separately. This process generates the load.
//!
//! `cargo bench -- requests` measures one figure, `--markdown` prints the tables of docs/performance.md, `--long` runs five
//! times as many rounds.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its result")]

mod child;
mod connection;
mod cores;
mod delay;
mod figure;
mod held;
mod kind;
mod machine;
mod requests;
mod serve;
mod spread;
mod suite;
mod table;

use std::process::ExitCode;

use figure::{Failure, Figure, Length};
use table::Table;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.split_first() {
        Some((first, rest)) if first == serve::COMMAND => serve::serve(rest),
        _ => bench(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn bench(args: &[String]) -> Result<(), Failure> {
    let (options, names): (Vec<_>, Vec<_>) = args.iter().partition(|arg| arg.starts_with("--"));
    // Cargo adds `--bench`.
    if let Some(unknown) =
        options.iter().find(|option| !matches!(option.as_str(), "--bench" | "--markdown" | "--long"))
    {
        return Err(format!("unknown option {unknown}; the options are --markdown and --long").into());
    }
    let given = |option: &str| options.iter().any(|given| *given == option);
    let length = if given("--long") { Length::Long } else { Length::Quick };
    let chosen: Vec<Figure> = Figure::ALL
        .into_iter()
        .filter(|figure| names.is_empty() || names.iter().any(|name| figure.name().contains(name.as_str())))
        .collect();
    if chosen.is_empty() {
        let known = Figure::ALL.map(Figure::name).join(", ");
        return Err(format!("no figure matches; the figures are {known}").into());
    }
    let show = |table: &Table| {
        if given("--markdown") { println!("{}", table.markdown()) } else { println!("{}", table.text()) }
    };
    println!("{}\n", machine::describe());
    for figure in chosen {
        eprintln!("{} …", figure.name());
        for table in figure.measure(length)? {
            show(&table);
        }
    }
    Ok(())
}
