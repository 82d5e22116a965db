//! What is said of the origin of errors, held against the embedded proxy: of each defect that takes a
//! detail away, that it is gone.

use std::sync::Arc;

use upfault::internals::{
    builtin::Defect::{self, *},
    event::CaseResult,
    judge::{DetailFate, ErrorSource, TracedDetail, origins},
};

use super::{alone, block_on, honest, library, run::run, table::holds};

/// A defect, the detail that it touches, what becomes of it, and scenarios that show it.
type Touched = (Defect, &'static str, fn(&DetailFate) -> bool, &'static [&'static str]);

const TOUCHED: &[Touched] = &[
    (DetailLost, "message", is_lost, &["status"]),
    (CodeLost, "code", is_lost, &["status"]),
    (TypeLost, "type", is_mapped, &["status"]),
    (ParamLost, "param", is_lost, &["status"]),
    (RetryAfterDropped, "retry-after", is_lost, &["limits"]),
    (RetryAfterMsDropped, "retry-after-ms", is_lost, &["limits"]),
    (LimitHeadersDropped, "x-ratelimit-remaining-requests", is_lost, &["limits"]),
    (RequestIdDropped, "x-request-id", is_lost, &["status"]),
    (PoisonHeadersForwarded, "set-cookie", is_leaked, &["headers"]),
    (KeyLeaked, "key of primary", is_leaked, &["status"]),
    (BaseUrlLeaked, "address of an upstream", is_leaked, &["status"]),
];

fn is_lost(fate: &DetailFate) -> bool {
    *fate == DetailFate::Lost
}

fn is_mapped(fate: &DetailFate) -> bool {
    matches!(fate, DetailFate::Mapped { .. })
}

fn is_leaked(fate: &DetailFate) -> bool {
    matches!(fate, DetailFate::Leaked { .. })
}

/// Every detail of every error of these results, with the case that it is of.
fn traced(results: &[Arc<CaseResult>]) -> Vec<(String, TracedDetail)> {
    let of = |result: &Arc<CaseResult>| {
        let origins = result.observation.as_ref().map(origins).unwrap_or_default();
        let details = origins.into_iter().flat_map(|origin| origin.details);
        details.map(|detail| (result.id.clone(), detail)).collect::<Vec<_>>()
    };
    results.iter().flat_map(of).collect()
}

#[test]
fn a_defect_that_touches_a_detail_is_told_as_its_fate_and_the_honest_proxy_keeps_it() {
    let _alone = alone();
    for (defect, name, touched, shown_by) in TOUCHED {
        let cases = || library().into_iter().filter(|case| shown_by.iter().any(|name| holds(name, case)));
        let count = |defect| {
            let results = block_on(run(defect, cases().collect()));
            traced(&results)
                .iter()
                .filter(|(_, traced)| traced.detail == *name && touched(&traced.fate))
                .count()
        };
        assert!(count(Some(*defect)) > 0, "{defect}: {name} was not touched");
        assert_eq!(count(None), 0, "the honest proxy touched {name}");
    }
}

#[test]
fn whatever_the_honest_proxy_says_is_an_upstreams_or_its_own_and_nothing_leaks() {
    let results = honest();
    let mut upstreams = 0;
    for result in results {
        for origin in result.observation.as_ref().map(origins).unwrap_or_default() {
            upstreams += u32::from(matches!(origin.maker, ErrorSource::Upstream { .. }));
            let known = matches!(origin.maker, ErrorSource::Upstream { .. } | ErrorSource::Proxy);
            assert!(known, "{}: {:?}, {:?}", result.id, origin.maker, origin.evidence);
        }
    }
    assert!(upstreams > 500, "most errors are an upstream's, and only {upstreams} are said to be");
    let leaked: Vec<_> = traced(results).into_iter().filter(|(_, traced)| is_leaked(&traced.fate)).collect();
    assert!(leaked.is_empty(), "{leaked:#?}");
}
