//! The routes of a run that is still to come, for a proxy that somebody else configures.

use std::net::SocketAddr;

use super::{
    case::routes,
    control::{self, Kind},
    plan::{identity, lacks_when_remote},
};
use crate::{
    proxy::{Definition, Route},
    scenario::Case,
    upstream::base_url,
};

/// What a proxy must know so that `upfault run --proxy URL --listen ADDR`, with the same seed and
/// the same cases, finds its deployments there: names, paths and keys follow from the seed alone.
pub fn static_routes(cases: &[Case], definition: &Definition, listen: SocketAddr, seed: u64) -> Vec<Route> {
    let served: Vec<&Case> = cases
        .iter()
        .filter(|case| lacks_when_remote(case).is_none())
        .filter(|case| {
            definition.lacks(&case.combination, &case.scenario.proxy, case.scenario.transport).is_none()
        })
        .collect();
    let kinds: Vec<_> = served.iter().map(|case| Kind::of(case)).collect();
    let mut all = control::static_routes(&kinds, listen);
    for case in served {
        let identity = identity(seed, &case.id);
        let provider = case.combination.provider;
        all.extend(routes(case, &identity, |name| base_url(listen, provider, &identity, name)));
    }
    all
}
