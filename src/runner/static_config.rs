//! The routes of a later run, for the configuration of a proxy that upfault does not start.

use std::net::SocketAddr;

use super::{
    case::routes,
    control::{self, RouteKind},
    plan::{identity, lacks_when_remote},
};
use crate::{
    proxy::{Definition, ProxyRoute},
    scenario::Case,
    upstream::base_url,
};

/// The routes that a proxy needs for `upfault run --proxy URL --listen ADDR` with the same seed and cases. Names, paths
/// and keys depend only on the seed.
pub(crate) fn static_routes(
    cases: &[Case],
    definition: &Definition,
    listen: SocketAddr,
    seed: u64,
) -> Vec<ProxyRoute> {
    let served: Vec<Case> = cases
        .iter()
        .filter(|case| lacks_when_remote(case).is_none())
        .filter_map(|case| definition.fitted(case).ok())
        .collect();
    let kinds: Vec<_> = served.iter().map(RouteKind::of).collect();
    let mut all = control::static_routes(&kinds, listen);
    for case in &served {
        let identity = identity(seed, &case.id);
        let provider = case.combination.provider;
        all.extend(routes(case, &identity, |name| base_url(listen, provider, &identity, name)));
    }
    all
}
