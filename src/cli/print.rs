//! Output. A reader that closes the pipe early (`| head`) is not an error.

use std::io::{self, Write};

use super::failure::Failure;
use crate::report::{fit, safe};

/// Writes text to standard output.
pub(super) fn out(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Io { what: "cannot write to standard output".to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Writes text to standard output, with lines of at most `width` columns (0 means no limit). Titles and reasons of scenarios,
/// which the text can contain, cannot control the terminal.
pub(super) fn fitted(text: &str, width: usize) -> Result<(), Failure> {
    let lines: Vec<_> = text.split('\n').map(safe).collect();
    out(&fit(&lines.join("\n"), width))
}

/// Writes a line to standard error and ignores failures: there is no other place to report them.
pub(super) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
