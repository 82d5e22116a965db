//! `upfault serve`

use std::io;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{
    args::ServeArgs, armed_files::ArmedFiles, context::CliContext, failure::Failure, print, serve_library,
    watch_serve,
};
use crate::{
    platform::{StopSignal, stop_signal},
    report::{EXIT_INTERRUPTED, EXIT_OK},
    serve::{ArmedMock, MockDeployment, Server},
};

/// Serves the mocks until a signal stops it.
pub(super) fn serve(context: &CliContext, args: &ServeArgs) -> Result<u8, Failure> {
    let library = serve_library::library(context, args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start threads"))?;
    runtime.block_on(async {
        let asked = stop_signal().map_err(Failure::io("cannot listen for signals"))?;
        let server = Server::start(args.listen, library, args.allow_host.clone())
            .await
            .map_err(|error| unbound(args.listen, error))?;
        let watch = args.watch.then(|| watch_serve::start(context, args)).transpose()?;
        let mut files = ArmedFiles::default();
        let armed = files.arm(context, args, &server)?;
        if !args.listen.ip().is_loopback() {
            print::note(
                "warning: anyone who can reach this address can arm mocks: it is not a loopback address\n\
                 help: `--listen 127.0.0.1:PORT` restricts it to this machine; `--allow-host NAME` allows \
                 clients that use a host name",
            );
        }
        print::out(&if args.json { urls(&server, &armed) } else { started(&server, &armed) })?;
        let watching = async {
            match watch {
                Some(watch) => watch_serve::keep(context, args, &server, files, watch).await,
                None => std::future::pending().await,
            }
        };
        let asked = tokio::select! {
            asked = asked => asked,
            never = watching => match never {},
        };
        server.shutdown().await;
        Ok(match asked {
            StopSignal::Interrupt => EXIT_INTERRUPTED,
            StopSignal::Terminate => EXIT_OK,
        })
    })
}

/// The URLs as one line of JSON.
fn urls(server: &Server, armed: &[ArmedMock]) -> String {
    let url = format!("http://{}", server.address());
    let armed: serde_json::Map<String, Value> = armed
        .iter()
        .map(|mock| {
            let of = |value: fn(&MockDeployment) -> &String| -> IndexMap<&String, &String> {
                mock.deployments.iter().map(|deployment| (&deployment.name, value(deployment))).collect()
            };
            let urls = of(|deployment| &deployment.base_url);
            let first = urls.values().next().copied();
            (
                mock.id.clone(),
                json!({"base_url": first, "base_urls": urls, "keys": of(|deployment| &deployment.key)}),
            )
        })
        .collect();
    format!("{}\n", json!({"url": url, "control_api": format!("{url}/_upfault"), "armed": armed}))
}

/// The first line contains only the address, for programs that start this one.
fn started(server: &Server, armed: &[ArmedMock]) -> String {
    let address = server.address();
    let mut armed: String = armed
        .iter()
        .flat_map(|mock| &mock.deployments)
        .map(|deployment| format!("  {}  (key {})\n", deployment.base_url, deployment.key))
        .collect();
    if !armed.is_empty() {
        armed.insert_str(0, "\narmed base URLs:\n");
    }
    format!(
        "listening on http://{address}\n\
         {armed}\
         \n\
         base URLs with a fixed response (http://{address}/ lists all):\n\
         \x20 http://{address}/openai/ok/v1\n\
         \x20 http://{address}/anthropic/overloaded\n\
         \x20 http://{address}/gemini/rate_limit\n\
         arm any other response:\n\
         \x20 curl http://{address}/_upfault/arm -d '{{\"provider\": \"openai\", \"upstream\": [{{\"error\": \"rate_limit\"}}, {{\"reply\": \"ok\"}}]}}'\n"
    )
}

pub(super) fn unbound(listen: std::net::SocketAddr, error: io::Error) -> Failure {
    let next = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program uses this port; choose another one, or omit `--listen` to use a free one"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are reserved for administrators; choose a higher one"
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have this address; use 127.0.0.1",
        _ => return Failure::io(format!("cannot listen on {listen}"))(error),
    };
    Failure::Usage(format!("cannot listen on {listen}: {error}\nhelp: {next}"))
}
