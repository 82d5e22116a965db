//! Measures the memory of hanging streams, and the time to end all of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    child::{Role, Server},
    connection::Pool,
    figure::Failure,
    kind::{BEFORE_HANG, Kind},
    serve::SHUT_DOWN,
    table::Table,
};

const STREAMS: usize = 10_000;

/// Open files that a process needs in addition to its connections.
const OTHER_FILES: u64 = 200;

pub fn measure() -> Result<Vec<Table>, Failure> {
    let mut table = Table::new(
        format!("{STREAMS} streams that hang after {BEFORE_HANG} events"),
        &["server", "memory", "per stream", "time to end them"],
    );
    if let Some(limit) = too_few_files()? {
        let reason =
            format!("skipped: this needs more than the {limit} open files that are allowed (ulimit -n)");
        table.row([reason]);
        return Ok(vec![table]);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for role in [Role::Bare, Role::Mock] {
        table.row(runtime.block_on(hold(role))?);
    }
    Ok(vec![table])
}

/// Raises the limit of open files as far as allowed; the servers inherit it. Returns the limit if it is too low.
fn too_few_files() -> Result<Option<u64>, Failure> {
    let needed = STREAMS as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(None);
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.filter(|maximum| *maximum < needed))
}

async fn hold(role: Role) -> Result<[String; 4], Failure> {
    let mut server = Server::start(role, Kind::Hung)?;
    let idle = server.memory()?;
    let mut pool = Pool::open(server.address, STREAMS, Kind::Hung.request()).await?;
    pool.drive(|mut connection, _| async move {
        connection.read_events(BEFORE_HANG).await?;
        Ok((connection, ()))
    })
    .await?;
    let full = server.memory()?;
    let seconds: f64 = server.command(SHUT_DOWN)?.parse()?;
    Ok([
        role.name().to_owned(),
        format!("{:.0} MB", full as f64 / 1e6),
        format!("{:.1} kB", full.saturating_sub(idle) as f64 / 1e3 / STREAMS as f64),
        if role == Role::Mock { format!("{seconds:.2} s") } else { String::new() },
    ])
}
