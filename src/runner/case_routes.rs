//! The routes of a case in the configuration of a proxy.

use crate::{
    observation::Identity,
    provider,
    proxy::ProxyRoute,
    scenario::{Case, ProxySettings},
};

/// The model name with which callers address a deployment: all deployments of a group have that of the first one.
pub(super) fn model(settings: &ProxySettings, identity: &Identity, deployment: &str) -> String {
    let first = settings.group.first().filter(|_| settings.group.iter().any(|member| member == deployment));
    identity.model(first.map_or(deployment, String::as_str))
}

/// The routes of a case for the configuration of a proxy. `base_url` returns the base URL of a deployment.
pub(crate) fn routes(
    case: &Case,
    identity: &Identity,
    base_url: impl Fn(&str) -> String,
) -> Box<[ProxyRoute]> {
    let settings = &case.scenario.proxy;
    case.scenario
        .deployments
        .keys()
        .enumerate()
        .map(|(i, name)| ProxyRoute {
            model: model(settings, identity, name),
            api: case.combination.api,
            provider: case.combination.provider,
            upstream_model: provider::model(case.combination.provider).to_owned(),
            base_url: base_url(name),
            api_key: identity.key(name),
            fallbacks: if i == 0 {
                settings.fallback.iter().skip(1).map(|name| identity.model(name)).collect()
            } else {
                Vec::new()
            },
            settings: settings.clone(),
            group: identity.token.clone(),
        })
        .collect()
}
