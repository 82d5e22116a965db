//! Tests of the judge. The honest proxy (the embedded proxy without a defect) breaks no rule in any bundled scenario, and
//! neither does any of its honest variants. Every
//! defect breaks the rule that it is meant to break, and no rules other than those in its row of the table. Every rule is
//! broken by a defect and applies to a scenario. The documents on rules and defects are generated from the same table.
//!
//! With `WHOLE_LIBRARY=1` (`just defects-everywhere`) every defect runs with every scenario, and its row must list exactly
//! the rules that it breaks. With `HONEST_RUNS=20` (`just honest`) the honest proxy runs 20 times, each time with another
//! seed.

#[path = "defects/any.rs"]
mod any;
#[path = "defects/documents.rs"]
mod documents;
#[path = "defects/gateways.rs"]
mod gateways;
#[path = "defects/origins.rs"]
mod origins;
#[path = "defects/room.rs"]
mod room;
#[path = "defects/run.rs"]
mod run;
#[path = "defects/score.rs"]
mod score;
#[path = "defects/stored.rs"]
mod stored;
#[path = "defects/table.rs"]
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use futures_util::{StreamExt, stream};
use upfault::internals::{
    builtin::{Defect, EmbeddedProxy, HonestVariant},
    event::CaseReport,
    judge::{self, Policy},
    observation::Observation,
    scenario::{Case, expand, load_dir},
};

use run::{Broken, broken, judged_by, run, run_seeded};
use table::{ROWS, Row};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn library() -> Vec<Case> {
    let library = load_dir(&root(), &[]).expect("the bundled library loads");
    library.scenarios.iter().flat_map(expand).collect()
}

/// Whether an environment variable requests more than the usual tests.
#[expect(clippy::disallowed_methods, reason = "the justfile sets the variable")]
fn asked_for(variable: &str) -> bool {
    std::env::var_os(variable).is_some()
}

/// The number in an environment variable.
#[expect(clippy::disallowed_methods, reason = "the justfile sets the variable")]
fn number_of(variable: &str) -> Option<usize> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not `{text}`")))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(future)
}

/// Runs futures side by side, each as a task, and returns their results in any order.
async fn side_by_side<F>(work: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    // Work that has to wait for room would only use memory.
    let running = stream::iter(work).map(tokio::spawn).buffer_unordered(room::size());
    running.map(|joined| joined.unwrap_or_else(|error| resume_unwind(error.into_panic()))).collect().await
}

/// The results of all bundled scenarios with the honest proxy, shared by several tests.
fn honest() -> &'static [Arc<CaseReport>] {
    static HONEST: OnceLock<Vec<Arc<CaseReport>>> = OnceLock::new();
    HONEST.get_or_init(|| block_on(run(None, library())))
}

#[test]
fn the_honest_proxy_breaks_no_rule_of_any_level() {
    let runs = number_of("HONEST_RUNS").unwrap_or(1).max(1);
    let (mut cases, mut findings, mut broken_in) = (0, 0, Vec::new());
    for seed in 1..=runs {
        let again;
        let results = if seed == 1 {
            honest()
        } else {
            again = block_on(run_seeded(EmbeddedProxy::Reference, library(), seed as u64, |_| false));
            &again
        };
        let found: usize = results.iter().map(|result| result.findings.len()).sum();
        if runs > 1 {
            score::print(&format!("seed {seed} of {runs}: {found} findings over {} cases", results.len()));
        }
        (cases, findings) = (cases + results.len(), findings + found);
        broken_in
            .extend(Some(broken(results)).filter(|broken| !broken.is_empty()).map(|broken| (seed, broken)));
    }
    score::honest(cases, findings);
    assert!(broken_in.is_empty(), "findings about the honest proxy, by seed: {broken_in:#?}");
}

#[test]
fn no_honest_variant_breaks_a_rule_of_any_level() {
    let work = HonestVariant::ALL.iter().map(|variant| async {
        let results = run_seeded(EmbeddedProxy::Variant(*variant), library(), 1, |_| false).await;
        (variant.as_str(), results.len(), broken(&results))
    });
    for (variant, cases, broken) in block_on(side_by_side(work)) {
        score::print(&format!("{variant}: {} findings over {cases} cases", broken.len()));
        assert!(broken.is_empty(), "findings about the variant {variant}: {broken:#?}");
    }
}

#[test]
fn every_rule_applies_to_a_bundled_case() {
    let policy = Policy::default();
    let seen: BTreeMap<&str, &Observation> = honest()
        .iter()
        .filter_map(|result| Some((result.id.as_str(), result.observation.as_deref()?)))
        .collect();
    let mut applied = BTreeSet::new();
    for case in seen.values() {
        let siblings = case.arrangement.compared_with.iter().filter_map(|id| seen.get(id.as_str()).copied());
        applied.extend(judge::applicable(case, &siblings.collect::<Vec<_>>(), &policy));
    }
    let silent: Vec<&str> =
        judge::rules().map(|rule| rule.id).filter(|rule| !applied.contains(rule)).collect();
    assert_eq!(
        silent, ONLY_WITH_DEFECTS,
        "the rules that apply to no bundled scenario differ from ONLY_WITH_DEFECTS"
    );
}

/// Rules that never apply to the honest proxy. The runs with their defects show that they apply to a case.
const ONLY_WITH_DEFECTS: [&str; 1] = [
    // The honest proxy starts no cooldown after a rejected key.
    "cooldown.names-cause",
];

#[test]
fn every_defect_breaks_its_rule_and_no_rules_outside_its_row() {
    let whole = asked_for("WHOLE_LIBRARY");
    // A defect that stops the proxy, or serves one request at a time, would take hours with all scenarios.
    let is_whole = |row: &Row| whole && !row.defect.stops_the_process() && row.defect != Defect::OneAtATime;
    let library = library();
    let seen: Vec<(&Row, Broken)> = block_on(side_by_side(ROWS.iter().map(|row| {
        let cases: Vec<Case> =
            library.iter().filter(|case| is_whole(row) || row.is_shown_by(case)).cloned().collect();
        let policy = Policy::known(row.policy).expect("the policy is bundled");
        async move {
            let which = EmbeddedProxy::Defective(row.defect);
            let results = run_seeded(which, cases, 1, |rule| row.lists(rule)).await;
            let again = (row.policy != "default").then(|| judged_by(&policy, &results));
            (row, broken(&again.unwrap_or(results)))
        }
    })));
    let caught = seen.iter().filter(|(row, broken)| is_caught(row, broken)).count();
    score::defects(caught, ROWS.len());
    let problems: Vec<String> =
        seen.iter().flat_map(|(row, broken)| contradictions(row, broken, is_whole(row))).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Whether the rule that a defect is meant to break is broken, with evidence.
fn is_caught(row: &Row, broken: &Broken) -> bool {
    broken.get(row.breaks).is_some_and(|(_, finding)| !finding.evidence.is_empty())
}

/// The differences between the observed findings of a defect and its row.
fn contradictions(row: &Row, broken: &Broken, whole: bool) -> Vec<String> {
    let mut problems = Vec::new();
    if !is_caught(row, broken) {
        problems
            .push(format!("{}: {} is not broken, or the finding has no evidence", row.defect, row.breaks));
    }
    for (rule, (case, finding)) in broken {
        if !row.lists(rule) {
            problems.push(format!(
                "{}: {rule} is broken too, but not in the row; in {case}: expected {}, observed {}",
                row.defect, finding.expected, finding.observed
            ));
        }
    }
    for rule in row.also.iter().filter(|rule| whole && !broken.contains_key(**rule)) {
        problems.push(format!("{}: {rule} is in the row, but is not broken", row.defect));
    }
    problems
}

#[test]
fn every_defect_has_one_row_with_existing_rules_and_scenarios() {
    let library = library();
    let defects: Vec<Defect> = ROWS.iter().map(|row| row.defect).collect();
    assert_eq!(defects, Defect::ALL, "there must be one row for each defect, in the same order");
    for row in ROWS {
        for rule in [row.breaks].iter().chain(row.also) {
            assert!(judge::rule(rule).is_some(), "{}: there is no rule {rule}", row.defect);
        }
        assert!(!row.also.contains(&row.breaks), "{}: {} is specified twice", row.defect, row.breaks);
        for scenario in row.shown_by {
            let found = library.iter().any(|case| table::holds(scenario, case));
            assert!(found, "{}: there is no scenario {scenario}", row.defect);
        }
    }
}

#[test]
fn every_rule_is_broken_by_a_defect() {
    let shown: BTreeSet<&str> =
        ROWS.iter().flat_map(|row| [row.breaks].into_iter().chain(row.also.iter().copied())).collect();
    // The rules `expect.*` have separate tests.
    let without: Vec<&str> = judge::rules()
        .map(|rule| rule.id)
        .filter(|rule| !rule.starts_with("expect.") && !shown.contains(rule))
        .collect();
    assert!(without.is_empty(), "no defect breaks {without:?}");
}

#[test]
fn the_documents_are_up_to_date() {
    let documents = BTreeMap::from([
        ("docs/contract.md", documents::contract(ROWS)),
        ("docs/defects.md", documents::defects(ROWS)),
        ("docs/gateways.md", gateways::page()),
    ]);
    for (name, text) in documents {
        let path = root().join(Path::new(name));
        let is_same = |kept: &str| match name {
            "docs/gateways.md" => gateways::without_totals(kept) == gateways::without_totals(&text),
            _ => kept == text,
        };
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        if asked_for("UPDATE_DOCS") && !is_same(&kept) {
            std::fs::write(&path, &text).expect("it can be written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(is_same(&kept), "{name} is out of date: run `just docs`");
    }
}
