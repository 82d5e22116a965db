//! Selects a slice of all cases that takes a proxy little time.

use std::collections::BTreeMap;

use super::{
    plan::{PlannedCase, RunPlan, plan},
    settings::ProxyChoice,
};
use crate::scenario::{Api, Case};

/// One case for each folder of scenarios and each API, the fastest one by `cost`. Only cases that run on the instance of
/// the proxy with the most cases: another instance would have to be started for few cases.
pub(crate) fn slice(cases: Vec<Case>, proxy: &ProxyChoice, cost: impl Fn(&str) -> u64) -> Vec<Case> {
    let RunPlan { cases, groups, .. } = plan(cases, proxy, 0);
    let size = |group: usize| cases.iter().filter(|planned| planned.group == group).count();
    let Some(largest) = (0..groups.len()).max_by_key(|group| size(*group)) else { return Vec::new() };
    let mut best: BTreeMap<(String, Api), Case> = BTreeMap::new();
    for PlannedCase { case, .. } in cases.into_iter().filter(|planned| planned.group == largest) {
        let folder = case.scenario.id.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let key = (folder, case.combination.api);
        if best.get(&key).is_none_or(|other| cost(&case.id) < cost(&other.id)) {
            best.insert(key, case);
        }
    }
    best.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{builtin::EmbeddedProxy, scenario::Library};

    #[test]
    fn the_slice_has_the_fastest_case_of_each_folder_and_api() {
        let cases = Library::bundled().cases();
        let proxy = ProxyChoice::Builtin(EmbeddedProxy::Reference);
        let preferred = "limits/quota";
        let slice = slice(cases.clone(), &proxy, |id| u64::from(id != preferred));
        let key = |case: &Case| {
            (case.scenario.id.rsplit_once('/').map(|(folder, _)| folder.to_owned()), case.combination.api)
        };
        let keys: BTreeSet<_> = slice.iter().map(key).collect();
        assert_eq!(keys.len(), slice.len(), "one case for each");
        assert!(slice.iter().any(|case| case.id == preferred));
        assert!(slice.len() * 5 < cases.len(), "{} of {}", slice.len(), cases.len());
        let apis: BTreeSet<Api> = slice.iter().map(|case| case.combination.api).collect();
        let served = plan(cases, &proxy, 0).cases;
        assert_eq!(apis, served.iter().map(|planned| planned.case.combination.api).collect());
    }
}
