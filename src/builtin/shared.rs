//! The state that all requests of an instance share.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    attempt::UpstreamClient,
    cooldown::CooldownMemory,
    extension::{Extension, ProxyStep},
    failure::CallFailure,
    secrets::Secrets,
    tasks::Tasks,
    upstream_request::CallerRequest,
};
use crate::proxy::ProxyRoute;

/// The state that all requests of an instance share.
#[derive(Debug)]
pub(super) struct ProxyShared {
    pub outbound: UpstreamClient,
    pub routes: Arc<[ProxyRoute]>,
    pub secrets: Arc<Secrets>,
    /// Maps a model name to the index of the first route with that name.
    pub by_model: HashMap<String, usize>,
    pub proxy_key: String,
    pub extension: Arc<dyn Extension>,
    pub cooldowns: CooldownMemory,
    pub tasks: Tasks,
}

impl ProxyShared {
    pub(super) fn route(&self, model: &str) -> Option<&ProxyRoute> {
        self.by_model.get(model).and_then(|index| self.routes.get(*index))
    }

    /// The timeout of one attempt; `None` for no timeout.
    pub(super) fn limit(&self, route: &ProxyRoute) -> Option<Duration> {
        let limit = route.settings.timeout;
        if limit.is_zero() { None } else { self.extension.timeout(limit) }
    }

    /// Records the result of an attempt.
    pub(super) fn note(&self, route: &ProxyRoute, call: &CallerRequest, result: Result<(), &CallFailure>) {
        if let Err(failure) = result {
            self.extension.attempt_failed(route, failure, call);
        }
        self.cooldowns.note(self.cooldown_key(route), result, Instant::now());
    }

    /// The failure to send if a route is in cooldown.
    pub(super) fn refusal(&self, route: &ProxyRoute) -> Option<CallFailure> {
        self.cooldowns.refusal(self.cooldown_key(route), Instant::now())
    }

    /// What is in cooldown as a whole: a model, or one deployment of a group.
    fn cooldown_key<'r>(&self, route: &'r ProxyRoute) -> &'r str {
        let is_member = !route.settings.group.is_empty() && !self.extension.takes(ProxyStep::CoolGroup);
        if is_member { &route.api_key } else { &route.model }
    }

    /// The routes with the model of this one, beginning with it.
    pub(super) fn members<'r>(&'r self, route: &'r ProxyRoute) -> Vec<&'r ProxyRoute> {
        let mut members = vec![route];
        if !route.settings.group.is_empty() {
            members.extend(self.routes.iter().filter(|one| one.model == route.model && *one != route));
        }
        members
    }
}
