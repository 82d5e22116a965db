//! Distributes weights to shards so that the heaviest shard is as light as possible. Pure and deterministic.
//!
//! Weights are placed in descending order, each into the lightest shard (LPT). The heaviest shard is then at most
//! `total / n + largest * (1 - 1 / n)`: when the weight that ends on top of the heaviest shard was placed, no shard was
//! lighter, so that shard contained at most the average of the others. With many small weights this is close to the
//! optimum, but with few large ones it can be a third above it. In that case a search tries other places for the large
//! weights.

/// The search stops when the heaviest shard is at most this much above the lower bound, in percent.
const CLOSE_ENOUGH: u64 = 1;

/// The maximum number of steps of the search, so that it takes some milliseconds. It is exhaustive for about a dozen
/// large weights.
const STEPS: usize = 2_000_000;

/// The maximum number of weights whose places are searched; the others are placed by LPT.
const SEARCHED: usize = 200;

/// The shard (0-based) of each weight. If there are at least as many weights as shards, no shard is empty. A weight of
/// 0 counts as 1.
pub(super) fn balance(weights: &[u64], shards: usize) -> Vec<usize> {
    let shards = shards.max(1);
    let mut order: Vec<usize> = (0..weights.len()).collect();
    let weight = |n: &usize| weights[*n].max(1);
    order.sort_by_key(|n| (std::cmp::Reverse(weight(n)), *n));
    let sorted: Vec<u64> = order.iter().map(weight).collect();
    let least = lower_bound(&sorted, shards);
    let mut search = BalanceSearch {
        sorted: &sorted,
        // Small weights fill the gaps between the large ones wherever these are.
        searched: sorted.iter().take_while(|weight| **weight > least / 20).take(SEARCHED).count(),
        close_enough: least + least * CLOSE_ENOUGH / 100,
        loads: vec![0; shards],
        places: Vec::new(),
        best: Vec::new(),
        heaviest: u64::MAX,
        steps: STEPS,
    };
    // The first places that the search tries are those of LPT.
    search.place();
    let mut result = vec![0; weights.len()];
    for (n, shard) in order.into_iter().zip(search.best) {
        result[n] = shard;
    }
    result
}

/// No distribution has a lighter heaviest shard than this. `sorted` is in descending order.
pub(super) fn lower_bound(sorted: &[u64], shards: usize) -> u64 {
    let total: u64 = sorted.iter().sum();
    let average = total.div_ceil(shards as u64);
    // One of the shards contains at least j + 1 of the j * shards + 1 heaviest weights.
    let crowded = (0..).map_while(|j: usize| {
        let last = j.checked_mul(shards)?;
        (last < sorted.len()).then(|| sorted[last - j..=last].iter().sum())
    });
    crowded.fold(average, u64::max)
}

/// A depth-first search over the shards of the heaviest weights.
struct BalanceSearch<'a> {
    sorted: &'a [u64],
    searched: usize,
    close_enough: u64,
    loads: Vec<u64>,
    places: Vec<usize>,
    best: Vec<usize>,
    heaviest: u64,
    steps: usize,
}

impl BalanceSearch<'_> {
    /// Places the next weight into each shard in turn, the lightest first.
    fn place(&mut self) {
        let at = self.places.len();
        if at == self.searched {
            return self.complete();
        }
        let mut order: Vec<usize> = (0..self.loads.len()).collect();
        order.sort_by_key(|shard| (self.loads[*shard], *shard));
        // Shards with the same load are alike.
        order.dedup_by_key(|shard| self.loads[*shard]);
        for shard in order {
            let is_over = self.steps == 0 || self.heaviest <= self.close_enough;
            if (is_over && !self.best.is_empty()) || self.loads[shard] + self.sorted[at] >= self.heaviest {
                return;
            }
            self.steps = self.steps.saturating_sub(self.loads.len());
            self.loads[shard] += self.sorted[at];
            self.places.push(shard);
            self.place();
            self.places.pop();
            self.loads[shard] -= self.sorted[at];
        }
    }

    /// Places the weights that are not searched by LPT, and keeps the result if it is the best so far.
    fn complete(&mut self) {
        let rest = &self.sorted[self.searched..];
        self.steps = self.steps.saturating_sub(rest.len() * self.loads.len());
        let (mut loads, mut places) = (self.loads.clone(), self.places.clone());
        for weight in rest {
            let Some(lightest) = (0..loads.len()).min_by_key(|shard| loads[*shard]) else { return };
            loads[lightest] += weight;
            places.push(lightest);
        }
        let heaviest = loads.iter().copied().max().unwrap_or(0);
        let used = loads.iter().filter(|load| **load > 0).count();
        if heaviest < self.heaviest && used == loads.len().min(places.len()) {
            (self.heaviest, self.best) = (heaviest, places);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heaviest(weights: &[u64], places: &[usize], shards: usize) -> u64 {
        let mut loads = vec![0; shards];
        for (weight, shard) in weights.iter().zip(places) {
            loads[*shard] += weight;
        }
        loads.into_iter().max().unwrap_or(0)
    }

    /// The lightest possible heaviest shard, found by trying everything.
    fn optimum(weights: &[u64], loads: &mut [u64]) -> u64 {
        let Some((first, rest)) = weights.split_first() else {
            return loads.iter().copied().max().unwrap_or(0);
        };
        let mut best = u64::MAX;
        for shard in 0..loads.len() {
            loads[shard] += first;
            best = best.min(optimum(rest, loads));
            loads[shard] -= first;
        }
        best
    }

    fn descending(weights: &[u64]) -> Vec<u64> {
        let mut sorted = weights.to_vec();
        sorted.sort_by_key(|weight| std::cmp::Reverse(*weight));
        sorted
    }

    #[test]
    fn few_large_weights_are_placed_better_than_by_lpt() {
        // LPT makes 3 + 2 + 2 = 7.
        let weights = [3, 3, 2, 2, 2];
        assert_eq!(heaviest(&weights, &balance(&weights, 2), 2), 6);
    }

    #[test]
    fn the_edges_are_defined() {
        assert_eq!(balance(&[], 3), [0; 0]);
        assert_eq!(balance(&[5, 1], 1), [0, 0]);
        let mut zeros = balance(&[0, 0, 0], 3);
        zeros.sort();
        assert_eq!(zeros, [0, 1, 2]);
        assert_eq!(balance(&[1], 4).len(), 1);
    }

    #[test]
    fn the_lower_bound_includes_crowded_shards() {
        assert_eq!(lower_bound(&[4, 4, 4], 2), 8);
        assert_eq!(lower_bound(&[9, 1, 1], 2), 9);
        assert_eq!(lower_bound(&[], 2), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

        #[test]
        fn few_weights_are_within_ten_percent_of_the_optimum(
            weights in prop::collection::vec(1u64..1000, 1..9),
            shards in 1usize..5,
        ) {
            let places = balance(&weights, shards);
            let best = optimum(&weights, &mut vec![0; shards]);
            prop_assert!(heaviest(&weights, &places, shards) * 100 <= best * (100 + CLOSE_ENOUGH) + 100);
            prop_assert!(lower_bound(&descending(&weights), shards) <= best);
        }

        #[test]
        fn many_weights_are_within_ten_percent_of_the_lower_bound(
            // Like the durations of cases: most are short, some wait for seconds.
            weights in prop::collection::vec(prop_oneof![8 => 5u64..50, 2 => 200u64..3000, 1 => 5000u64..9000], 200..600),
            shards in 1usize..12,
        ) {
            let places = balance(&weights, shards);
            let least = lower_bound(&descending(&weights), shards);
            prop_assert!(heaviest(&weights, &places, shards) * 10 <= least * 11);
        }

        #[test]
        fn any_weights_keep_the_bound_of_lpt_and_use_every_shard(
            weights in prop::collection::vec(0u64..2000, 1..120),
            shards in 1usize..20,
        ) {
            let places = balance(&weights, shards);
            prop_assert_eq!(places.len(), weights.len());
            prop_assert!(places.iter().all(|shard| *shard < shards));
            let used: std::collections::HashSet<_> = places.iter().collect();
            prop_assert!(used.len() == shards.min(weights.len()));
            let counted: Vec<u64> = weights.iter().map(|weight| *weight.max(&1)).collect();
            let (total, largest) = (counted.iter().sum::<u64>(), counted.iter().max().copied().unwrap_or(0));
            let n = shards as u64;
            prop_assert!(heaviest(&counted, &places, shards) * n <= total + largest * (n - 1));
            prop_assert_eq!(balance(&weights, shards), places);
        }
    }
}
