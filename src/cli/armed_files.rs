//! The mocks of `upfault serve --arm`: files, and what is armed by them.

use std::{io, time::Duration};

use super::{
    args::{ArmFrom, ServeArgs},
    context::CliContext,
    failure::Failure,
};
use crate::{
    scenario::{ArmRequest, Library, LoadError, load_arm_file},
    serve::{ArmedMock, MockName, NotArmed, Server},
    upstream::OwnPorts,
};

/// How long a port of the old mock may take until it is free for the new one.
const PORT_PATIENCE: Duration = Duration::from_secs(2);

/// The mocks that are armed by files, in the order of the arguments.
#[derive(Debug, Default)]
pub(super) struct ArmedFiles(Vec<ArmedFile>);

#[derive(Debug)]
struct ArmedFile {
    from: ArmFrom,
    /// What is armed; `None` if nothing is, because arming it again failed.
    wanted: Option<ArmRequest>,
    /// Where the search for its own ports begins.
    ports: OwnPorts,
}

impl ArmedFiles {
    /// Arms the mock of every file.
    ///
    /// # Errors
    ///
    /// If a file does not load, or its mock cannot be armed.
    pub(super) fn arm(
        &mut self,
        context: &CliContext,
        args: &ServeArgs,
        server: &Server,
    ) -> Result<Vec<ArmedMock>, Failure> {
        // With a port that the user chose, all other ports follow from it.
        let mut ports = match args.listen.port() {
            0 => OwnPorts::Free,
            port => OwnPorts::After(port),
        };
        let mut armed = Vec::new();
        for from in &args.arm {
            let wanted = read(context, from, &server.mocks().library())?;
            let begin = ports;
            let mock = server.mocks().arm_named(&from.name, &wanted, &mut ports);
            armed.push(mock.map_err(|error| refused(&from.name, error))?);
            self.0.push(ArmedFile { from: from.clone(), wanted: Some(wanted), ports: begin });
        }
        Ok(armed)
    }

    /// Reads the files again, which can name scenarios of this library.
    ///
    /// # Errors
    ///
    /// If a file does not load.
    pub(super) fn read(&self, context: &CliContext, library: &Library) -> Result<Vec<ArmRequest>, Failure> {
        self.0.iter().map(|file| read(context, &file.from, library)).collect()
    }

    /// Arms again those mocks that changed, or `all`, and returns their names. `wanted` is what [`read`](Self::read) returned.
    ///
    /// # Errors
    ///
    /// If a mock cannot be armed. Then the old one is armed again. If that fails too, none is armed, and the next call tries to
    /// arm the wanted one.
    pub(super) async fn arm_again(
        &mut self,
        server: &Server,
        wanted: Vec<ArmRequest>,
        all: bool,
    ) -> Result<Vec<String>, Failure> {
        let mut changed = Vec::new();
        for (file, wanted) in self.0.iter_mut().zip(wanted) {
            if !all && file.wanted.as_ref().is_some_and(|armed| wanted.serves_the_same(armed)) {
                continue;
            }
            let name = &file.from.name;
            server.mocks().disarm(&name.to_string());
            let before = file.wanted.take();
            if let Err(error) = arm_when_free(server, name, &wanted, file.ports).await {
                if let Some(before) = before
                    && arm_when_free(server, name, &before, file.ports).await.is_ok()
                {
                    file.wanted = Some(before);
                }
                return Err(refused(name, error));
            }
            file.wanted = Some(wanted);
            changed.push(name.to_string());
        }
        Ok(changed)
    }
}

/// Arms a mock as soon as the ports of its predecessor are free.
async fn arm_when_free(
    server: &Server,
    name: &MockName,
    wanted: &ArmRequest,
    ports: OwnPorts,
) -> Result<ArmedMock, NotArmed> {
    let late = tokio::time::Instant::now() + PORT_PATIENCE;
    loop {
        let mut ports = ports;
        match server.mocks().arm_named(name, wanted, &mut ports) {
            Err(NotArmed::System(error))
                if error.kind() == io::ErrorKind::AddrInUse && tokio::time::Instant::now() < late =>
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            armed => return armed,
        }
    }
}

fn read(
    context: &CliContext,
    ArmFrom { file, .. }: &ArmFrom,
    library: &Library,
) -> Result<ArmRequest, Failure> {
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(context.place(file)).map_err(|error| {
        Failure::Usage(format!(
            "cannot read {shown}: {error}\nhelp: it describes the mock as a request to `POST /_upfault/arm` does, for \
             example {{\"provider\": \"openai\", \"upstream\": [{{\"error\": \"rate_limit\"}}]}}"
        ))
    })?;
    load_arm_file(&shown, &text, library).map_err(|errors| Failure::Load(LoadError::from(errors)))
}

fn refused(name: &MockName, error: NotArmed) -> Failure {
    match error {
        NotArmed::System(error) => Failure::Usage(format!(
            "cannot arm the mock `{name}`: {error}\nhelp: each name can be used once; a deployment that needs its own port \
             gets the next one after that of `--listen`"
        )),
        NotArmed::Full(_) => Failure::Usage("too many mocks are armed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::scenario::load_arm;

    fn request(fault: &str) -> ArmRequest {
        let text =
            format!(r#"{{"provider": "openai", "upstream": [{{"faults": [{{"connection": "{fault}"}}]}}]}}"#);
        load_arm(&text, &Library::default()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_mock_whose_port_was_taken_is_armed_at_the_next_change() {
        let server = Server::start(([127, 0, 0, 1], 0).into(), Library::default(), Vec::new()).await.unwrap();
        let name: MockName = "own".parse().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let ports = OwnPorts::After(port - 1);
        let [old, new] = ["reset_at_once", "accepted_closed"].map(request);
        let mut first = ports;
        server.mocks().arm_named(&name, &old, &mut first).unwrap();
        let from = ArmFrom { name: name.clone(), file: "armed.json".into() };
        let mut files = ArmedFiles(vec![ArmedFile { from, wanted: Some(old.clone()), ports }]);

        // Another program takes the port as soon as it is free.
        server.mocks().disarm("own");
        let taken = loop {
            match TcpListener::bind(("127.0.0.1", port)) {
                Ok(taken) => break taken,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        files.arm_again(&server, vec![new], false).await.unwrap_err();
        assert!(server.mocks().ledger("own").is_none());
        drop(taken);
        // The file has its old content again.
        assert_eq!(files.arm_again(&server, vec![old], false).await.unwrap(), ["own"]);
        assert!(server.mocks().ledger("own").is_some());
    }
}
