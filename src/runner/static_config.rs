//! The routes of a run that is still to come, for a proxy that somebody else configures.

use std::net::SocketAddr;

use super::{case::routes_at, control, plan::plan, settings::ProxyChoice};
use crate::{
    proxy::{Definition, Route},
    scenario::Case,
};

/// What a proxy must know so that `upfault run --proxy URL --listen ADDR` with the same seed and
/// the same cases finds its deployments there: names, paths and keys follow from the seed alone.
pub fn static_routes(cases: Vec<Case>, definition: &Definition, listen: SocketAddr, seed: u64) -> Vec<Route> {
    let choice = ProxyChoice::Definition(Box::new(definition.clone()));
    let plan = plan(cases, &choice, seed);
    let combinations: Vec<_> = plan.cases.iter().map(|planned| planned.case.combination).collect();
    let mut routes = control::static_routes(&combinations, listen);
    for planned in &plan.cases {
        routes.extend(routes_at(&planned.case, &planned.identity, |path| crate::upstream::base_url(listen, planned.case.combination.provider, path)));
    }
    routes
}
