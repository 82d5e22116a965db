//! The configuration of a proxy that upfault does not start: its routes, and the record of them that a later run checks.

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    case_routes::routes,
    control_cases::{self, RouteKind},
    identity::{identity, look_identity, looks},
};
use crate::{
    observation::Identity,
    proxy::{Definition, InstanceSettings, ProxyRoute},
    scenario::{Case, Transport},
    upstream::{self, base_url},
};

/// The file with the [`Rendering`], in the folder that `upfault proxy render --to FOLDER` writes.
pub(crate) const MANIFEST: &str = "attach.json";

/// The file with the key of callers, in the folder that `upfault proxy render --to FOLDER` writes.
pub(crate) const KEY_FILE: &str = "proxy.env";

/// The first words of the reason for skipping a case for which a running proxy is not configured.
pub(crate) const NOT_CONFIGURED: &str = "not configured: ";

pub(super) fn not_configured(why: &str) -> String {
    format!("{NOT_CONFIGURED}{why}")
}

/// The cases that can share an instance of a proxy.
#[derive(Debug, Clone)]
pub(crate) struct InstancePlan {
    /// The settings of the instance.
    pub settings: InstanceSettings,
    /// Its cases, as the proxy can run them.
    pub cases: Vec<Case>,
}

/// Returns the instances that these cases need, the one with most cases first. Cases that cannot run with a proxy that is
/// already running are in none of them.
pub(crate) fn instances(cases: &[Case], definition: &Definition) -> Vec<InstancePlan> {
    let mut instances: Vec<InstancePlan> = Vec::new();
    let fitted = cases.iter().filter_map(|case| definition.fitted(case).ok());
    for case in fitted.filter(|case| lacks_when_attached(case).is_none()) {
        let settings = definition.instance_settings(&case.scenario.proxy);
        match instances.iter_mut().find(|instance| instance.settings == settings) {
            Some(instance) => instance.cases.push(case),
            None => instances.push(InstancePlan { settings, cases: vec![case] }),
        }
    }
    instances.sort_by_key(|instance| std::cmp::Reverse(instance.cases.len()));
    instances
}

/// What a proxy was configured for. `upfault proxy render --to FOLDER` writes it, and a run with the proxy reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rendering {
    /// The version of upfault.
    pub upfault: String,
    /// The absolute path of the folder in which it was rendered. Paths in `proxy` and `paths` are relative to it.
    pub base: PathBuf,
    /// The proxy, as `upfault proxy render` takes it.
    pub proxy: String,
    /// The words of the command that renders it again.
    pub command: Vec<String>,
    /// Scenario files, folders and names, as the command names them.
    pub paths: Vec<String>,
    /// The filter of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The seed.
    pub seed: u64,
    /// The address of the mock providers.
    pub listen: SocketAddr,
    /// The host and port by which the proxy reaches the mock providers.
    pub mocks_at: String,
    /// The 1-based number of the instance.
    pub instance: usize,
    /// The settings of each instance, in words, and the number of its cases.
    pub instances: Vec<RenderedInstance>,
    /// A hash of everything that the configuration depends on. The names of the control routes contain it, so that a proxy
    /// with another configuration is noticed.
    pub token: String,
    /// A hash of the routes of each case.
    pub cases: BTreeMap<String, String>,
    /// A hash of the templates.
    pub templates: String,
}

/// An instance that the selected cases need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenderedInstance {
    /// Its settings: `a cooldown of 2s after 1 failure`.
    pub settings: String,
    /// The number of its cases.
    pub cases: usize,
}

/// The routes of an instance whose mocks will be reached at a known address.
#[derive(Debug)]
pub(crate) struct RenderedRoutes {
    /// All routes, those of control requests first.
    pub routes: Vec<ProxyRoute>,
    /// [`Rendering::token`].
    pub token: String,
    /// [`Rendering::cases`].
    pub cases: BTreeMap<String, String>,
}

impl RenderedRoutes {
    /// Returns the routes of the cases. Names, paths and keys depend only on the seed.
    pub(crate) fn new(cases: &[Case], mocks_at: &str, seed: u64) -> Self {
        let mut all = Vec::new();
        let mut hashes = BTreeMap::new();
        for case in cases {
            let own = case_routes(case, mocks_at, seed);
            hashes.insert(case.id.clone(), hash_of_routes(&own));
            all.extend(own);
        }
        let mut hash = Sha256::new().chain_update(mocks_at).chain_update(seed.to_le_bytes());
        for (case, routes) in &hashes {
            hash.update(case);
            hash.update(routes);
        }
        let token = Identity::letters(&hash.finalize())[..8].to_owned();
        let kinds: Vec<_> = cases.iter().map(RouteKind::of).collect();
        let mut routes = control_cases::static_routes(&kinds, mocks_at, &token);
        routes.extend(all);
        Self { routes, token, cases: hashes }
    }
}

/// Why a case cannot run with a proxy that was configured before the run.
pub(super) fn lacks_when_attached(case: &Case) -> Option<String> {
    let faults = || case.scenario.deployments.values().flatten().flat_map(|turn| &turn.faults);
    if case.scenario.transport != Transport::Plain {
        Some(
            "a running proxy cannot trust the certificate authority, which upfault creates for each run"
                .to_owned(),
        )
    } else {
        let apart = faults().find(|fault| fault.needs_own_address());
        apart.map(|fault| format!("`{fault}` needs a separate port, which is not known before the run"))
    }
}

/// The routes of a case, including those for further looks at it.
fn case_routes(case: &Case, mocks_at: &str, seed: u64) -> Vec<ProxyRoute> {
    let provider = case.combination.provider;
    let further = (2..=looks(case)).map(|n| look_identity(seed, &case.id, n));
    let identities = std::iter::once(identity(seed, &case.id)).chain(further);
    identities
        .flat_map(|identity| {
            routes(case, &identity, |name| base_url(mocks_at, provider, &identity, name)).into_vec()
        })
        .collect()
}

fn hash_of_routes(routes: &[ProxyRoute]) -> String {
    let mut hash = Sha256::new();
    for route in routes {
        hash.update(serde_json::to_vec(route).unwrap_or_default());
    }
    Identity::letters(&hash.finalize())[..12].to_owned()
}

/// Returns the certificate of an authority that no upstream uses, as PEM: some configurations name one.
pub(crate) fn authority_pem() -> io::Result<String> {
    upstream::authority_pem()
}

/// Returns the key of callers in a folder that upfault wrote.
pub(crate) fn key_in(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join(KEY_FILE)).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("UPFAULT_PROXY_KEY="))?.trim();
    let value = value.trim_matches(['\'', '"']);
    (!value.is_empty()).then(|| value.to_owned())
}

impl Rendering {
    /// Reads it from the folder that `upfault proxy render --to FOLDER` wrote.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(folder.join(MANIFEST)).map_err(|error| error.to_string())?;
        serde_json::from_str(&text)
            .map_err(|error| format!("it is damaged, or from another version of upfault: {error}"))
    }

    /// Returns why the proxy is not configured for a case, or `None` if it is. `case` is as the proxy can run it.
    pub(crate) fn lacks(&self, case: &Case, definition: &Definition) -> Option<String> {
        if let Some(hash) = self.cases.get(&case.id) {
            let same = hash_of_routes(&case_routes(case, &self.mocks_at, self.seed)) == *hash;
            return (!same)
                .then(|| not_configured("the scenario has changed since the proxy was configured"));
        }
        let settings = definition.instance_settings(&case.scenario.proxy).describe();
        let own = self.instance.checked_sub(1).and_then(|own| self.instances.get(own));
        if own.is_none_or(|own| own.settings == settings) {
            return Some(not_configured("the proxy was configured for other cases"));
        }
        let number = self.instances.iter().position(|instance| instance.settings == settings);
        let number = number.map(|at| format!(", instance {}", at + 1)).unwrap_or_default();
        Some(not_configured(&format!("the case needs a proxy with {settings}{number}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::identity::LOOKS;
    use crate::scenario::{expand, load_text};

    fn litellm() -> Definition {
        Definition::find("litellm", Path::new("/nonexistent")).unwrap()
    }

    fn cases(id: &str, rest: &str) -> Vec<Case> {
        let text = format!("title: t\nwhy: w\n{rest}");
        let scenario =
            load_text(id, "x.yaml", &text).unwrap_or_else(|error| panic!("{}", error.render(false)));
        expand(&std::sync::Arc::new(scenario))
    }

    fn all() -> Vec<Case> {
        let mut all = cases(
            "chain",
            "deployments: {a: [{error: internal}], b: [{reply: ok}]}\nproxy: {timeout: 5s, fallback: [a, b]}",
        );
        all.extend(cases("plain", "matrix: {stream: [false, true]}\nupstream: [{error: rate_limit}]"));
        all.extend(cases(
            "rest",
            "upstream: [{error: internal}]\nproxy: {timeout: 5s, cooldown: {after: 1, for: 2s}}",
        ));
        all.extend(cases("tls", "transport: tls\nupstream: [{reply: ok}]"));
        all.extend(cases("gone", "upstream: [{faults: [refuse]}]"));
        all
    }

    fn rendering(seed: u64, instance: usize) -> Rendering {
        let (definition, mocks_at) = (litellm(), "127.0.0.1:9400");
        let plans = instances(&all(), &definition);
        let RenderedRoutes { token, cases, .. } =
            RenderedRoutes::new(&plans[instance - 1].cases, mocks_at, seed);
        let described = plans
            .iter()
            .map(|plan| RenderedInstance { settings: plan.settings.describe(), cases: plan.cases.len() });
        Rendering {
            upfault: "0.1.0".to_owned(),
            base: PathBuf::from("/"),
            proxy: "litellm".to_owned(),
            command: Vec::new(),
            paths: Vec::new(),
            filter: None,
            seed,
            listen: "127.0.0.1:9400".parse().unwrap(),
            mocks_at: mocks_at.to_owned(),
            instance,
            instances: described.collect(),
            token,
            cases,
            templates: String::new(),
        }
    }

    #[test]
    fn the_instance_with_most_cases_comes_first_and_cases_that_need_ports_of_their_own_in_none() {
        let plans = instances(&all(), &litellm());
        let shown: Vec<String> =
            plans.iter().map(|plan| format!("{} {}", plan.cases.len(), plan.settings.describe())).collect();
        assert_eq!(shown, ["2 the default settings", "1 a fallback", "1 a cooldown of 2s after 1 failure"]);
    }

    #[test]
    fn a_case_of_another_instance_or_with_other_routes_is_not_configured() {
        let (definition, first) = (litellm(), rendering(0, 1));
        let fitted = |id: &str| {
            let all = all();
            definition.fitted(all.iter().find(|case| case.id == id).unwrap()).unwrap()
        };
        assert_eq!(first.lacks(&fitted("plain[stream]"), &definition), None);
        insta::assert_snapshot!(
            first.lacks(&fitted("chain"), &definition).unwrap(),
            @"not configured: the case needs a proxy with a fallback, instance 2"
        );
        assert_eq!(rendering(0, 2).lacks(&fitted("chain"), &definition), None);
        assert_eq!(rendering(0, 3).lacks(&fitted("rest"), &definition), None);
        let other = cases("other", "upstream: [{error: rate_limit}]").remove(0);
        insta::assert_snapshot!(
            first.lacks(&other, &definition).unwrap(),
            @"not configured: the proxy was configured for other cases"
        );
        let changed = cases("plain", "upstream: [{error: rate_limit}]\nproxy: {timeout: 9s}").remove(0);
        insta::assert_snapshot!(
            first.lacks(&changed, &definition).unwrap(),
            @"not configured: the scenario has changed since the proxy was configured"
        );
    }

    #[test]
    fn the_control_routes_of_two_configurations_have_different_names() {
        let plan = &instances(&all(), &litellm())[0];
        let names = |seed, mocks_at| -> Vec<String> {
            let routes = RenderedRoutes::new(&plan.cases, mocks_at, seed).routes;
            routes[..2].iter().map(|route| route.model.clone()).collect()
        };
        let first = names(0, "127.0.0.1:9400");
        assert_eq!(first, names(0, "127.0.0.1:9400"));
        assert_ne!(first, names(1, "127.0.0.1:9400"));
        assert_ne!(first, names(0, "host.docker.internal:9400"));
    }

    #[test]
    fn a_case_whose_proxy_remembers_failures_has_routes_for_every_look() {
        let plans = instances(&all(), &litellm());
        let routes = RenderedRoutes::new(&plans[2].cases, "127.0.0.1:9400", 0).routes;
        assert_eq!(routes.len(), 2 + LOOKS);
    }

    #[test]
    fn the_routes_of_a_proxy_in_a_container_lead_to_the_host() {
        let plan = &instances(&all(), &litellm())[0];
        let routes = RenderedRoutes::new(&plan.cases, "host.docker.internal:9400", 0).routes;
        assert!(
            routes.iter().all(|route| route.base_url.starts_with("http://host.docker.internal:9400/")),
            "{routes:?}"
        );
    }
}
