//! The facts about an exchange that rules use.

use jiff::Timestamp;

use super::{attempt_outcome::AttemptOutcome, caller_response::CallerResponse, policy::Policy};
use crate::{
    dialect::Completion,
    observation::{
        Arrangement, Attempt, CallerLeft, DeploymentArranged, Exchange, Observation, Response, StepName,
    },
    scenario::{Api, ConnectionFault, Fault, FaultStage, SiblingKind, Turn},
};

/// The facts about an exchange: request, response, and what the upstreams did.
pub struct Facts<'a> {
    /// The arrangement of the case.
    pub arrangement: &'a Arrangement,
    /// The time of day at 0 ms of the observation.
    pub began: Option<Timestamp>,
    /// The answers to disputed questions.
    pub policy: &'a Policy,
    /// The exchange.
    pub exchange: &'a Exchange,
    /// Whether it is the first exchange of the case.
    pub is_first: bool,
    /// Whether it is the last step of the scenario, not counting the recovery request.
    pub is_last_step: bool,
    /// Set if the caller left before the end.
    pub left: Option<&'a CallerLeft>,
    /// The response that the caller got.
    pub response: CallerResponse,
    /// The attempts at upstreams, in order of arrival.
    pub attempts: Vec<(&'a Attempt, AttemptOutcome)>,
    /// Other requests of the proxy: for the properties of a model, or to the target of a redirect.
    pub other_requests: Vec<&'a Attempt>,
    /// All attempts of the case.
    pub all_attempts: &'a [Attempt],
    /// All exchanges of the case.
    pub all_exchanges: &'a [Exchange],
    /// The observation of the case.
    pub seen: &'a Observation,
    /// Deployments that cannot be reached and so get no attempts, with the fault that is the cause.
    pub unreachable: Vec<(&'a str, &'a Fault)>,
    /// The same call of a sibling, if the two are compared.
    pub(crate) sibling: Option<Box<SiblingFacts<'a>>>,
}

/// The call of a sibling, with the tokens of the case that is compared with it.
pub(crate) struct SiblingFacts<'a> {
    /// How the two cases differ.
    pub kin: SiblingKind,
    /// The facts about the call.
    pub facts: Facts<'a>,
}

impl<'a> Facts<'a> {
    /// The facts about one exchange of an observation.
    pub fn of(observation: &'a Observation, exchange: &'a Exchange, policy: &'a Policy) -> Self {
        let arrangement = &observation.arrangement;
        let case = arrangement.combination;
        let last = observation.exchanges.iter().rfind(|exchange| exchange.step != StepName::Recovery);
        let chain = arrangement.chain(exchange.to.as_deref());
        let unreachable = if exchange.step == StepName::Recovery {
            Vec::new()
        } else {
            let with_fault = |deployment: &'a DeploymentArranged| {
                let fault = deployment.turns.iter().find_map(unreachable_by)?;
                Some((deployment.name.as_str(), fault))
            };
            let led_to = |deployment: &&DeploymentArranged| chain.contains(&deployment.name.as_str());
            arrangement.deployments.iter().filter(led_to).filter_map(with_fault).collect()
        };
        let [attempts, other_requests] = attempts_of(observation, exchange);
        Self {
            arrangement,
            began: observation.began,
            policy,
            exchange,
            is_first: observation.exchanges.first().is_some_and(|first| std::ptr::eq(first, exchange)),
            is_last_step: last.is_some_and(|last| std::ptr::eq(last, exchange)),
            left: exchange.abandoned(),
            response: CallerResponse::of(exchange, case.api),
            attempts: attempts
                .into_iter()
                .map(|attempt| {
                    let case = arrangement.combination_of(&attempt.deployment);
                    (attempt, AttemptOutcome::of(attempt, case))
                })
                .collect(),
            other_requests,
            all_attempts: &observation.attempts,
            all_exchanges: &observation.exchanges,
            seen: observation,
            unreachable,
            sibling: None,
        }
    }

    /// Whether the proxy may have answered from its cache.
    pub fn is_from_cache(&self) -> bool {
        let is_same = |other: &&Exchange| {
            other.sent_ms < self.exchange.sent_ms
                && (&other.method, &other.url, &other.request_body)
                    == (&self.exchange.method, &self.exchange.url, &self.exchange.request_body)
        };
        self.arrangement.caches
            && self.attempts.is_empty()
            && self.all_exchanges.iter().any(|one| is_same(&one))
    }

    /// Whether an upstream of the case was asked at an endpoint for which the scenario has no body.
    pub fn is_at_other_endpoint(&self) -> bool {
        self.all_attempts.iter().any(|attempt| attempt.other_endpoint().is_some())
    }

    /// Whether an attempt ended because its caller left. Then its outcome says nothing about the upstream.
    pub fn ended_by_leaving(&self, attempt: &Attempt) -> bool {
        self.all_exchanges.iter().any(|exchange| {
            exchange.left.as_ref().is_some_and(|left| {
                attempt.at_ms >= exchange.sent_ms
                    && attempt.at_ms <= exchange.end_ms
                    && attempt.end_ms.is_none_or(|end| end >= left.at_ms)
            })
        })
    }

    /// A text of the proxy without its volatile parts, such as random ids. Rules search this text for common words,
    /// which a random part could contain by chance, and compare it between calls.
    pub fn steady(&self, text: &str) -> String {
        self.arrangement.volatile.iter().fold(text.to_owned(), |text, volatile| volatile.replace(&text))
    }

    /// The API that the caller called.
    pub fn api(&self) -> Api {
        self.arrangement.combination.api
    }

    /// Whether the caller requested a stream.
    pub fn wants_stream(&self) -> bool {
        self.arrangement.combination.stream && self.api().streams()
    }

    /// The response, if there was one.
    pub fn raw_response(&self) -> Option<&'a Response> {
        self.exchange.answer()
    }

    /// The successful attempt whose content the caller must get: the one whose content it got, or the last one.
    pub fn success(&self) -> Option<(&'a Attempt, &Completion)> {
        let got = self.response.completion();
        let mut chosen = None;
        for (attempt, result) in self.attempts.iter().rev() {
            let AttemptOutcome::Success(completion) = result else { continue };
            if got.is_some_and(|got| got.says_the_same(completion)) {
                return Some((*attempt, completion));
            }
            chosen = chosen.or(Some((*attempt, completion)));
        }
        chosen
    }

    /// Whether every attempt failed, so that the proxy must report a failure.
    ///
    /// False if there were no attempts although all upstreams are reachable: then the response is the proxy's own.
    /// False if a correct client could accept or reject one of the replies.
    pub fn is_failure(&self) -> bool {
        let doubtful = self.attempts.iter().any(|(attempt, _)| attempt.sent.doubtful);
        self.success().is_none() && !doubtful && (!self.attempts.is_empty() || self.is_unreachable())
    }

    /// Whether there were no attempts because a deployment of the chain is unreachable.
    pub fn is_unreachable(&self) -> bool {
        self.attempts.is_empty() && !self.unreachable.is_empty()
    }

    /// Whether a deployment is unreachable.
    pub fn cannot_reach(&self, deployment: &str) -> bool {
        self.unreachable.iter().any(|(name, _)| *name == deployment)
    }

    /// Whether a connection to an unreachable deployment hangs, instead of failing immediately.
    pub fn is_unreachable_in_silence(&self) -> bool {
        let silent = |fault: &Fault| {
            matches!(fault, Fault::Connection(ConnectionFault::NeverAccepted | ConnectionFault::BacklogFull))
        };
        self.is_unreachable() && self.unreachable.iter().any(|(_, fault)| silent(fault))
    }

    /// The failed attempts.
    pub fn failures(&self) -> impl Iterator<Item = (&'a Attempt, &AttemptOutcome)> {
        self.attempts
            .iter()
            .filter(|(_, result)| !result.is_success())
            .map(|(attempt, result)| (*attempt, result))
    }

    /// The statuses of failed attempts; see [`AttemptOutcome::status`].
    pub fn upstream_statuses(&self) -> Vec<u16> {
        let mut statuses: Vec<u16> = self.failures().filter_map(|(_, result)| result.status()).collect();
        statuses.dedup();
        statuses
    }

    /// Whether every attempt failed with a status, and `wanted` is true for all of them.
    pub fn failed_only_by(&self, wanted: impl Fn(u16) -> bool) -> bool {
        self.is_failure()
            && self.unreachable.is_empty()
            && self.failures().all(|(_, result)| result.status().is_some_and(&wanted))
    }

    /// Whether an upstream failed after content, so that the proxy could no longer choose the status.
    pub fn content_committed(&self) -> bool {
        self.is_failure() && self.failures().any(|(_, result)| result.failed_after_content())
    }

    /// Whether an upstream stopped in the middle of a stream without an error, so that an error event can only come
    /// from the proxy.
    pub fn ended_without_an_error(&self) -> bool {
        let begun = |(attempt, result): &(&Attempt, AttemptOutcome)| {
            attempt.sent.status == Some(200)
                && matches!(
                    result,
                    AttemptOutcome::Cut { .. }
                        | AttemptOutcome::Silent { .. }
                        | AttemptOutcome::EndedEarly { .. }
                )
        };
        self.wants_stream()
            && self.raw_response().is_some_and(|answer| answer.status == 200)
            && self.attempts.last().is_some_and(begun)
    }

    /// Whether the proxy sent the 200 of a stream, with keep-alive pings, before the upstreams failed. Then only an
    /// event can report the failure.
    pub fn is_pinged(&self) -> bool {
        let Some(answer) = self.raw_response().filter(|answer| (200..300).contains(&answer.status)) else {
            return false;
        };
        self.arrangement.proxy.keep_alive.is_some()
            && self.wants_stream()
            && self.attempts.iter().all(|(attempt, _)| attempt.end_ms.is_none_or(|end| end > answer.head_ms))
    }

    /// The key of a deployment.
    pub fn key_of(&self, deployment: &str) -> Option<&'a str> {
        self.arrangement.deployments.iter().find(|d| d.name == deployment).map(|d| d.key.as_str())
    }

    /// The deployments that the proxy can try, in order.
    pub fn chain(&self) -> Vec<&'a str> {
        self.arrangement.chain(self.exchange.to.as_deref())
    }

    /// A line for each attempt, for evidence.
    pub fn attempt_lines(&self) -> Vec<String> {
        // Consecutive attempts with the same outcome are one line.
        let alike = |a: &(&Attempt, AttemptOutcome), b: &(&Attempt, AttemptOutcome)| {
            a.0.deployment == b.0.deployment && a.1.describe_of(a.0) == b.1.describe_of(b.0)
        };
        let mut lines: Vec<String> = Vec::new();
        for run in self.attempts.chunk_by(alike) {
            let [(first, result), ..] = run else { continue };
            let last = run.last().map_or(first.n, |(last, _)| last.n);
            let to = if last > first.n { format!(" to #{last}") } else { String::new() };
            lines.push(format!("upstream {}{to} {}", first.name(), result.describe_of(first)));
        }
        for (deployment, fault) in &self.unreachable {
            let what = match fault {
                Fault::Connection(ConnectionFault::UnresolvableName) => "has a name that does not resolve",
                Fault::Connection(ConnectionFault::NeverAccepted) => "never accepts a connection",
                Fault::Connection(ConnectionFault::BacklogFull) => "accepts no further connections",
                _ => "refuses connections",
            };
            lines.push(format!("upstream {deployment} {what}"));
        }
        lines
    }
}

/// The fault of this turn that makes the deployment unreachable.
fn unreachable_by(turn: &Turn) -> Option<&Fault> {
    turn.faults.iter().find(|fault| fault.stage() == FaultStage::Address)
}

/// The attempts for the caller's request, and other requests of the proxy. A request to a path that the mock does not
/// serve is one of the latter, unless there are no others: then the proxy called the wrong path.
fn attempts_of<'a>(observation: &'a Observation, exchange: &'a Exchange) -> [Vec<&'a Attempt>; 2] {
    let all: Vec<&Attempt> = observation.attempts_of(exchange).collect();
    let is_other = |attempt: &&Attempt| attempt.was_asked() && attempt.api.is_none();
    if all.iter().all(is_other) {
        return [all, Vec::new()];
    }
    let (others, attempts) = all.into_iter().partition(is_other);
    [attempts, others]
}
