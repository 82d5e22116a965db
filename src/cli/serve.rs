//! `upfault serve`

use std::io;

use super::{
    args::{PathArgs, ServeArgs},
    context::Context,
    failure::Failure,
    interrupt::{self, Asked},
    print, select,
    settings::Settings,
};
use crate::{
    report::{EXIT_INTERRUPTED, EXIT_OK},
    serve::Server,
};

/// Serves the mocks until it is asked to stop.
pub fn serve(context: &Context, args: &ServeArgs) -> Result<u8, Failure> {
    // What is named comes on top of what `list` shows: a path must not take the bundled ones away.
    let named = PathArgs { paths: args.paths.clone() };
    let settings = Settings::read(context)?;
    let named = (!args.paths.is_empty()).then(|| select::library(context, &settings, &named)).transpose()?;
    let library = select::library(context, &settings, &PathArgs::default())?.with(named.unwrap_or_default());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start threads"))?;
    runtime.block_on(async {
        let asked = interrupt::asked().map_err(Failure::io("cannot listen for signals"))?;
        let server = Server::start(args.listen, library, args.allow_host.clone())
            .await
            .map_err(|error| unbound(args.listen, error))?;
        if !args.listen.ip().is_loopback() {
            print::note(
                "warning: this is not a loopback address: anyone who can reach it can arm mocks\n\
                 help: `--listen 127.0.0.1:PORT` restricts it to this machine; `--allow-host NAME` is for clients \
                 that reach it by a name",
            );
        }
        print::out(&started(&server))?;
        let asked = asked.await;
        server.shutdown().await;
        Ok(match asked {
            Asked::Interrupt => EXIT_INTERRUPTED,
            Asked::Terminate => EXIT_OK,
        })
    })
}

/// The address stands first, on a line of its own, for programs that start this one.
fn started(server: &Server) -> String {
    let address = server.address();
    format!(
        "listening on http://{address}\n\
         \n\
         base URLs that always answer in one way (http://{address}/ lists them all):\n\
         \x20 http://{address}/openai/ok/v1\n\
         \x20 http://{address}/anthropic/overloaded\n\
         \x20 http://{address}/gemini/rate_limit\n\
         anything else is armed:\n\
         \x20 curl http://{address}/_upfault/arm -d '{{\"provider\": \"openai\", \"upstream\": [{{\"error\": \"rate_limit\"}}, {{\"reply\": \"ok\"}}]}}'\n"
    )
}

fn unbound(listen: std::net::SocketAddr, error: io::Error) -> Failure {
    let next = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "somebody listens there already; choose another port, or leave `--listen` out for a free one"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are kept for administrators; choose a higher one"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; 127.0.0.1 is always there",
        _ => return Failure::io(format!("cannot listen at {listen}"))(error),
    };
    Failure::Usage(format!("cannot listen at {listen}: {error}\nhelp: {next}"))
}
