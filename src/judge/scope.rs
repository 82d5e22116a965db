//! The scope of a rule: what it judges, and in which circumstances it applies.

pub(crate) use Circumstance::*;

use super::facts::Facts;
use crate::{observation::StepName, scenario::SiblingKind};

/// What a rule judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Each call of a case.
    Call,
    /// Each call of a case, compared with the same call of a sibling.
    Siblings(SiblingKind),
    /// The proxy as a whole, once per case.
    Proxy,
    /// The last call of a case, by the expectations of the scenario.
    Expectation,
}

/// A circumstance of a call on which the scope of a rule can depend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circumstance {
    /// The case stopped the proxy.
    ProxyStopped,
    /// The call was sent on a pass-through route.
    PassThrough,
    /// The caller left before the end of the response.
    CallerLeft,
    /// The proxy may have answered from its cache: its definition says that it has one, and an earlier request of the
    /// case was the same.
    FromCache,
    /// The request is invalid on purpose.
    InvalidRequest,
    /// It is the request that is sent after the upstreams work again.
    Recovery,
    /// A cooldown is configured.
    WithCooldown,
    /// More than one deployment is configured as a chain of fallbacks.
    WithFallbacks,
    /// The caller requested a stream.
    Stream,
    /// The caller got a session.
    Session,
    /// Every attempt failed, so that the proxy must report a failure.
    Failed,
    /// Every attempt failed, and one of them after content, so that the proxy could no longer choose the status.
    FailedAfterContent,
    /// An upstream was asked at an endpoint for which the scenario has no body, so that it sent the provider's own reply
    /// instead of what the scenario is about.
    AtOtherEndpoint,
    /// The proxy sent the 200 of a stream, with keep-alive pings, before the upstreams failed.
    Pinged,
}

/// Circumstances in which a rule applies only if its scope names them: the rest of the response is unknown, or a
/// consequence of what happened, or must not be in the form that other rules require.
const EXCEPTIONAL: [Circumstance; 4] = [
    Circumstance::ProxyStopped,
    Circumstance::PassThrough,
    Circumstance::CallerLeft,
    Circumstance::FromCache,
];

/// The scope of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope {
    /// What the rule judges.
    pub subject: Subject,
    only: &'static [Circumstance],
    also: &'static [Circumstance],
    never: &'static [Circumstance],
}

impl Scope {
    /// Every call, except in exceptional circumstances.
    pub(crate) const CALLS: Self = Self::of(Subject::Call);

    /// Everything of this kind, except in exceptional circumstances.
    pub(crate) const fn of(subject: Subject) -> Self {
        Self { subject, only: &[], also: &[], never: &[] }
    }

    /// The same scope, but only if all of these circumstances are given.
    pub(crate) const fn only(self, only: &'static [Circumstance]) -> Self {
        Self { only, ..self }
    }

    /// The same scope, also in these exceptional circumstances.
    pub(crate) const fn also(self, also: &'static [Circumstance]) -> Self {
        Self { also, ..self }
    }

    /// The same scope, but not if one of these circumstances is given.
    pub(crate) const fn never(self, never: &'static [Circumstance]) -> Self {
        Self { never, ..self }
    }

    /// Whether the rule can apply in this circumstance.
    pub(crate) fn allows(&self, circumstance: Circumstance) -> bool {
        let is_named = self.only.contains(&circumstance) || self.also.contains(&circumstance);
        is_named || !(self.never.contains(&circumstance) || EXCEPTIONAL.contains(&circumstance))
    }

    /// Whether a call is in the scope.
    pub(crate) fn includes(&self, facts: &Facts<'_>) -> bool {
        self.subject.is_in(facts)
            && self.only.iter().all(|one| one.is_given(facts))
            && EXCEPTIONAL.iter().chain(self.never).all(|one| self.allows(*one) || !one.is_given(facts))
    }
}

impl Subject {
    fn is_in(self, facts: &Facts<'_>) -> bool {
        match (self, &facts.sibling) {
            (Self::Siblings(kin), Some(sibling)) => sibling.kin == kin,
            (Self::Siblings(_), None) | (_, Some(_)) => false,
            (Self::Call, None) => true,
            (Self::Proxy, None) => facts.is_first,
            (Self::Expectation, None) => facts.is_last_step,
        }
    }
}

impl Circumstance {
    fn is_given(self, facts: &Facts<'_>) -> bool {
        let settings = &facts.arrangement.proxy;
        match self {
            Self::ProxyStopped => facts.seen.stopped_the_proxy(),
            Self::PassThrough => settings.pass_through,
            Self::CallerLeft => facts.left.is_some(),
            Self::FromCache => facts.is_from_cache(),
            Self::InvalidRequest => facts.exchange.mistake.is_some(),
            Self::Recovery => facts.exchange.step == StepName::Recovery,
            Self::WithCooldown => settings.cooldown.is_some(),
            Self::WithFallbacks => settings.fallback.len() > 1,
            Self::Stream => facts.wants_stream(),
            Self::Session => facts.response.session().is_some(),
            Self::Failed => facts.is_failure(),
            Self::FailedAfterContent => facts.content_committed(),
            Self::AtOtherEndpoint => facts.is_at_other_endpoint(),
            Self::Pinged => facts.is_pinged(),
        }
    }
}
