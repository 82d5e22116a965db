//! `upfault gateway`: the embedded proxy in a process of its own, as a run starts it.

use super::{args::GatewayArgs, context::Context, failure::Failure};
use crate::{builtin::OwnProcess, report::EXIT_OK};

/// Serves until the process is ended. On one thread, so that a defect which blocks it blocks everything.
pub fn gateway(context: &Context, args: &GatewayArgs) -> Result<u8, Failure> {
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
