//! Arms the mocks of all cases, and creates the certificate authority that the proxies trust.

use std::{collections::BTreeSet, sync::Arc};

use indexmap::IndexMap;

use super::{
    case::ReadyCase,
    case_routes::{provider_of, routes},
    control::Control,
    control_cases::RouteKind,
    error::RunError,
    gateway::TrustedAuthority,
    identity::{look_identity, looks},
    plan::{PlannedCase, RunPlan},
    settings::{ProxyChoice, RunSettings},
};
use crate::{
    observation::Identity,
    scenario::{Case, Provider, Transport},
    upstream::{Armed, Upstream},
};

/// The certificate authority of the run, which the proxies trust.
pub(super) fn trust(
    plan: &RunPlan,
    settings: &RunSettings,
    upstream: &Upstream,
) -> Result<TrustedAuthority, RunError> {
    let file = settings.work_dir.join("ca.pem");
    let is_launched = matches!(settings.proxy, ProxyChoice::Definition(_));
    let needed = plan.cases.iter().any(|planned| planned.case.scenario.transport != Transport::Plain);
    if !is_launched && !needed {
        return Ok(TrustedAuthority { pem: None, file });
    }
    let pem = upstream.ca_pem().map_err(RunError::Authority)?;
    if is_launched {
        let written = std::fs::create_dir_all(&settings.work_dir).and_then(|()| std::fs::write(&file, &pem));
        written.map_err(|source| RunError::WorkDir { path: file.display().to_string(), source })?;
    }
    Ok(TrustedAuthority { pem: Some(pem), file })
}

/// The deployments with another provider than that of the case: fallbacks in a user's own configuration.
fn other_providers(case: &Case) -> IndexMap<String, Provider> {
    let names = case.scenario.deployments.keys();
    names.filter_map(|name| Some((name.clone(), provider_of(case, name)?))).collect()
}

/// Arms the mocks of all cases and control requests, grouped by instance.
pub(super) fn arm(
    plan: RunPlan,
    seed: u64,
    token: &str,
    upstream: &Upstream,
) -> std::io::Result<Vec<(Vec<ReadyCase>, Control)>> {
    let mut groups: Vec<Vec<ReadyCase>> = plan.groups.iter().map(|_| Vec::new()).collect();
    let ready = |case: Case, identity: Identity| {
        let armed = upstream.arm(Armed {
            identity: identity.clone(),
            combination: case.combination,
            deployments: case.scenario.deployments.clone(),
            providers: other_providers(&case),
            transport: case.scenario.transport,
            account: case.scenario.account.clone(),
            seed,
        })?;
        let routes = routes(&case, &identity, |name| armed.base_url(name));
        Ok::<_, std::io::Error>(ReadyCase::new(case, identity, armed, routes))
    };
    for PlannedCase { case, identity, group } in plan.cases {
        let spares: Vec<ReadyCase> = (2..=looks(&case))
            .map(|n| ready(case.clone(), look_identity(seed, &case.id, n)))
            .collect::<Result<_, _>>()?;
        groups[group].push(ready(case, identity)?.with_spares(spares));
    }
    let all = || groups.iter().flatten().flat_map(|ready| std::iter::once(ready).chain(&ready.spares));
    let addresses: BTreeSet<String> = all().flat_map(|ready| ready.armed.hosts()).collect();
    let addresses: Arc<[String]> = addresses.into_iter().collect();
    for ready in groups.iter_mut().flatten() {
        ready.spares.iter_mut().for_each(|spare| spare.run_addresses = addresses.clone());
        ready.run_addresses = addresses.clone();
    }
    let with_control = |(group, cases): (usize, Vec<ReadyCase>)| {
        let kinds: Vec<_> = cases.iter().map(|ready| RouteKind::of(&ready.case)).collect();
        Ok((cases, Control::arm(upstream, group, &kinds, token)?))
    };
    groups.into_iter().enumerate().map(with_control).collect()
}
