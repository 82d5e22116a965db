//! Measures the CPU time of a complete run, per case.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::Value;

use crate::{figure::Failure, table::Table};

/// Runs the bundled scenarios against the embedded proxy. The figure includes everything from reading the files to the
/// summary, and the proxy itself, which runs in the same process.
pub fn measure() -> Result<Vec<Table>, Failure> {
    let scratch = tempfile::tempdir()?;
    // The number of cases comes from the report of a separate run, because the measured run writes none.
    let report = scratch.path().join("report.json");
    run(scratch.path(), &["--report", &format!("json={}", report.display())])?;
    let report: Value = serde_json::from_slice(&fs::read(report)?)?;
    let ran = |case: &&Value| case["verdict"] != "skipped";
    let cases = report["cases"].as_array().ok_or("the report contains no cases")?.iter().filter(ran).count();

    let before = cpu_of_children()?;
    let began = Instant::now();
    run(scratch.path(), &[])?;
    let took = began.elapsed();
    let used = cpu_of_children()? - before;
    let mut table = Table::new(
        "the bundled scenarios against the embedded proxy",
        &["cases", "CPU per case", "CPU", "time"],
    );
    table.row([
        cases.to_string(),
        format!("{:.2} ms", used / cases as f64 * 1e3),
        format!("{used:.2} s"),
        format!("{:.1} s", took.as_secs_f64()),
    ]);
    Ok(vec![table])
}

fn run(folder: &Path, options: &[&str]) -> Result<(), Failure> {
    let status = Command::new(env!("CARGO_BIN_EXE_upfault"))
        .args(["run", "--proxy", "builtin"])
        .args(options)
        // With `CI`, a run writes no snapshots.
        .env("CI", "true")
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("the run ended with {status}").into()) }
}

/// CPU time of the child processes that have ended, in seconds (`cutime` and `cstime` of proc(5)).
fn cpu_of_children() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in parentheses, may contain spaces.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let fields = fields.split_ascii_whitespace().skip(13).take(2);
    let ticks: u64 = fields.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}
