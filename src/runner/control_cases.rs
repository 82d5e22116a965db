//! The cases of control requests, for each kind of route.

use std::sync::Arc;

use super::case_routes::routes;
use crate::{
    observation::Identity,
    proxy::ProxyRoute,
    scenario::{
        Case, Combination, ErrorName, Expect, Level, OwnModel, ProxySettings, Scenario, Step, SuccessReply,
        Transport, Turn, TurnReply,
    },
    upstream::base_url,
};

/// A kind of route: API, provider, and whether it is a pass-through route.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RouteKind {
    combination: Combination,
    pass_through: bool,
    own: Option<Arc<OwnModel>>,
}

impl RouteKind {
    /// The kind of route that a case uses.
    pub(super) fn of(case: &Case) -> Self {
        let combination = Combination { stream: false, ..case.combination };
        Self { combination, pass_through: case.scenario.proxy.pass_through, own: case.own.clone() }
    }

    /// Letters and digits that differ for each kind.
    fn name(&self) -> String {
        let Combination { api, provider, .. } = self.combination;
        let plain = format!("{api}{provider}").replace(|c: char| !c.is_ascii_alphanumeric(), "");
        plain + if self.pass_through { "passed" } else { "" }
    }
}

/// The routes of control requests for mocks that a proxy will reach at `mocks_at`.
pub(super) fn static_routes(kinds: &[RouteKind], mocks_at: &str, token: &str) -> Vec<ProxyRoute> {
    let mut all = Vec::new();
    for case in cases(0, kinds, token).into_iter().flatten() {
        let identity = Identity { token: case.id.clone() };
        let provider = case.combination.provider;
        all.extend(routes(&case, &identity, |name| base_url(mocks_at, provider, &identity, name)));
    }
    all
}

/// A case that always succeeds and one that always fails, for each kind. Their names depend only on the kind, the group and
/// the token: a later run of fewer cases finds them in the configuration.
pub(super) fn cases(group: usize, kinds: &[RouteKind], token: &str) -> Vec<[Case; 2]> {
    let mut seen: Vec<&RouteKind> = Vec::new();
    for kind in kinds {
        if !seen.contains(&kind) {
            seen.push(kind);
        }
    }
    let make = |i: usize, kind: &RouteKind, end: &str, answer: TurnReply| {
        // Models of a user's own differ in more than the kind says.
        let n = if kind.own.is_some() { format!("x{i}x") } else { String::new() };
        let identity = Identity { token: format!("control{group}{token}{}{n}{end}", kind.name()) };
        case(&identity, kind, Turn { answer, headers: indexmap::IndexMap::new(), faults: Vec::new() })
    };
    let pair = |(i, kind): (usize, &RouteKind)| {
        let succeeding = make(i, kind, "ok", TurnReply::Reply(SuccessReply::Ok));
        [succeeding, make(i, kind, "no", TurnReply::Error(ErrorName::Internal))]
    };
    seen.into_iter().enumerate().map(pair).collect()
}

fn case(identity: &Identity, kind: &RouteKind, turn: Turn) -> Case {
    let RouteKind { combination, pass_through, own } = kind.clone();
    let scenario = Scenario {
        id: identity.token.clone(),
        file: String::new(),
        line: 1,
        title: "A control request".to_owned(),
        why: "It checks whether the proxy serves.".to_owned(),
        level: Level::Informative,
        tags: Vec::new(),
        references: Vec::new(),
        matrix: vec![combination],
        deployments: Arc::new([("primary".to_owned(), vec![turn])].into_iter().collect()),
        transport: Transport::Plain,
        account: None,
        speedup: None,
        proxy: ProxySettings { pass_through, ..ProxySettings::default() },
        steps: vec![Step::default()],
        expect: Expect::default(),
        except: indexmap::IndexMap::new(),
        recorded: None,
        known: Vec::new(),
    };
    Case { id: identity.token.clone(), scenario: Arc::new(scenario), combination, own }
}
