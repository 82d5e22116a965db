//! Runs a short command and reads what it prints.

use std::{
    ffi::OsString,
    fs::File,
    io::{Read, Seek},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The most that is read of what a command prints. The releases of a proxy are a few kilobytes.
const LIMIT: u64 = 4 << 20;

/// What a command has printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Printed {
    /// On standard output.
    pub(super) out: String,
    /// On standard error.
    pub(super) err: String,
}

/// Runs a command and returns what it prints.
///
/// # Errors
///
/// How it failed (`exited with code 1`, `took longer than 1m`), and in further lines the end of what it printed on standard
/// error.
pub(super) fn output(
    command: &[String],
    environment: Option<Vec<(OsString, OsString)>>,
    patience: Duration,
) -> Result<Printed, String> {
    let (program, arguments) = command.split_first().ok_or("is empty")?;
    let cannot = |error: std::io::Error| format!("cannot run: {error}");
    let (out, err) = (tempfile::tempfile().map_err(cannot)?, tempfile::tempfile().map_err(cannot)?);
    let mut run = Command::new(program);
    run.args(arguments).stdin(Stdio::null());
    run.stdout(out.try_clone().map_err(cannot)?).stderr(err.try_clone().map_err(cannot)?);
    if let Some(environment) = environment {
        run.env_clear().envs(environment);
    }
    let mut child = run.spawn().map_err(cannot)?;
    let deadline = Instant::now() + patience;
    let status = loop {
        match child.try_wait().map_err(cannot)? {
            Some(status) => break status,
            None if Instant::now() >= deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("took longer than {}", humantime::format_duration(patience)));
            }
            #[expect(clippy::disallowed_methods, reason = "a short wait in a function that is not async")]
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    if !status.success() {
        let printed = text(err);
        let end = printed.trim().lines().rev().take(12).collect::<Vec<_>>();
        let end: Vec<String> = end.into_iter().rev().map(|line| format!("  {line}")).collect();
        return Err(format!("{}\n{}", super::process::how(status), end.join("\n")));
    }
    Ok(Printed { out: text(out), err: text(err) })
}

fn text(mut file: File) -> String {
    let mut bytes = Vec::new();
    // What cannot be read is missing.
    let _ = file.rewind().and_then(|()| file.take(LIMIT).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(script: &str, patience: Duration) -> Result<Printed, String> {
        output(&["sh", "-c", script].map(str::to_owned), None, patience)
    }

    #[test]
    fn a_failed_command_is_described_with_the_end_of_its_messages() {
        let patience = Duration::from_secs(60);
        let printed = Printed { out: "out\n".to_owned(), err: "err\n".to_owned() };
        assert_eq!(said("echo out; echo err >&2", patience).unwrap(), printed);
        assert_eq!(said("echo why >&2; exit 3", patience).unwrap_err(), "exited with code 3\n  why");
        assert_eq!(said("exec sleep 100", Duration::ZERO).unwrap_err(), "took longer than 0s");
        assert!(output(&["/no/such/program".to_owned()], None, patience).unwrap_err().contains("cannot run"));
    }
}
