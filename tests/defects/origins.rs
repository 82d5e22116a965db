//! Error sources and detail fates, tested with the embedded proxy: for each defect that affects a detail, the fate of that
//! detail is reported.

use std::{collections::HashSet, sync::Arc};

use upfault::internals::{
    builtin::Defect::{self, *},
    event::CaseReport,
    judge::{DetailFate, ErrorSource, TracedDetail, origins},
    scenario::Case,
};

use super::{block_on, honest, library, run::run, side_by_side, table::holds};

/// Defects, each with the detail that it affects, the fate of that detail, and scenarios that show it.
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

/// The details of all errors in these results, each with its case.
fn traced(results: &[Arc<CaseReport>]) -> Vec<(String, TracedDetail)> {
    let of = |result: &Arc<CaseReport>| {
        let origins = result.observation.as_deref().map(origins).unwrap_or_default();
        let details = origins.into_iter().flat_map(|origin| origin.details);
        details.map(|detail| (result.id.clone(), detail)).collect::<Vec<_>>()
    };
    results.iter().flat_map(of).collect()
}

#[test]
fn the_fate_of_a_detail_shows_the_defect_and_the_honest_proxy_keeps_the_detail() {
    let library = library();
    let shows = |row: &Touched, case: &Case| row.3.iter().any(|name| holds(name, case));
    // The cases of the row in which a run affected its detail.
    let affected = |(_, name, touched, _): &Touched, results: &[Arc<CaseReport>]| {
        let is_affected = |traced: &TracedDetail| traced.detail == *name && touched(&traced.fate);
        traced(results).into_iter().filter(|(_, traced)| is_affected(traced)).count()
    };
    let work = TOUCHED.iter().map(|row| {
        let cases: Vec<Case> = library.iter().filter(|case| shows(row, case)).cloned().collect();
        async move { (row, run(Some(row.0), cases).await) }
    });
    for (row, results) in block_on(side_by_side(work)) {
        assert!(affected(row, &results) > 0, "{}: {} was not affected", row.0, row.1);
        let ids: HashSet<&str> = results.iter().map(|result| result.id.as_str()).collect();
        let honest: Vec<_> =
            honest().iter().filter(|result| ids.contains(result.id.as_str())).cloned().collect();
        assert_eq!(honest.len(), results.len(), "{}: the honest proxy ran the same cases", row.0);
        assert_eq!(affected(row, &honest), 0, "the honest proxy affected {}", row.1);
    }
}

#[test]
fn every_error_of_the_honest_proxy_has_a_source_and_nothing_leaks() {
    let results = honest();
    let mut upstreams = 0;
    for result in results {
        for origin in result.observation.as_deref().map(origins).unwrap_or_default() {
            upstreams += u32::from(matches!(origin.maker, ErrorSource::Upstream { .. }));
            let known = matches!(origin.maker, ErrorSource::Upstream { .. } | ErrorSource::Proxy);
            assert!(known, "{}: {:?}, {:?}", result.id, origin.maker, origin.evidence);
        }
    }
    assert!(upstreams > 500, "only {upstreams} errors have an upstream as their source");
    let leaked: Vec<_> = traced(results).into_iter().filter(|(_, traced)| is_leaked(&traced.fate)).collect();
    assert!(leaked.is_empty(), "{leaked:#?}");
}
