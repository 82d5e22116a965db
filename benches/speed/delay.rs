//! Measures how late injected delays are, compared with the timer of the bare server.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    child::{Role, Server},
    connection::{Connection, Pool},
    figure::{Failure, Length},
    kind::{DELAY, Kind},
    serve::RESET,
    spread::Spread,
    table::Table,
};

/// Numbers of connections, each with the number of rounds of a quick benchmark.
const LOADS: [(usize, usize); 3] = [(1, 6), (64, 4), (1000, 3)];

/// Requests on each connection in one round.
const EACH: usize = 10;

pub fn measure(length: Length) -> Result<Vec<Table>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let title = format!("a delay of {} ms before the headers: lateness of the response", DELAY.as_millis());
    let mut table = Table::new(
        title,
        &["connections", "server", "p50", "p99", "p50 − bare hyper's", "p99 / bare hyper's"],
    );
    for (connections, rounds) in LOADS {
        runtime.block_on(compare(connections, length.rounds(rounds), &mut table))?;
    }
    Ok(vec![table])
}

async fn compare(connections: usize, rounds: usize, table: &mut Table) -> Result<(), Failure> {
    let roles = [Role::Bare, Role::Mock];
    let mut contestants = Vec::new();
    for role in roles {
        let server = Server::start(role, Kind::Delayed)?;
        let pool = Pool::open(server.address, connections, Kind::Delayed.request()).await?;
        contestants.push((server, pool, Vec::new()));
    }
    for round in 0..=rounds {
        for turn in 0..contestants.len() {
            let next = (round + turn) % contestants.len();
            let (server, pool, late) = &mut contestants[next];
            let seen =
                pool.drive(move |connection, number| lateness(connection, number, connections)).await?;
            server.command(RESET)?;
            // The first round is the warm-up.
            if round > 0 {
                late.extend(seen.into_iter().flatten());
            }
        }
    }
    let spreads: Vec<Spread> =
        contestants.into_iter().map(|(_, _, late): (_, _, Vec<f64>)| Spread::of(late)).collect();
    let (p50, p99) = (spreads[0].median(), spreads[0].quantile(0.99));
    for (role, spread) in roles.iter().zip(&spreads) {
        let bare = *role == Role::Bare;
        table.row([
            connections.to_string(),
            role.name().to_owned(),
            format!("{:.2} ms", spread.median()),
            format!("{:.2} ms", spread.quantile(0.99)),
            if bare { String::new() } else { format!("{:+.2} ms", spread.median() - p50) },
            if bare { String::new() } else { format!("{:.2}", spread.quantile(0.99) / p99) },
        ]);
    }
    Ok(())
}

/// The lateness of each response in milliseconds. The connections start one after the other within the time of one delay,
/// so that no server has to answer all of them at once.
async fn lateness(
    mut connection: Connection,
    number: usize,
    connections: usize,
) -> std::io::Result<(Connection, Vec<f64>)> {
    sleep(DELAY.mul_f64(number as f64 / connections as f64)).await;
    let mut late = Vec::with_capacity(EACH);
    for _ in 0..EACH {
        let began = Instant::now();
        connection.exchange().await?;
        let over: Duration = began.elapsed().saturating_sub(DELAY);
        late.push(over.as_secs_f64() * 1e3);
    }
    Ok((connection, late))
}
