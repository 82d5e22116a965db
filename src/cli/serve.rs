//! `upfault serve`

use std::io;

use super::{
    args::{ArmFrom, PathArgs, ServeArgs},
    context::CliContext,
    failure::Failure,
    interrupt::{self, StopSignal},
    print, select,
    settings::Settings,
};
use crate::{
    report::{EXIT_INTERRUPTED, EXIT_OK},
    scenario::load_arm_file,
    serve::{ArmedMock, NotArmed, Server},
    upstream::OwnPorts,
};

/// Serves the mocks until a signal stops it.
pub(super) fn serve(context: &CliContext, args: &ServeArgs) -> Result<u8, Failure> {
    // Named scenarios are added to the bundled ones.
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
        let armed = arm(context, args, &server)?;
        if !args.listen.ip().is_loopback() {
            print::note(
                "warning: anyone who can reach this address can arm mocks: it is not a loopback address\n\
                 help: `--listen 127.0.0.1:PORT` restricts it to this machine; `--allow-host NAME` allows \
                 clients that use a host name",
            );
        }
        print::out(&started(&server, &armed))?;
        let asked = asked.await;
        server.shutdown().await;
        Ok(match asked {
            StopSignal::Interrupt => EXIT_INTERRUPTED,
            StopSignal::Terminate => EXIT_OK,
        })
    })
}

/// Arms the mocks that the arguments name.
fn arm(context: &CliContext, args: &ServeArgs, server: &Server) -> Result<Vec<ArmedMock>, Failure> {
    // With a port that the user chose, all other ports follow from it.
    let mut ports = match args.listen.port() {
        0 => OwnPorts::Free,
        port => OwnPorts::After(port),
    };
    let one = |ArmFrom { name, file }: &ArmFrom| {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(context.place(file)).map_err(|error| {
            Failure::Usage(format!(
                "cannot read {shown}: {error}\nhelp: it describes the mock as a request to `POST /_upfault/arm` does, for \
                 example {{\"provider\": \"openai\", \"upstream\": [{{\"error\": \"rate_limit\"}}]}}"
            ))
        })?;
        let mocks = server.mocks();
        let wanted =
            load_arm_file(&shown, &text, &mocks.library).map_err(|errors| Failure::Load(errors.into()))?;
        mocks.arm_named(name, &wanted, &mut ports).map_err(|error| match error {
            NotArmed::System(error) => Failure::Usage(format!(
                "cannot arm the mock `{name}`: {error}\nhelp: each name can be used once; a deployment that needs its own \
                 port gets the next one after that of `--listen`"
            )),
            NotArmed::Full(_) => Failure::Usage("too many mocks are armed".to_owned()),
        })
    };
    args.arm.iter().map(one).collect()
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
