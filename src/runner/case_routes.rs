//! The routes of a case in the configuration of a proxy.

use crate::{
    observation::Identity,
    provider,
    proxy::ProxyRoute,
    scenario::{Case, OwnDeployment, Provider},
};

/// The model name with which callers address a deployment: all deployments of a group have that of the first one.
pub(super) fn model(case: &Case, identity: &Identity, deployment: &str) -> String {
    let group = &case.scenario.proxy.group;
    let first = group.first().filter(|_| group.iter().any(|member| member == deployment));
    let suffix = case.own.as_ref().map_or("", |own| &own.suffix);
    identity.model(first.map_or(deployment, String::as_str)) + suffix
}

fn own_deployment<'c>(case: &'c Case, name: &str) -> Option<&'c OwnDeployment> {
    case.own.as_ref().map(|own| own.deployment(&case.scenario.proxy, name))
}

/// The provider of a deployment, if it is not that of the case: a fallback in a user's own configuration.
pub(super) fn provider_of(case: &Case, name: &str) -> Option<Provider> {
    let provider = own_deployment(case, name)?.provider;
    (provider != case.combination.provider).then_some(provider)
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
            model: model(case, identity, name),
            api: case.combination.api,
            provider: provider_of(case, name).unwrap_or(case.combination.provider),
            upstream_model: provider::model(case.combination.provider).to_owned(),
            base_url: base_url(name),
            api_key: identity.key(name),
            fallbacks: if i == 0 {
                settings.fallback.iter().skip(1).map(|name| model(case, identity, name)).collect()
            } else {
                Vec::new()
            },
            settings: settings.clone(),
            group: identity.token.clone(),
            own: own_deployment(case, name).map(|own| own.entry.clone()).unwrap_or_default(),
        })
        .collect()
}
