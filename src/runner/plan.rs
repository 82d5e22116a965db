//! Plans a run: the identities of cases, their instances, and which cases are skipped.

use std::time::Duration;

use super::{identity::identity, rendering::lacks_when_attached, settings::ProxyChoice};
use crate::{
    observation::Identity,
    platform::OperatingSystem,
    proxy::InstanceSettings,
    scenario::{Case, Fault, MalformedBody, ProxySettings, SuccessReply, Turn, TurnReply},
    upstream::unplayable,
};

/// The plan of a run.
pub(crate) struct RunPlan {
    /// Cases to run.
    pub cases: Vec<PlannedCase>,
    /// The settings of each instance.
    pub groups: Vec<InstanceSettings>,
    /// Skipped cases with the reasons.
    pub skipped: Vec<(Case, String)>,
}

/// A case to run.
pub(crate) struct PlannedCase {
    /// The case.
    pub case: Case,
    /// Its identity.
    pub identity: Identity,
    /// The index of its instance.
    pub group: usize,
}

/// Assigns cases to instances, and skips those that the mock cannot play here or for which the proxy cannot be configured.
pub(crate) fn plan(cases: Vec<Case>, proxy: &ProxyChoice, seed: u64) -> RunPlan {
    let mut plan = RunPlan { cases: Vec::new(), groups: Vec::new(), skipped: Vec::new() };
    for case in cases {
        let case = match fitted(proxy, &case) {
            Ok(case) => case,
            Err(reason) => {
                plan.skipped.push((case, reason));
                continue;
            }
        };
        let settings = instance_settings(proxy, &case.scenario.proxy);
        let group = plan.groups.iter().position(|group| *group == settings).unwrap_or_else(|| {
            plan.groups.push(settings);
            plan.groups.len() - 1
        });
        plan.cases.push(PlannedCase { identity: identity(seed, &case.id), case, group });
    }
    plan
}

/// The case as the proxy can run it, or the reason why it, or the mock on this operating system, cannot.
pub(crate) fn fitted(proxy: &ProxyChoice, case: &Case) -> Result<Case, String> {
    if let Some(reason) = unplayable(&case.scenario, OperatingSystem::HERE) {
        return Err(reason);
    }
    match proxy {
        ProxyChoice::Builtin(which) => which.fitted(case),
        ProxyChoice::Definition(definition) => definition.fitted(case),
        ProxyChoice::Attached(attached) => {
            let case = attached.definition.fitted(case)?;
            let leaves = case.scenario.steps.iter().any(|step| step.leave.is_some());
            let over_tls = (leaves && attached.url.scheme() != "http").then(|| {
                "upfault can simulate a caller that leaves only over plain HTTP, but this proxy uses TLS"
                    .to_owned()
            });
            let lacks = lacks_when_attached(&case)
                .or(over_tls)
                .or_else(|| attached.rendering.lacks(&case, &attached.definition));
            lacks.map_or(Ok(case), Err)
        }
    }
}

fn instance_settings(proxy: &ProxyChoice, settings: &ProxySettings) -> InstanceSettings {
    match proxy {
        ProxyChoice::Definition(definition) => definition.instance_settings(settings),
        ProxyChoice::Attached(attached) => attached.definition.instance_settings(settings),
        ProxyChoice::Builtin(_) => InstanceSettings::of(settings, |_| false),
    }
}

/// How long one exchange of a case may take before upfault stops waiting.
///
/// This is longer than a proxy that keeps its settings can need: the timeouts of all allowed attempts with a second of
/// grace each, the delays in the replies of the scenario, the pauses that `Retry-After` may request, and a margin.
pub(super) fn deadline(settings: &ProxySettings, deployments: impl Iterator<Item = Vec<Turn>>) -> Duration {
    let mut waits = Duration::ZERO;
    for turn in deployments.flatten() {
        let events = events(&turn);
        if let TurnReply::Literal { chunks, .. } = &turn.answer {
            waits = chunks.iter().filter_map(|chunk| chunk.after).fold(waits, Duration::saturating_add);
        }
        for fault in &turn.faults {
            let wait = match fault {
                Fault::Drip { bytes_per_second } => drip(&turn, *bytes_per_second),
                fault => fault.wait(events),
            };
            waits = waits.saturating_add(wait);
        }
    }
    let chain = settings.fallback.len().max(settings.group.len()).max(1);
    let chain = u32::try_from(chain).unwrap_or(u32::MAX);
    let attempts = (settings.retries + 1).saturating_mul(chain);
    let pauses = Duration::from_secs(3) * settings.retries * chain;
    (settings.timeout + Duration::from_secs(1))
        .saturating_mul(attempts)
        .saturating_add(pauses + Duration::from_secs(2))
        .saturating_add(waits)
}

/// How much longer an exchange may take on a model of a user's own configuration: its retries may obey a `Retry-After` of
/// a minute, while scenarios with retries choose a short one.
pub(super) fn pauses_of_own(case: &Case) -> Duration {
    let mut turns = case.scenario.deployments.values().flatten();
    let is_refused = turns.any(|turn| !matches!(turn.answer, TurnReply::Reply(_)));
    match &case.own {
        Some(own) if is_refused => Duration::from_secs(60).saturating_mul(own.settings.retries),
        _ => Duration::ZERO,
    }
}

/// An upper limit for the number of events in a streamed reply, including those that faults insert.
fn events(turn: &Turn) -> u32 {
    let pieces = match &turn.answer {
        TurnReply::Reply(SuccessReply::Chunks(n)) => u32::from(*n),
        TurnReply::Reply(_) => 5,
        TurnReply::Literal { chunks, .. } => u32::try_from(chunks.len()).unwrap_or(u32::MAX).max(1),
        TurnReply::Error(_) => 1,
    };
    // Every dialect adds fewer events than this.
    pieces.saturating_add(20).saturating_add(u32::try_from(turn.faults.len()).unwrap_or(u32::MAX))
}

/// An upper estimate of the duration of a dripping reply.
fn drip(turn: &Turn, bytes_per_second: u32) -> Duration {
    let answer = match &turn.answer {
        TurnReply::Reply(SuccessReply::Chunks(n)) => 400.0 * f64::from(*n) + 1000.0,
        TurnReply::Reply(SuccessReply::LargeText(bytes) | SuccessReply::LargeToolCall(bytes)) => {
            f64::from(*bytes) + 3000.0
        }
        TurnReply::Literal { body: Some(body), .. } => body.to_string().len() as f64,
        TurnReply::Literal { chunks, .. } if !chunks.is_empty() => {
            chunks.iter().map(|chunk| chunk.bytes().len()).sum::<usize>() as f64
        }
        // At another endpoint the provider's own reply is sent.
        TurnReply::Literal { bodies, .. } => {
            let lengths = bodies.values().map(|body| body.to_string().len());
            lengths.max().unwrap_or_default().max(3000) as f64
        }
        _ => 3000.0,
    };
    let more: f64 = turn
        .faults
        .iter()
        .map(|fault| match fault {
            Fault::Malform(MalformedBody::VeryLarge(bytes)) => f64::from(*bytes),
            Fault::Malform(MalformedBody::DeepNesting(levels)) => 2.0 * f64::from(*levels),
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
    fn identities_depend_on_the_seed_and_the_case() {
        assert_eq!(identity(1, "a"), identity(1, "a"));
        assert_ne!(identity(1, "a"), identity(2, "a"));
        assert_ne!(identity(1, "a"), identity(1, "b"));
        assert_eq!(identity(0, "x").token.len(), 12);
    }

    #[test]
    fn the_deadline_includes_every_allowed_attempt() {
        let settings = ProxySettings {
            timeout: Duration::from_secs(2),
            retries: 1,
            fallback: vec!["a".into(), "b".into()],
            ..ProxySettings::default()
        };
        assert!(deadline(&settings, std::iter::empty()) > Duration::from_secs(3 * 4));
    }

    #[test]
    fn the_deadline_includes_delays_before_every_event_in_every_dialect() {
        let canaries = Identity { token: "abc".into() }.canaries("main", 1);
        for api in Api::ALL.iter().copied().filter(|api| api.streams()) {
            for reply in
                SuccessReply::EXAMPLES.into_iter().chain([SuccessReply::Chunks(1), SuccessReply::Chunks(300)])
            {
                let asked = provider::RequestedCall::plain(api.native_provider(), api, true);
                let message = provider::reply(&asked, &reply, &canaries);
                let provider::MessageBody::Events { events: frames, .. } = message.body else {
                    panic!("{api} does not stream")
                };
                let turn =
                    Turn { answer: TurnReply::Reply(reply), headers: Default::default(), faults: Vec::new() };
                assert!(frames.len() < events(&turn) as usize, "{api} {reply:?}: {}", frames.len());
            }
        }
    }

    #[test]
    fn the_deadline_includes_the_delays_of_faults() {
        let text = "title: t\nwhy: w\nmatrix: {stream: [true]}\nupstream:\n  - reply: {chunks: 10}\n    faults:\n      \
                    - latency: {before: each_event, time: {uniform: {from: 1s, to: 2s}}}\n      \
                    - connection: {slow_accept: 3s}\n";
        let scenario = crate::scenario::load_text("x", "f", text).unwrap();
        let plain = deadline(&scenario.proxy, std::iter::empty());
        let late = deadline(&scenario.proxy, scenario.deployments.values().cloned());
        assert!(late >= plain + Duration::from_secs(2 * 10 + 3), "{late:?}");
    }
}
