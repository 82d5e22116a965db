//! Runs all exhibits concurrently against a mock and records the wire.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use url::Url;

use super::{
    base::UnfaultedReply,
    claim::{ExhibitView, words},
    exhibit::Exhibit,
    ledger, raw,
    raw_request::RawRequest,
    reply::MessageFraming,
    report::{ClaimResult, FaultProof, Lateness, SCHEMA_VERSION, Selftest, Timing},
    seen::ClientView,
    tls::TrustedCertificates,
    transcript::{ConnectionEnd, Transcript},
};
use crate::{
    observation::{Attempt, Identity},
    upstream::{ArmedCase, Upstream},
};

/// How long the ledger may take to contain what the client has already observed.
const LEDGER: Duration = Duration::from_secs(1);

/// Why the selftest could not run.
#[derive(Debug, thiserror::Error)]
pub enum SelftestError {
    /// The mock cannot be started.
    #[error("cannot start the mock: {0}")]
    Upstream(io::Error),
    /// The mock cannot be armed with a fault on this machine.
    #[error("cannot arm the mock with `{name}`: {source}")]
    Arm {
        /// The exhibit's faults.
        name: String,
        /// The error of the operating system.
        source: io::Error,
    },
}

struct Scene {
    upstream: Upstream,
    trust: TrustedCertificates,
    exhibits: Vec<Exhibit>,
    seed: u64,
}

/// Runs every exhibit concurrently against one mock. Exhibits that fail run once more without the others,
/// because a busy machine may be late and that is not an error of the fault.
///
/// Must be called in a tokio runtime; it spawns a task for each exhibit.
///
/// # Errors
/// If the mock cannot be started or armed.
pub async fn prove(exhibits: Vec<Exhibit>, seed: u64) -> Result<Selftest, SelftestError> {
    let began = Instant::now();
    let upstream = Upstream::start().await.map_err(SelftestError::Upstream)?;
    let trust = trust(&upstream).map_err(SelftestError::Upstream)?;
    let scene = Arc::new(Scene { upstream, trust, exhibits, seed });
    let shown = show_all(&scene, (0..scene.exhibits.len()).collect()).await?;
    // Check the claims only now, because that work would delay the exhibits that still run.
    let mut proofs: Vec<FaultProof> =
        scene.exhibits.iter().zip(&shown).map(|(exhibit, shown)| proof(exhibit, shown, 1)).collect();
    let bare: Vec<f64> = shown.into_iter().filter_map(|shown| shown.bare).collect();
    let doubted: Vec<usize> = (0..proofs.len()).filter(|i| !proofs[*i].proven).collect();
    let again = show_all(&scene, doubted.clone()).await?;
    for (i, shown) in doubted.into_iter().zip(again) {
        proofs[i] = proof(&scene.exhibits[i], &shown, 2);
    }
    scene.upstream.shutdown().await;
    let injected = proofs.iter().filter_map(|proof| proof.timer_error_ms).collect();
    let proven = proofs.iter().filter(|proof| proof.proven).count();
    let timing = Timing { injected: Lateness::of(injected), bare: Lateness::of(bare) };
    Ok(Selftest {
        schema: SCHEMA_VERSION,
        upfault: env!("CARGO_PKG_VERSION").to_owned(),
        seed,
        proven,
        unproven: proofs.len() - proven,
        exhibits: proofs,
        timing,
        wall_ms: ms(began.elapsed()),
    })
}

/// Everything that was observed for one exhibit.
struct Shown {
    base: UnfaultedReply,
    transcript: Transcript,
    attempts: Vec<Attempt>,
    /// How late plain sleeps were at the same time as the mock's waits.
    bare: Option<f64>,
}

/// Runs the exhibits with these indices, each in its own task, and returns the results in order.
async fn show_all(scene: &Arc<Scene>, places: Vec<usize>) -> Result<Vec<Shown>, SelftestError> {
    let tasks: Vec<_> = places
        .into_iter()
        .map(|index| {
            let scene = scene.clone();
            tokio::spawn(async move { show(&scene, index).await })
        })
        .collect();
    let mut shown = Vec::with_capacity(tasks.len());
    for task in tasks {
        // No task is aborted, so a task that fails has panicked. Continue its panic here.
        shown.push(task.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?);
    }
    Ok(shown)
}

/// Returns the certificates that a client of this mock trusts.
fn trust(upstream: &Upstream) -> io::Result<TrustedCertificates> {
    let pem = upstream.ca_pem()?;
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    Ok(TrustedCertificates::in_these(certificates.map_err(io::Error::other)?))
}

/// Returns the identity of the exhibit with this index. Its tokens are part of the reply, so the same
/// identity always gets the same bytes.
pub fn identity(index: usize) -> Identity {
    Identity { token: format!("selftest{index:04}") }
}

async fn show(scene: &Scene, index: usize) -> Result<Shown, SelftestError> {
    let exhibit = &scene.exhibits[index];
    let identity = identity(index);
    let broken = |source| SelftestError::Arm { name: exhibit.name(), source };
    let armed = scene.upstream.arm(exhibit.armed(identity.clone(), scene.seed)).map_err(broken)?;
    let url = exhibit.call.url(&armed.base_url("main"));
    let url = Url::parse(&url).map_err(|error| broken(io::Error::other(error)))?;
    let base =
        UnfaultedReply::new(&exhibit.call, &exhibit.turn, &identity, scene.upstream.address(), scene.seed);
    let key = identity.key("main");
    let request = RawRequest {
        url: &url,
        transport: exhibit.transport,
        call: &exhibit.call,
        key: &key,
        trust: &scene.trust,
        stays_open: !exhibit.ends,
        connects: exhibit.seen != ClientView::NotConnected,
        waits: exhibit.longest_wait(),
        asks_again: exhibit.asks_again,
    };
    let bare = bare_sleeps(base.single_waits());
    let transcript = raw::ask(&request).await;
    let attempts = settled(exhibit, &base, &transcript, &armed).await;
    Ok(Shown { base, transcript, attempts, bare: bare.await })
}

/// Returns the ledger once it agrees, or after [`LEDGER`]. The mock may write an entry a little later than
/// the client observes the effect.
async fn settled(
    exhibit: &Exhibit,
    base: &UnfaultedReply,
    transcript: &Transcript,
    armed: &ArmedCase,
) -> Vec<Attempt> {
    let deadline = Instant::now() + LEDGER;
    let claims = ledger::claims(&exhibit.turn.faults);
    loop {
        let attempts = armed.attempts();
        let view = ExhibitView { base, transcript, attempts: &attempts };
        if claims.iter().all(|claim| claim.check(&view).is_ok()) || Instant::now() >= deadline {
            return attempts;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn proof(exhibit: &Exhibit, shown: &Shown, tries: u32) -> FaultProof {
    let transcript = &shown.transcript;
    let view = &ExhibitView { base: &shown.base, transcript, attempts: &shown.attempts };
    let of_ledger = ledger::claims(&exhibit.turn.faults);
    let seen = ledger::seen(view);
    let first = ClaimResult {
        claim: format!("a client gets {}", exhibit.seen),
        instead: (seen != exhibit.seen).then(|| format!("{seen} ({})", showed(view))),
    };
    let rest = exhibit
        .claims
        .iter()
        .chain(&of_ledger)
        .map(|claim| ClaimResult { claim: claim.says.clone(), instead: claim.check(view).err() });
    let claims: Vec<ClaimResult> = std::iter::once(first).chain(rest).collect();
    FaultProof {
        family: exhibit.family,
        name: exhibit.name(),
        proven: claims.iter().all(|claim| claim.instead.is_none()),
        seen,
        showed: showed(view),
        claims,
        body_bytes: view.reply().body.len() as u64,
        reads: transcript.reads.len(),
        first_byte_ms: transcript.arrival(0).map(ms),
        ended_ms: ms(transcript.ended),
        timer_error_ms: view.attempts.iter().find_map(waited),
        tries,
    }
}

/// Returns how late an attempt's waits were, if it had some.
fn waited(attempt: &Attempt) -> Option<f64> {
    Some(attempt.sent.timer_error_ms).filter(|late| *late > 0.0)
}

/// Describes the wire in a few words: `200, 3 events (412 bytes), RST`.
fn showed(view: &ExhibitView<'_>) -> String {
    let (transcript, reply) = (view.transcript, view.reply());
    let mut words = Vec::new();
    for interim in &reply.interim {
        words.push(interim.to_string());
    }
    match (reply.status, reply.framing) {
        (Some(status), _) => words.push(status.to_string()),
        (None, MessageFraming::NoHead) => words.push("an invalid status line".to_owned()),
        _ => {}
    }
    if !reply.body.is_empty() {
        let events = view.base.events_in(&reply.body);
        let bytes = format!("{} bytes", reply.body.len());
        words.push(match events {
            0 => bytes,
            1 => format!("1 event ({bytes})"),
            n => format!("{n} events ({bytes})"),
        });
    }
    if reply.framing == MessageFraming::Broken {
        words.push("then unreadable".to_owned());
    }
    if !reply.rest.is_empty() && reply.framing == MessageFraming::Whole {
        words.push(format!("{} bytes after the end", reply.rest.len()));
    }
    words.push(match (&transcript.ending, reply.framing) {
        (ConnectionEnd::Open, MessageFraming::Whole) => "whole".to_owned(),
        (ConnectionEnd::Open, MessageFraming::Broken | MessageFraming::NoHead) => {
            "connection left open".to_owned()
        }
        (ConnectionEnd::Open, _) => "then silence".to_owned(),
        (ending, _) => describe_ending(ending),
    });
    if let Some(next) = &transcript.next {
        words.push(format!("then {} in response to the next request", describe_ending(&next.ending)));
    }
    words.join(", ")
}

fn describe_ending(ending: &ConnectionEnd) -> String {
    words(ending)
}

/// Returns how late plain sleeps of these lengths are at most, one after the other like the waits of the
/// mock.
fn bare_sleeps(waits: Vec<Duration>) -> impl Future<Output = Option<f64>> {
    let sleeping = tokio::spawn(async move {
        let mut worst = None;
        for wait in waits {
            let due = tokio::time::Instant::now() + wait;
            tokio::time::sleep_until(due).await;
            worst = Some(worst.unwrap_or(0.0_f64).max(ms(due.elapsed())));
        }
        worst
    });
    async move { sleeping.await.ok().flatten() }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
