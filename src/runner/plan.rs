//! From cases to a plan: who each case is, which instance it runs on, and which cannot be run.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::settings::ProxyChoice;
use crate::{
    builtin,
    observation::Identity,
    proxy::InstanceSettings,
    scenario::{Answer, Case, Fault, Malform, Mistake, ProxySettings, Reply, Step, Transport, Turn},
};

/// What will be run, and what not.
pub struct Plan {
    /// Cases that will be run, each with the index of its group.
    pub cases: Vec<Planned>,
    /// The instance-wide settings of each group.
    pub groups: Vec<InstanceSettings>,
    /// Cases that cannot be run with this proxy, with the reason.
    pub skipped: Vec<(Case, String)>,
}

/// One case that will be run.
pub struct Planned {
    /// The case.
    pub case: Case,
    /// Who it is.
    pub identity: Identity,
    /// Which group of instance-wide settings it belongs to.
    pub group: usize,
}

/// Groups cases by the instance they need and sets aside those that the proxy cannot serve.
pub fn plan(cases: Vec<Case>, proxy: &ProxyChoice, seed: u64) -> Plan {
    let mut plan = Plan { cases: Vec::new(), groups: Vec::new(), skipped: Vec::new() };
    for case in cases {
        if let Some(reason) = lacks(proxy, &case) {
            plan.skipped.push((case, reason));
            continue;
        }
        let settings = instance_settings(proxy, &case.scenario.proxy);
        let group = plan.groups.iter().position(|group| *group == settings).unwrap_or_else(|| {
            plan.groups.push(settings);
            plan.groups.len() - 1
        });
        plan.cases.push(Planned { identity: identity(seed, &case.id), case, group });
    }
    plan
}

fn lacks(proxy: &ProxyChoice, case: &Case) -> Option<String> {
    match proxy {
        ProxyChoice::Builtin(_) => builtin::lacks(&case.combination, &case.scenario.proxy),
        ProxyChoice::Definition(definition) => {
            definition.lacks(&case.combination, &case.scenario.proxy, case.scenario.transport)
        }
        ProxyChoice::Remote(remote) => lacks_when_remote(case).or_else(|| {
            let leaves = case.scenario.steps.iter().any(|step| step.leave.is_some());
            if leaves && remote.url.scheme() != "http" {
                return Some(
                    "a caller can only leave over plain HTTP, and this proxy is reached by TLS".to_owned(),
                );
            }
            let wrong = |step: &Step| step.mistake == Some(Mistake::WrongKey);
            (remote.key.is_none() && case.scenario.steps.iter().any(wrong))
                .then(|| "no key is wrong for a proxy that wants none (`--proxy-key`)".to_owned())
        }),
    }
}

/// Why a case cannot be run through a proxy that was configured before the run.
pub fn lacks_when_remote(case: &Case) -> Option<String> {
    let faults = || case.scenario.deployments.values().flatten().flat_map(|turn| &turn.faults);
    if case.scenario.proxy.cooldown.is_some() {
        Some(
            "a proxy that somebody else runs has one setting for cooldowns, and other cases need none"
                .to_owned(),
        )
    } else if case.scenario.proxy.pass_through {
        Some("where a proxy that somebody else runs has pass-through routes is not known".to_owned())
    } else if case.scenario.proxy.keep_alive.is_some() {
        Some("whether a proxy that somebody else runs sends keep-alive pings is not known".to_owned())
    } else if case.scenario.transport != Transport::Plain {
        Some("the authority that signs for upstreams reached by TLS is not there before the run".to_owned())
    } else {
        let apart = faults().find(|fault| fault.needs_own_address());
        apart.map(|fault| format!("`{fault}` needs a port of its own, which is not known before the run"))
    }
}

fn instance_settings(proxy: &ProxyChoice, settings: &ProxySettings) -> InstanceSettings {
    match proxy {
        ProxyChoice::Definition(definition) => definition.instance_settings(settings),
        _ => InstanceSettings { cooldown: settings.cooldown, ..InstanceSettings::default() },
    }
}

/// Who a case is: the same for the same seed, another for every case.
pub fn identity(seed: u64, case: &str) -> Identity {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(case).finalize();
    let token = digest.iter().take(12).map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect();
    Identity { token }
}

/// Who a case is when it is looked at for the n-th time (from 2) and must not be recognised.
pub fn look_identity(seed: u64, case: &str, n: usize) -> Identity {
    identity(seed, &format!("{case}, look {n}"))
}

/// How long one exchange of a case may take before upfault stops waiting.
///
/// Longer than any proxy that keeps its settings can need: every allowed attempt with its timeout
/// and a second of grace, the waits that the scenario itself puts into replies, the pauses that
/// `Retry-After` may ask for, and a margin.
pub fn deadline(settings: &ProxySettings, deployments: impl Iterator<Item = Vec<Turn>>) -> Duration {
    let mut waits = Duration::ZERO;
    for turn in deployments.flatten() {
        let events = events(&turn);
        for fault in &turn.faults {
            let wait = match fault {
                Fault::Drip { bytes_per_second } => drip(&turn, *bytes_per_second),
                fault => fault.wait(events),
            };
            waits = waits.saturating_add(wait);
        }
    }
    let chain = u32::try_from(settings.fallback.len().max(1)).unwrap_or(u32::MAX);
    let attempts = (settings.retries + 1).saturating_mul(chain);
    let pauses = Duration::from_secs(3) * settings.retries * chain;
    (settings.timeout + Duration::from_secs(1))
        .saturating_mul(attempts)
        .saturating_add(pauses + Duration::from_secs(2))
        .saturating_add(waits)
}

/// At most so many events has a turn's answer as a stream, those that faults put in included.
fn events(turn: &Turn) -> u32 {
    let pieces = match &turn.answer {
        Answer::Reply(Reply::Chunks(n)) => u32::from(*n),
        Answer::Reply(_) => 5,
        Answer::Error(_) | Answer::Literal { .. } => 1,
    };
    // No dialect puts as many around the pieces.
    pieces.saturating_add(20).saturating_add(u32::try_from(turn.faults.len()).unwrap_or(u32::MAX))
}

/// A generous guess at how long a dripping reply takes.
fn drip(turn: &Turn, bytes_per_second: u32) -> Duration {
    let answer = match &turn.answer {
        Answer::Reply(Reply::Chunks(n)) => 400.0 * f64::from(*n) + 1000.0,
        Answer::Literal { body: Some(body), .. } => body.to_string().len() as f64,
        _ => 3000.0,
    };
    let more: f64 = turn
        .faults
        .iter()
        .map(|fault| match fault {
            Fault::Malform(Malform::VeryLarge(bytes)) => f64::from(*bytes),
            Fault::Malform(Malform::DeepNesting(levels)) => 2.0 * f64::from(*levels),
            _ => 0.0,
        })
        .sum();
    let bytes = answer + more;
    Duration::from_secs_f64((bytes / f64::from(bytes_per_second.max(1))).min(600.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{provider, scenario::Api};

    #[test]
    fn a_case_is_the_same_for_the_same_seed_and_another_for_every_other() {
        assert_eq!(identity(1, "a"), identity(1, "a"));
        assert_ne!(identity(1, "a"), identity(2, "a"));
        assert_ne!(identity(1, "a"), identity(1, "b"));
        assert_eq!(identity(0, "x").token.len(), 12);
    }

    #[test]
    fn the_deadline_leaves_room_for_every_allowed_attempt() {
        let settings = ProxySettings {
            timeout: Duration::from_secs(2),
            retries: 1,
            fallback: vec!["a".into(), "b".into()],
            ..ProxySettings::default()
        };
        assert!(deadline(&settings, std::iter::empty()) > Duration::from_secs(3 * 4));
    }

    #[test]
    fn the_deadline_counts_every_wait_between_events_in_every_dialect() {
        let canaries = Identity { token: "abc".into() }.canaries("main", 1);
        for api in Api::ALL.iter().copied().filter(|api| api.streams()) {
            for reply in [
                Reply::Ok,
                Reply::ToolCall,
                Reply::NonAscii,
                Reply::MaxTokens,
                Reply::Chunks(1),
                Reply::Chunks(300),
            ] {
                let asked = provider::Asked::plain(api.native_provider(), api, true);
                let message = provider::reply(&asked, &reply, &canaries);
                let provider::MessageBody::Events { events: frames, .. } = message.body else {
                    panic!("{api} does not stream")
                };
                let turn =
                    Turn { answer: Answer::Reply(reply), headers: Default::default(), faults: Vec::new() };
                assert!(frames.len() < events(&turn) as usize, "{api} {reply:?}: {}", frames.len());
            }
        }
    }

    #[test]
    fn the_deadline_has_room_for_what_faults_wait() {
        let text = "title: t\nwhy: w\nmatrix: {stream: [true]}\nupstream:\n  - reply: {chunks: 10}\n    faults:\n      \
                    - latency: {before: each_event, time: {uniform: {from: 1s, to: 2s}}}\n      \
                    - connection: {slow_accept: 3s}\n";
        let scenario = crate::scenario::load_text("x", "f", text).unwrap();
        let plain = deadline(&scenario.proxy, std::iter::empty());
        let late = deadline(&scenario.proxy, scenario.deployments.values().cloned());
        assert!(late >= plain + Duration::from_secs(2 * 10 + 3), "{late:?}");
    }
}
