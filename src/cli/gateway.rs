//! `upfault gateway`: the embedded proxy as a separate process. Runs start it.

use super::{args::GatewayArgs, context::CliContext, failure::Failure};
use crate::{builtin::OwnProcess, report::EXIT_OK};

/// Serves until the process is killed. It uses a single thread, so that a defect that blocks it blocks everything.
pub(super) fn gateway(context: &CliContext, args: &GatewayArgs) -> Result<u8, Failure> {
    let failed = |what: &str| Failure::io(format!("{what} {}", args.config.display()));
    let text = std::fs::read_to_string(context.place(&args.config)).map_err(failed("cannot read"))?;
    let process: OwnProcess = serde_json::from_str(&text)
        .map_err(std::io::Error::other)
        .map_err(failed("not the configuration of an embedded proxy:"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start the runtime"))?;
    runtime.block_on(process.serve(args.port)).map_err(failed("cannot serve"))?;
    Ok(EXIT_OK)
}
