//! One exchange with what the upstreams did for it: all that a rule may look at.

use jiff::Timestamp;

use super::{dialect::Completion, fate::Fate, policy::Policy, told::Told};
use crate::{
    observation::{Answer, Arrangement, Attempt, DeploymentArranged, Exchange, Left, Observation, StepName},
    scenario::{Api, ConnectionFault, Fault, Stage, Turn},
};

/// All that a rule may look at.
pub struct Facts<'a> {
    /// What was set up.
    pub arrangement: &'a Arrangement,
    /// The time of day at which the record's clock stood at 0.
    pub began: Option<Timestamp>,
    /// The chosen answers to disputed questions.
    pub policy: &'a Policy,
    /// The exchange that is judged.
    pub exchange: &'a Exchange,
    /// Whether it is the last step of the scenario (the recovery request is none of its steps).
    pub is_last_step: bool,
    /// That the caller left, and so was not there for the end.
    pub left: Option<&'a Left>,
    /// What the caller was told.
    pub told: Told,
    /// The attempts that it led to, in order of arrival.
    pub attempts: Vec<(&'a Attempt, Fate)>,
    /// What the proxy asked besides: the properties of a model, the place that a redirect names.
    pub beside: Vec<&'a Attempt>,
    /// Attempts of the whole case.
    pub all_attempts: &'a [Attempt],
    /// Exchanges of the whole case.
    pub all_exchanges: &'a [Exchange],
    /// All that was seen in the case.
    pub seen: &'a Observation,
    /// Deployments that cannot be reached, and so never see an attempt, each with what is wrong.
    pub unreachable: Vec<(&'a str, &'a Fault)>,
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
        let [attempts, beside] = attempts_of(observation, exchange);
        Self {
            arrangement,
            began: observation.began,
            policy,
            exchange,
            is_last_step: last.is_some_and(|last| std::ptr::eq(last, exchange)),
            left: exchange.abandoned(),
            told: Told::of(exchange, case.api),
            attempts: attempts.into_iter().map(|attempt| (attempt, Fate::of(attempt, case))).collect(),
            beside,
            all_attempts: &observation.attempts,
            all_exchanges: &observation.exchanges,
            seen: observation,
            unreachable,
        }
    }

    /// Whether an attempt was cut short because its caller had left: that tells nothing of the upstream.
    pub fn ended_by_leaving(&self, attempt: &Attempt) -> bool {
        self.all_exchanges.iter().any(|exchange| {
            exchange.left.as_ref().is_some_and(|left| {
                attempt.at_ms >= exchange.sent_ms
                    && attempt.at_ms <= exchange.end_ms
                    && attempt.end_ms.is_none_or(|end| end >= left.at_ms)
            })
        })
    }

    /// A text of the proxy's own, without what varies by itself: the one in which common words may be looked
    /// for, because none is in it by chance.
    pub fn steady(&self, text: &str) -> String {
        self.arrangement.volatile.iter().fold(text.to_owned(), |text, volatile| volatile.replace(&text))
    }

    /// The endpoint that the caller called.
    pub fn api(&self) -> Api {
        self.arrangement.combination.api
    }

    /// The caller asked for a stream.
    pub fn wants_stream(&self) -> bool {
        self.arrangement.combination.stream && self.api().streams()
    }

    /// The answer, if there was one.
    pub fn answer(&self) -> Option<&'a Answer> {
        self.exchange.answer()
    }

    /// The attempt whose success the caller is owed: the one that it got, where it got one as it was
    /// sent, else the last.
    pub fn success(&self) -> Option<(&'a Attempt, &Completion)> {
        let got = self.told.completion();
        let mut chosen = None;
        for (attempt, fate) in self.attempts.iter().rev() {
            let Fate::Success(completion) = fate else { continue };
            if got.is_some_and(|got| got.says_the_same(completion)) {
                return Some((*attempt, completion));
            }
            chosen = chosen.or(Some((*attempt, completion)));
        }
        chosen
    }

    /// Whether every upstream that was tried failed, so that the caller is owed a failure.
    ///
    /// False where nothing was tried and everybody can be reached: then the answer is the proxy's own.
    /// False too where a reply could be taken or refused: nobody is owed either.
    pub fn is_failure(&self) -> bool {
        let doubtful = self.attempts.iter().any(|(attempt, _)| attempt.sent.doubtful);
        self.success().is_none() && !doubtful && (!self.attempts.is_empty() || self.is_unreachable())
    }

    /// Nobody could be reached: no attempt arrived, and a deployment of the chain cannot see one.
    pub fn is_unreachable(&self) -> bool {
        self.attempts.is_empty() && !self.unreachable.is_empty()
    }

    /// A deployment that never sees an attempt.
    pub fn cannot_reach(&self, deployment: &str) -> bool {
        self.unreachable.iter().any(|(name, _)| *name == deployment)
    }

    /// Whoever tries to reach it waits in vain, where others are told at once.
    pub fn is_unreachable_in_silence(&self) -> bool {
        let silent = |fault: &Fault| {
            matches!(fault, Fault::Connection(ConnectionFault::NeverAccepted | ConnectionFault::BacklogFull))
        };
        self.is_unreachable() && self.unreachable.iter().any(|(_, fault)| silent(fault))
    }

    /// The failed attempts. Where all failed, the caller may be told of any of them.
    pub fn failures(&self) -> impl Iterator<Item = (&'a Attempt, &Fate)> {
        self.attempts.iter().filter(|(_, fate)| !fate.is_success()).map(|(attempt, fate)| (*attempt, fate))
    }

    /// The statuses other than 2xx that failed upstreams answered with.
    pub fn upstream_statuses(&self) -> Vec<u16> {
        let mut statuses: Vec<u16> = self
            .failures()
            .filter_map(|(_, fate)| match fate {
                Fate::Status { status, .. } => Some(*status),
                _ => None,
            })
            .collect();
        statuses.dedup();
        statuses
    }

    /// Every failure was a plain status, of which `wanted` is true for each.
    pub fn failed_only_by(&self, wanted: impl Fn(u16) -> bool) -> bool {
        self.is_failure()
            && self.unreachable.is_empty()
            && self.failures().all(|(_, fate)| matches!(fate, Fate::Status { status, .. } if wanted(*status)))
    }

    /// The caller got content of a stream before the failure, so that its status is committed.
    pub fn content_committed(&self) -> bool {
        self.is_failure() && self.failures().any(|(_, fate)| fate.failed_after_content())
    }

    /// The caller got a stream whose upstream then fell away without a word: the head is committed, and what
    /// is told in the stream can only be the proxy's own.
    pub fn ended_without_a_word(&self) -> bool {
        let begun = |(attempt, fate): &(&Attempt, Fate)| {
            attempt.sent.status == Some(200)
                && matches!(fate, Fate::Cut { .. } | Fate::Silent { .. } | Fate::EndedEarly { .. })
        };
        self.wants_stream()
            && self.answer().is_some_and(|answer| answer.status == 200)
            && self.attempts.last().is_some_and(begun)
    }

    /// The 200 of a stream was out, with keep-alive pings, before the upstreams had failed: the status was
    /// given away on purpose, and only an event can tell the truth.
    pub fn is_pinged(&self) -> bool {
        let Some(answer) = self.answer().filter(|answer| (200..300).contains(&answer.status)) else {
            return false;
        };
        self.arrangement.proxy.keep_alive.is_some()
            && self.wants_stream()
            && self.attempts.iter().all(|(attempt, _)| attempt.end_ms.is_none_or(|end| end > answer.head_ms))
    }

    /// A deployment by name, as it was set up.
    pub fn key_of(&self, deployment: &str) -> Option<&'a str> {
        self.arrangement.deployments.iter().find(|d| d.name == deployment).map(|d| d.key.as_str())
    }

    /// The deployments that the proxy may try, in order.
    pub fn chain(&self) -> Vec<&'a str> {
        self.arrangement.chain(self.exchange.to.as_deref())
    }

    /// One line for each attempt, for evidence.
    pub fn attempt_lines(&self) -> Vec<String> {
        // Attempts that went alike, one after the other, are one line.
        let alike = |a: &(&Attempt, Fate), b: &(&Attempt, Fate)| {
            a.0.deployment == b.0.deployment && a.1.describe() == b.1.describe()
        };
        let mut lines: Vec<String> = Vec::new();
        for run in self.attempts.chunk_by(alike) {
            let [(first, fate), ..] = run else { continue };
            let last = run.last().map_or(first.n, |(last, _)| last.n);
            let to = if last > first.n { format!(" to #{last}") } else { String::new() };
            lines.push(format!("upstream {}#{}{to} {}", first.deployment, first.n, fate.describe()));
        }
        for (deployment, fault) in &self.unreachable {
            let what = match fault {
                Fault::Connection(ConnectionFault::UnresolvableName) => "has a name that does not resolve",
                Fault::Connection(ConnectionFault::NeverAccepted) => "never accepts a connection",
                Fault::Connection(ConnectionFault::BacklogFull) => "takes no further connection",
                _ => "refuses connections",
            };
            lines.push(format!("upstream {deployment} {what}"));
        }
        lines
    }
}

/// What keeps attempts from a deployment with this turn.
fn unreachable_by(turn: &Turn) -> Option<&Fault> {
    turn.faults.iter().find(|fault| fault.stage() == Stage::Address)
}

/// The attempts at what was asked for, and those beside them. What goes to a path that the provider's mock
/// does not have is a question of the proxy's own, unless nothing else was asked: then it is a call gone
/// wrong.
fn attempts_of<'a>(observation: &'a Observation, exchange: &'a Exchange) -> [Vec<&'a Attempt>; 2] {
    let all: Vec<&Attempt> = observation.attempts_of(exchange).collect();
    let is_beside = |attempt: &&Attempt| attempt.was_asked() && attempt.api.is_none();
    if all.iter().all(is_beside) {
        return [all, Vec::new()];
    }
    let (beside, attempts) = all.into_iter().partition(is_beside);
    [attempts, beside]
}
