//! `upfault repro --keep`: the proxy and the mock run until the user stops them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use super::{
    context::CliContext,
    failure::Failure,
    print,
    repro_script::{self, NAME, ReproPlaces},
};
use crate::{
    event::CaseReport,
    platform::stop_signal,
    proxy::{Definition, Launch},
    runner,
    scenario::{Case, Library, load_arm_file},
    serve::{NotArmed, Server},
    upstream::OwnPorts,
};

/// Starts the mock and the proxy as the steps of the bug report do, prints the requests, and stops both when the user
/// stops the command.
pub(super) async fn keep(
    context: &CliContext,
    case: &Case,
    report: &CaseReport,
    siblings: &[CaseReport],
    definition: &Definition,
    folder: &Path,
) -> Result<(), Failure> {
    let asked = stop_signal().map_err(Failure::io("cannot listen for signals"))?;
    let text = repro_script::mock(case, report).map_err(|reason| {
        Failure::Usage(format!("a mock cannot repeat {}: {reason}\nhelp: omit `--keep`", case.id))
    })?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start(listen, Library::default(), Vec::new())
        .await
        .map_err(Failure::io(format!("cannot listen on {listen}")))?;
    let wanted =
        load_arm_file(NAME, &text, &Library::default()).map_err(|errors| Failure::Load(errors.into()))?;
    let name = NAME.parse().map_err(Failure::Usage)?;
    let armed =
        server.mocks().arm_named(&name, &wanted, &mut OwnPorts::Free).map_err(|error| match error {
            NotArmed::System(error) => Failure::io("cannot arm the mock")(error),
            NotArmed::Full(_) => Failure::Usage("too many mocks are armed".to_owned()),
        })?;
    let url = |name: &str| {
        let deployment = armed.deployments.iter().find(|deployment| deployment.name == name);
        deployment.map(|deployment| deployment.base_url.clone()).unwrap_or_default()
    };
    let case = &definition.fitted(case).map_err(Failure::Usage)?;
    let routes = runner::routes(case, &repro_script::identity(), url);
    let ca = folder.join("kept-ca.pem");
    let written = server.mocks().ca_pem().and_then(|pem| std::fs::write(&ca, pem));
    written.map_err(Failure::io(format!("cannot write {}", ca.display())))?;
    let settings = definition.instance_settings(&case.scenario.proxy);
    let launch = Launch { routes: routes.into(), settings, ca, work_dir: folder.join("kept") };
    let progress = |line: String| print::note(&line);
    let starting = async {
        let installed = definition.install(&context.cache, &progress).await?;
        installed.launch(launch, &progress).await
    };
    tokio::pin!(asked);
    let instance = tokio::select! {
        started = starting => started?,
        // Dropping the start kills the process.
        _ = &mut asked => {
            server.shutdown().await;
            return Ok(());
        }
    };
    let places = ReproPlaces {
        mock: server.address(),
        proxy: instance.addressing().root().to_owned(),
        key: instance.addressing().proxy_key().unwrap_or_default().to_owned(),
    };
    let requests = repro_script::requests(&places, report, siblings);
    print::note(&format!(
        "\n{} runs at {} and the mock at http://{} until Ctrl-C. The configuration and the log of the proxy are in {}.\n\
         What reached the mock: curl http://{}/_upfault/ledger/{NAME}\n\
         Start again from its first entry: curl -X POST http://{}/_upfault/ledger/{NAME}/reset\n\n{requests}",
        definition.title(),
        instance.addressing().root(),
        server.address(),
        folder.join("kept").display(),
        server.address(),
        server.address(),
    ));
    asked.await;
    instance.stop().await;
    server.shutdown().await;
    Ok(())
}
