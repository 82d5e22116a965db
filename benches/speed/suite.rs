//! What a whole run costs for each of its cases.

use std::{
    fs,
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::Value;

use crate::{figure::Failure, table::Table};

/// The bundled scenarios against the embedded proxy: everything that upfault does, from reading
/// the files to the report, and both sides of the proxy. The proxy itself is in the same process
/// and counts too.
pub fn measure() -> Result<Vec<Table>, Failure> {
    let scratch = tempfile::tempdir()?;
    let report = scratch.path().join("report.json");
    let before = cpu_of_children()?;
    let began = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_upfault"))
        .args(["run", "--proxy", "builtin", "--report"])
        .arg(format!("json={}", report.display()))
        // Nothing is written there with it.
        .env("CI", "true")
        .current_dir(&scratch)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    let took = began.elapsed();
    let used = cpu_of_children()? - before;
    if !status.success() {
        return Err(format!("the run ended with {status}").into());
    }
    let report: Value = serde_json::from_slice(&fs::read(report)?)?;
    let ran = |case: &&Value| case["verdict"] != "skipped";
    let cases = report["cases"].as_array().ok_or("a report without cases")?.iter().filter(ran).count();
    let mut table = Table::new(
        "the bundled scenarios against the embedded proxy, with a report",
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

/// Seconds that children were running which have ended since (proc(5): `cutime` and `cstime`).
fn cpu_of_children() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in brackets, may hold spaces.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let fields = fields.split_ascii_whitespace().skip(13).take(2);
    let ticks: u64 = fields.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}
