//! Measures CPU time per request, and requests per second.

use std::time::{Duration, Instant};

use crate::{
    child::{Role, Server},
    connection::Pool,
    cores::Cores,
    figure::{Failure, Length},
    kind::Kind,
    serve::RESET,
    spread::Spread,
    table::Table,
};

const CONNECTIONS: [usize; 2] = [1, 64];

pub fn measure(length: Length) -> Result<Vec<Table>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cores = Cores::find()?;
    let mut tables = Vec::new();
    for kind in [Kind::Success, Kind::Limited, Kind::Stream] {
        for connections in CONNECTIONS {
            tables.push(runtime.block_on(compare(&cores, kind, connections, length.rounds(25)))?);
        }
    }
    cores.free()?;
    Ok(tables)
}

/// A server under load, and the results of its rounds.
struct Contestant {
    role: Role,
    server: Server,
    pool: Pool,
    rounds: Vec<Round>,
}

#[derive(Clone, Copy)]
struct Round {
    /// CPU time per request, in seconds.
    cpu: f64,
    /// Requests per second.
    speed: f64,
}

async fn compare(cores: &Cores, kind: Kind, connections: usize, rounds: usize) -> Result<Table, Failure> {
    let each = if connections == 1 { 600 } else { 1500_usize.div_ceil(connections) };
    let mut contestants = Vec::new();
    for role in Role::ALL {
        let server = cores.part(connections, || Server::start(role, kind))??;
        let pool = Pool::open(server.address, connections, kind.request()).await?;
        contestants.push(Contestant { role, server, pool, rounds: Vec::new() });
    }
    for contestant in &mut contestants {
        // A warm-up round, which does not count.
        contestant.round(each * connections, each).await?;
        contestant.rounds.clear();
    }
    for round in 0..rounds {
        // Each round starts with another server.
        for turn in 0..contestants.len() {
            let next = (round + turn) % contestants.len();
            contestants[next].round(each * connections, each).await?;
        }
    }
    Ok(table(kind, connections, &contestants))
}

impl Contestant {
    /// Sends this many requests, then lets the server discard its records of them. The round includes that cost, because a
    /// run pays it at the end of every case.
    async fn round(&mut self, requests: usize, each: usize) -> Result<(), Failure> {
        let before = self.server.cpu()?;
        let began = Instant::now();
        self.pool.send(each).await?;
        let took = began.elapsed();
        self.server.command(RESET)?;
        let used = self.server.cpu()?.saturating_sub(before);
        let for_each = |time: Duration| time.as_secs_f64() / requests as f64;
        self.rounds.push(Round { cpu: for_each(used), speed: 1.0 / for_each(took) });
        Ok(())
    }
}

fn table(kind: Kind, connections: usize, contestants: &[Contestant]) -> Table {
    let plural = if connections == 1 { "" } else { "s" };
    let title = format!("{}, {connections} connection{plural}", kind.name());
    let mut table = Table::new(
        title,
        &["server", "CPU per request", "ratio to bare hyper", "requests/s", "ratio to bare hyper"],
    );
    // The first server is the bare one.
    let bare = &contestants[0].rounds;
    for contestant in contestants {
        let spread = |value: fn(&Round) -> f64| Spread::of(contestant.rounds.iter().map(value));
        let ratio = |value: fn(&Round) -> f64| {
            let pairs = contestant.rounds.iter().zip(bare);
            Spread::of(pairs.map(|(own, bare)| value(own) / value(bare))).ratio()
        };
        table.row([
            contestant.role.name().to_owned(),
            format!("{:.1} µs", spread(|round| round.cpu).median() * 1e6),
            ratio(|round| round.cpu),
            format!("{:.0}", spread(|round| round.speed).median()),
            ratio(|round| round.speed),
        ]);
    }
    table
}
