//! What stops the whole process: done by some defects alone, and in a process of the proxy's own.

use std::io::Write;

use super::{
    Defect,
    failure::{CallFailure, Cause},
    upstream_request::Ask,
};

/// The exit code of a process that a defect ends: EX_SOFTWARE of sysexits.h.
const EXIT_CODE: i32 = 70;

/// Stops this process where the defect does so at this failure.
pub(super) fn strike(defect: Option<Defect>, failure: &CallFailure, ask: &Ask) {
    let (Some(defect), Cause::Status(status)) = (defect, failure.cause) else { return };
    if ask.stream {
        return;
    }
    match (defect, status) {
        (Defect::ExitsOnConflict, 409) | (Defect::ExitsOnThree, 408 | 415 | 520) => {
            let _ = writeln!(std::io::stderr(), "fatal: no way to report an upstream {status}");
            #[expect(clippy::disallowed_methods, reason = "it is the defect to leave everything behind")]
            std::process::exit(EXIT_CODE);
        }
        (Defect::FreezesOnConflict, 409) => loop {
            std::thread::park();
        },
        _ => {}
    }
}
