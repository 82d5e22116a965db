//! Defects that end or block the whole process. They run only in a separate process.

use std::io::Write;

use crate::{
    builtin::{
        extension::Extension,
        failure::{CallFailure, Cause},
        upstream_request::CallerRequest,
    },
    proxy::ProxyRoute,
};

/// The exit code of a process that a defect ends: `EX_SOFTWARE` of `sysexits.h`.
const EXIT_CODE: i32 = 70;

/// Stops the process after one of these statuses of an upstream to a plain call.
#[derive(Debug)]
pub(super) struct ProcessStopped {
    pub on: &'static [u16],
    pub stop: fn(u16),
}

impl Extension for ProcessStopped {
    fn attempt_failed(&self, _: &ProxyRoute, failure: &CallFailure, call: &CallerRequest) {
        if let Cause::Status(status) = failure.cause
            && !call.stream
            && self.on.contains(&status)
        {
            (self.stop)(status);
        }
    }
}

pub(super) fn exit(status: u16) {
    let _ = writeln!(std::io::stderr(), "fatal: no way to report an upstream {status}");
    #[expect(clippy::disallowed_methods, reason = "the defect is to exit without any cleanup")]
    std::process::exit(EXIT_CODE);
}

pub(super) fn freeze(_: u16) {
    loop {
        std::thread::park();
    }
}
