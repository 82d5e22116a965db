//! One exchange with what the upstreams did for it: all that a rule may look at.

use super::{dialect::Completion, fate::Fate, policy::Policy, told::Told};
use crate::{
    observation::{Answer, Arrangement, Attempt, Exchange, Observation, StepName},
    scenario::{Api, Fault, Turn},
};

/// All that a rule may look at.
pub struct Facts<'a> {
    /// What was set up.
    pub arrangement: &'a Arrangement,
    /// The chosen answers to disputed questions.
    pub policy: &'a Policy,
    /// The exchange that is judged.
    pub exchange: &'a Exchange,
    /// Whether it is the last step of the scenario (the recovery request is none of its steps).
    pub is_last_step: bool,
    /// What the caller was told.
    pub told: Told,
    /// The attempts that it led to, in order of arrival.
    pub attempts: Vec<(&'a Attempt, Fate)>,
    /// Attempts of the whole case.
    pub all_attempts: &'a [Attempt],
    /// Deployments that refuse connections, and so never see an attempt.
    pub refusing: Vec<&'a str>,
}

impl<'a> Facts<'a> {
    /// The facts about one exchange of an observation.
    pub fn of(observation: &'a Observation, exchange: &'a Exchange, policy: &'a Policy) -> Self {
        let arrangement = &observation.arrangement;
        let case = arrangement.combination;
        let last = observation.exchanges.iter().rfind(|exchange| exchange.step != StepName::Recovery);
        let refusing = if exchange.step == StepName::Recovery {
            Vec::new()
        } else {
            arrangement
                .deployments
                .iter()
                .filter(|deployment| deployment.turns.iter().any(refuses))
                .map(|deployment| deployment.name.as_str())
                .collect()
        };
        Self {
            arrangement,
            policy,
            exchange,
            is_last_step: last.is_some_and(|last| std::ptr::eq(last, exchange)),
            told: Told::of(exchange, case.api),
            attempts: observation
                .attempts_of(exchange)
                .map(|attempt| (attempt, Fate::of(attempt, case)))
                .collect(),
            all_attempts: &observation.attempts,
            refusing,
        }
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
    /// False where nothing was tried and nobody refuses: then the answer is the proxy's own.
    pub fn is_failure(&self) -> bool {
        self.success().is_none() && (!self.attempts.is_empty() || self.is_refused())
    }

    /// Nobody could be reached: no attempt arrived, and a deployment of the chain refuses.
    pub fn is_refused(&self) -> bool {
        self.attempts.is_empty() && !self.refusing.is_empty()
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
            && !self.is_refused()
            && self.refusing.is_empty()
            && self.failures().all(|(_, fate)| matches!(fate, Fate::Status { status, .. } if wanted(*status)))
    }

    /// The caller got content of a stream before the failure, so that its status is committed.
    pub fn content_committed(&self) -> bool {
        self.is_failure() && self.failures().any(|(_, fate)| fate.failed_after_content())
    }

    /// A deployment by name, as it was set up.
    pub fn key_of(&self, deployment: &str) -> Option<&'a str> {
        self.arrangement.deployments.iter().find(|d| d.name == deployment).map(|d| d.key.as_str())
    }

    /// The deployments that the proxy may try, in order.
    pub fn chain(&self) -> Vec<&'a str> {
        let fallback = &self.arrangement.proxy.fallback;
        if fallback.is_empty() {
            self.arrangement.deployments.first().map(|d| d.name.as_str()).into_iter().collect()
        } else {
            fallback.iter().map(String::as_str).collect()
        }
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
        for deployment in &self.refusing {
            lines.push(format!("upstream {deployment} refuses connections"));
        }
        lines
    }
}

fn refuses(turn: &Turn) -> bool {
    turn.faults.contains(&Fault::Refuse)
}
