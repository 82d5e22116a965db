//! Splits cases into shards. Cases that are compared with each other stay together.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
};

use sha2::{Digest, Sha256};

use super::{
    balance::balance,
    durations::Durations,
    part::{Shard, ShardReport, Split},
};
use crate::scenario::{Case, siblings};

/// There are more shards than groups of cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyShards {
    /// The largest possible number of shards.
    pub most: usize,
}

/// The cases of one shard. The result depends only on the ids of `cases` and their durations, so that machines that
/// share nothing agree on the split.
///
/// # Errors
///
/// If a shard would be empty.
pub(crate) fn split(cases: Vec<Case>, shard: Shard, durations: &Durations) -> Result<Split, TooManyShards> {
    let mut sorted = cases.clone();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    let groups = groups(&sorted);
    let most = groups.iter().max().map_or(0, |last| last + 1);
    if shard.n > most {
        return Err(TooManyShards { most });
    }
    let mut weights = vec![0_u64; most];
    let costs = durations.costs(&sorted);
    for (group, case) in groups.iter().zip(&sorted) {
        weights[*group] += costs.of(&case.id);
    }
    let places = balance(&weights, shard.n);
    let placed = || sorted.iter().zip(&groups).map(|(case, group)| (places[*group] + 1, case.id.as_str()));
    let report = ShardReport { k: shard.k, n: shard.n, cases: sorted.len(), split: hash(placed()) };
    let mine: HashSet<&str> = placed().filter(|(k, _)| *k == shard.k).map(|(_, id)| id).collect();
    Ok(Split { cases: cases.into_iter().filter(|case| mine.contains(case.id.as_str())).collect(), report })
}

/// The group of each case, numbered from 0. Two cases are in the same group if one is compared with the other, directly
/// or through further cases.
fn groups(cases: &[Case]) -> Vec<usize> {
    let places: HashMap<&str, usize> =
        cases.iter().enumerate().map(|(n, case)| (case.id.as_str(), n)).collect();
    // The first case of each case's group, as far as it is known.
    let mut first: Vec<usize> = (0..cases.len()).collect();
    fn root(first: &[usize], mut n: usize) -> usize {
        while first[n] != n {
            n = first[n];
        }
        n
    }
    for (n, case) in cases.iter().enumerate() {
        for other in siblings(case).iter().filter_map(|sibling| places.get(sibling.id.as_str())) {
            let (a, b) = (root(&first, n), root(&first, *other));
            first[a.max(b)] = a.min(b);
        }
    }
    let mut numbers: HashMap<usize, usize> = HashMap::new();
    (0..cases.len())
        .map(|n| {
            let next = numbers.len();
            *numbers.entry(root(&first, n)).or_insert(next)
        })
        .collect()
}

/// A hash of which case is in which shard. The order of `places` does not matter.
fn hash<'c>(places: impl Iterator<Item = (usize, &'c str)>) -> String {
    let mut places: Vec<(usize, &str)> = places.collect();
    places.sort_unstable();
    let mut hasher = Sha256::new();
    for (shard, id) in places {
        hasher.update(format!("{shard} {}:{id}\n", id.len()));
    }
    let mut text = String::new();
    for byte in hasher.finalize().iter().take(8) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        sync::LazyLock,
    };

    use proptest::prelude::*;

    use super::*;
    use crate::{
        scenario::Library,
        shard::{CaseTime, balance::lower_bound},
    };

    static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| Library::bundled().cases());

    fn shards(cases: &[Case], n: usize, durations: &Durations) -> Vec<Split> {
        let one = |k| split(cases.to_vec(), Shard { k, n }, durations).expect("there are enough groups");
        (1..=n).map(one).collect()
    }

    fn heaviest(shards: &[Split], durations: &Durations) -> u64 {
        shards.iter().map(|part| durations.costs(&part.cases).total()).max().unwrap_or(0)
    }

    fn least(cases: &[Case], n: usize, durations: &Durations) -> u64 {
        let mut weights: BTreeMap<usize, u64> = BTreeMap::new();
        let costs = durations.costs(cases);
        for (group, case) in groups(cases).into_iter().zip(cases) {
            *weights.entry(group).or_default() += costs.of(&case.id);
        }
        let mut weights: Vec<u64> = weights.into_values().collect();
        weights.sort_by_key(|weight| std::cmp::Reverse(*weight));
        lower_bound(&weights, n)
    }

    #[test]
    fn the_bundled_cases_are_within_ten_percent_of_the_best_split() {
        for n in [1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 32] {
            let parts = shards(&CASES, n, Durations::bundled());
            let (heaviest, least) =
                (heaviest(&parts, Durations::bundled()), least(&CASES, n, Durations::bundled()));
            assert!(heaviest * 10 <= least * 11, "{n} shards: {heaviest} us, but {least} us is the bound");
        }
    }

    #[test]
    fn too_many_shards_are_refused_with_the_largest_possible_number() {
        let cases: Vec<Case> =
            CASES.iter().filter(|case| case.scenario.id == "limits/rate-limit").cloned().collect();
        let most = groups(&cases).into_iter().collect::<BTreeSet<_>>().len();
        let split =
            |n| split(cases.clone(), Shard { k: 1, n }, Durations::bundled()).map(|part| part.cases.len());
        assert!(split(most).is_ok());
        assert_eq!(split(most + 1), Err(TooManyShards { most }));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn every_case_is_in_exactly_one_shard_together_with_its_siblings(
            n in 1usize..40,
            seed in any::<u64>(),
            kept in 1usize..5,
            unknown in 1usize..4,
        ) {
            // Any selection, with any durations, of which some are missing.
            let pick = |id: &str, salt: u64| {
                let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(salt.to_le_bytes()).chain_update(id).finalize();
                usize::from(digest[0]) * 256 + usize::from(digest[1])
            };
            let cases: Vec<Case> = CASES.iter().filter(|case| pick(&case.id, 1) % kept == 0).cloned().collect();
            let measured = cases.iter().filter(|case| pick(&case.id, 2) % unknown == 0);
            let durations = Durations::new("x".to_owned(), measured.map(|case| {
                let alone_ms = if pick(&case.id, 3) % 20 == 0 { 2000.0 } else { 0.0 };
                (case.id.clone(), CaseTime { shared_ms: (pick(&case.id, 4) % 5000) as f64, alone_ms })
            }));
            let parts = shards(&cases, n, &durations);
            let mut ids: Vec<&str> = parts.iter().flat_map(|part| &part.cases).map(|case| case.id.as_str()).collect();
            ids.sort_unstable();
            let mut all: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
            all.sort_unstable();
            prop_assert_eq!(&ids, &all);
            for part in &parts {
                prop_assert!(!part.cases.is_empty());
                prop_assert_eq!((&part.report.split, part.report.cases), (&parts[0].report.split, cases.len()));
                let here: BTreeSet<&str> = part.cases.iter().map(|case| case.id.as_str()).collect();
                for sibling in part.cases.iter().flat_map(siblings) {
                    let selected = all.binary_search(&sibling.id.as_str()).is_ok();
                    prop_assert_eq!(here.contains(sibling.id.as_str()), selected, "{}", sibling.id);
                }
            }
            prop_assert!(heaviest(&parts, &durations) * 10 <= least(&cases, n, &durations) * 11);
            // The order in which the files were found does not matter.
            let mut reversed = cases.clone();
            reversed.reverse();
            let ids = |cases: &[Case]| cases.iter().map(|case| case.id.clone()).collect::<BTreeSet<_>>();
            let again = split(reversed, Shard { k: 1, n }, &durations).expect("it was possible before");
            prop_assert_eq!(&again.report, &parts[0].report);
            prop_assert_eq!(ids(&again.cases), ids(&parts[0].cases));
            // Another split has another hash.
            if n > 1 {
                let other = split(cases.clone(), Shard { k: 1, n: n - 1 }, &durations).expect("fewer shards");
                prop_assert_ne!(&other.report.split, &parts[0].report.split);
            }
        }
    }
}
