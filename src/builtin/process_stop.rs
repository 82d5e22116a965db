//! Defects that end or block the whole process. They run only in a separate process (`own_process`).

use std::io::Write;

use super::{
    Defect,
    failure::{CallFailure, Cause},
    upstream_request::CallerRequest,
};

/// The exit code of a process that a defect ends: `EX_SOFTWARE` of `sysexits.h`.
const EXIT_CODE: i32 = 70;

/// Ends or blocks this process if the defect does so after this failure.
pub(super) fn stop_if_defect(defect: Option<Defect>, failure: &CallFailure, call: &CallerRequest) {
    let (Some(defect), Cause::Status(status)) = (defect, failure.cause) else { return };
    if call.stream {
        return;
    }
    match (defect, status) {
        (Defect::ExitsOnConflict, 409) | (Defect::ExitsOnThree, 408 | 415 | 520) => {
            let _ = writeln!(std::io::stderr(), "fatal: no way to report an upstream {status}");
            #[expect(clippy::disallowed_methods, reason = "the defect is to exit without any cleanup")]
            std::process::exit(EXIT_CODE);
        }
        (Defect::FreezesOnConflict, 409) => loop {
            std::thread::park();
        },
        _ => {}
    }
}
