//! Runs exhibits against a mock, all at once, and sets down what the wire showed.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use url::Url;

use super::{
    base::Base,
    claim::{Sight, words},
    exhibit::Exhibit,
    ledger,
    raw::{self, Ending, Request, Transcript},
    reply::Framing,
    report::{ClaimResult, Lateness, Proof, SCHEMA_VERSION, Selftest, Timing},
    seen::Seen,
    tls::Trust,
};
use crate::{
    observation::{Attempt, Identity},
    upstream::{ArmedCase, Upstream},
};

/// How long the ledger may take to say what has been seen already.
const LEDGER: Duration = Duration::from_secs(1);

/// Why nothing could be proven.
#[derive(Debug, thiserror::Error)]
pub enum SelftestError {
    /// The mock cannot be started.
    #[error("the mock cannot be started: {0}")]
    Upstream(io::Error),
    /// A fault that the mock cannot be armed with on this machine.
    #[error("the mock cannot be armed with `{name}`: {source}")]
    Arm {
        /// The exhibit's faults.
        name: String,
        /// What the system says.
        source: io::Error,
    },
}

struct Scene {
    upstream: Upstream,
    trust: Trust,
    seed: u64,
}

/// Shows every exhibit at a mock, all of them at once. What could not be proven among all the others
/// is shown once more without them: a busy machine is late, and that is no fault's doing.
///
/// # Errors
/// When the mock cannot be started or armed.
pub async fn prove(exhibits: &[Exhibit], seed: u64) -> Result<Selftest, SelftestError> {
    let began = Instant::now();
    let upstream = Upstream::start().await.map_err(SelftestError::Upstream)?;
    let trust = trust(&upstream).map_err(SelftestError::Upstream)?;
    let scene = Arc::new(Scene { upstream, trust, seed });
    let showing = exhibits.iter().enumerate().map(|(i, exhibit)| show(&scene, exhibit, i, 1));
    let (shown, bare) = tokio::join!(join_all(showing), bare_sleeps(exhibits));
    let mut proofs = shown.into_iter().collect::<Result<Vec<_>, _>>()?;
    let doubted: Vec<usize> = (0..proofs.len()).filter(|i| !proofs[*i].proven).collect();
    let again = join_all(doubted.iter().map(|i| show(&scene, &exhibits[*i], *i, 2))).await;
    for (i, proof) in doubted.into_iter().zip(again) {
        proofs[i] = proof?;
    }
    scene.upstream.shutdown().await;
    let injected = proofs.iter().filter_map(|proof| proof.timer_error_ms).collect();
    let proven = proofs.iter().filter(|proof| proof.proven).count();
    Ok(Selftest {
        schema: SCHEMA_VERSION,
        upfault: env!("CARGO_PKG_VERSION").to_owned(),
        seed,
        proven,
        unproven: proofs.len() - proven,
        exhibits: proofs,
        timing: Timing { injected: Lateness::of(injected), bare: Lateness::of(bare) },
        wall_ms: ms(began.elapsed()),
    })
}

/// Whose certificates a client of this mock takes.
fn trust(_upstream: &Upstream) -> io::Result<Trust> {
    Ok(Trust::in_these([]))
}

async fn show(scene: &Scene, exhibit: &Exhibit, index: usize, tries: u32) -> Result<Proof, SelftestError> {
    let identity = Identity { token: format!("selftest{index:03}{tries}") };
    let broken = |source| SelftestError::Arm { name: exhibit.name(), source };
    let armed = scene.upstream.arm(exhibit.armed(identity.clone(), scene.seed)).map_err(broken)?;
    let url = exhibit.call.url(&armed.base_url("main"));
    let url = Url::parse(&url).map_err(|error| broken(io::Error::other(error)))?;
    let base = Base::new(exhibit, &identity, scene.upstream.address(), scene.seed);
    let key = identity.key("main");
    let request = Request {
        url: &url,
        transport: exhibit.transport,
        call: &exhibit.call,
        key: &key,
        trust: &scene.trust,
        stays_open: !exhibit.ends,
        connects: exhibit.seen != Seen::NotConnected,
        waits: exhibit.longest_wait(),
        asks_again: exhibit.asks_again,
    };
    let transcript = raw::ask(&request).await;
    Ok(judged(exhibit, &base, &transcript, &armed, tries).await)
}

/// Checks every claim. The mock may be about to write what the client has seen already into its
/// ledger, so that is waited for.
async fn judged(
    exhibit: &Exhibit,
    base: &Base,
    transcript: &Transcript,
    armed: &ArmedCase,
    tries: u32,
) -> Proof {
    let deadline = Instant::now() + LEDGER;
    let of_ledger = ledger::claims(&exhibit.turn.faults);
    loop {
        let attempts = armed.attempts();
        let sight = Sight { base, transcript, attempts: &attempts };
        let agrees = of_ledger.iter().all(|claim| claim.check(&sight).is_ok());
        if agrees || Instant::now() >= deadline {
            return proof(exhibit, &sight, tries, &of_ledger);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn proof(exhibit: &Exhibit, sight: &Sight<'_>, tries: u32, of_ledger: &[super::Claim]) -> Proof {
    let transcript = sight.transcript;
    let seen = ledger::seen(sight);
    let first = ClaimResult {
        claim: format!("a client gets {}", exhibit.seen),
        instead: (seen != exhibit.seen).then(|| format!("{seen} ({})", showed(sight))),
    };
    let rest = exhibit
        .claims
        .iter()
        .chain(of_ledger)
        .map(|claim| ClaimResult { claim: claim.says.clone(), instead: claim.check(sight).err() });
    let claims: Vec<ClaimResult> = std::iter::once(first).chain(rest).collect();
    Proof {
        family: exhibit.family,
        name: exhibit.name(),
        proven: claims.iter().all(|claim| claim.instead.is_none()),
        seen,
        showed: showed(sight),
        claims,
        body_bytes: sight.reply().body.len() as u64,
        reads: transcript.reads.len(),
        first_byte_ms: transcript.arrival(0).map(ms),
        ended_ms: ms(transcript.ended),
        timer_error_ms: sight.attempts.iter().find_map(waited),
        tries,
    }
}

/// How late an attempt's waits were, if it had some.
fn waited(attempt: &Attempt) -> Option<f64> {
    Some(attempt.sent.timer_error_ms).filter(|late| *late > 0.0)
}

/// What the wire showed, in a few words: `200, 3 events (412 bytes), RST`.
fn showed(sight: &Sight<'_>) -> String {
    let (transcript, reply) = (sight.transcript, sight.reply());
    let mut words = Vec::new();
    for interim in &reply.interim {
        words.push(interim.to_string());
    }
    match (reply.status, reply.framing) {
        (Some(status), _) => words.push(status.to_string()),
        (None, Framing::NoHead) => words.push("no status line".to_owned()),
        _ => {}
    }
    if !reply.body.is_empty() {
        let events = sight.base.events_in(&reply.body);
        let bytes = format!("{} bytes", reply.body.len());
        words.push(match events {
            0 => bytes,
            1 => format!("1 event ({bytes})"),
            n => format!("{n} events ({bytes})"),
        });
    }
    if reply.framing == Framing::Broken {
        words.push("unreadable from there".to_owned());
    }
    if !reply.rest.is_empty() && reply.framing == Framing::Whole {
        words.push(format!("{} bytes behind the end", reply.rest.len()));
    }
    words.push(match (&transcript.ending, reply.framing) {
        (Ending::Open, Framing::Whole) => "whole".to_owned(),
        (Ending::Open, Framing::Broken | Framing::NoHead) => "left open".to_owned(),
        (Ending::Open, _) => "then silence".to_owned(),
        (ending, _) => words_of(ending),
    });
    if let Some(next) = &transcript.next {
        words.push(format!("then {} to the next request", words_of(&next.ending)));
    }
    words.join(", ")
}

fn words_of(ending: &Ending) -> String {
    words(ending)
}

/// How late plain sleeps of the same lengths are, beside those of the mock.
async fn bare_sleeps(exhibits: &[Exhibit]) -> Vec<f64> {
    let waits = exhibits.iter().map(Exhibit::longest_wait).filter(|wait| !wait.is_zero());
    let sleeping = waits.map(|wait| async move {
        let due = tokio::time::Instant::now() + wait;
        tokio::time::sleep_until(due).await;
        ms(due.elapsed())
    });
    join_all(sleeping).await
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
