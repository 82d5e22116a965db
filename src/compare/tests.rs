//! Properties of comparisons, and how changes are described.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    case::{CaseDifference, CaseState, ComparedAs, ComparedCase},
    cause::ChangeCause,
    change::changes,
    comparison::{ComparedRun, ComparedSide, Comparison, ComparisonStep},
    fact::{CaseFact, CaseFacts, ExchangeFacts, FactKind},
    wording::edit,
};
use crate::{
    observation::StepName,
    scenario::{Api, Combination, Provider},
};

fn fact(kind: FactKind, subject: &str, value: &str) -> CaseFact {
    CaseFact { kind, subject: subject.to_owned(), value: value.to_owned() }
}

fn seen(facts: Vec<CaseFact>) -> CaseFacts {
    CaseFacts {
        stopped: None,
        exchanges: vec![ExchangeFacts { step: StepName::Step(1), took_ms: 100.0, seen: facts }],
    }
}

fn case(id: &str, broken: &[&str], facts: CaseFacts) -> ComparedCase {
    ComparedCase {
        id: id.to_owned(),
        scenario: id.split('[').next().unwrap().to_owned(),
        combination: Combination { api: Api::OpenaiChat, provider: Provider::Gemini, stream: true },
        state: CaseState::Judged { broken: broken.iter().map(|rule| (*rule).to_owned()).collect(), facts },
    }
}

fn run(label: &str, cases: Vec<ComparedCase>) -> ComparedRun {
    let side = ComparedSide { label: label.to_owned(), ..ComparedSide::default() };
    ComparedRun { side, cases, repeated: Vec::new() }
}

fn compared(before: Vec<ComparedCase>, after: Vec<ComparedCase>) -> ComparisonStep {
    Comparison::new(&[run("1", before), run("2", after)], "default".to_owned()).steps.remove(0)
}

fn answer(status: &str, message: &str) -> CaseFacts {
    seen(vec![
        fact(FactKind::Response, "", status),
        fact(FactKind::ErrorType, "", &format!("type of {status}")),
        fact(FactKind::Message, "", message),
        fact(FactKind::Sdk, "openai-python", &format!("class of {status}")),
    ])
}

#[test]
fn a_case_belongs_to_its_heaviest_change_and_its_consequences_are_not_counted() {
    let before = vec![case("a/x", &[], answer("429", "m")), case("a/y[stream]", &[], answer("429", "n"))];
    let after =
        vec![case("a/x", &["s"], answer("200", "o")), case("a/y[stream]", &["s"], answer("200", "p"))];
    let step = compared(before, after);
    let [cause] = step.causes.as_slice() else { panic!("{:?}", step.causes) };
    assert_eq!((cause.change.as_str(), cause.compared_as), ("429 -> 200", ComparedAs::Worse));
    assert_eq!(cause.breaks, BTreeMap::from([("s".to_owned(), 2)]));
    assert_eq!((cause.sdks[0].before.as_str(), cause.sdks[0].cases), ("class of 429", 2));
    assert_eq!(cause.also["error type: type of 429 -> type of 200"], 2);
    assert_eq!(cause.scope.describe(), "gemini, openai/chat, streaming; a/x, a/y");
}

#[test]
fn statuses_that_are_now_the_providers_own_have_one_cause() {
    let before = vec![case("a", &["m"], answer("500", "x")), case("b", &["m"], answer("500", "x"))];
    let after = vec![
        case("a", &[], answer("429, as the provider", "x")),
        case("b", &[], answer("404, as the provider", "x")),
    ];
    let step = compared(before, after);
    assert_eq!(step.causes.len(), 1);
    assert_eq!(step.causes[0].change, "500 -> the provider's own status (404, 429)");
    let same = compared(
        vec![case("a", &[], answer("429", "x"))],
        vec![case("a", &[], seen(vec![fact(FactKind::Response, "", "429, as the provider")]))],
    );
    assert!(same.causes.iter().all(|cause| cause.fact != Some(FactKind::Response)), "{:?}", same.causes);
}

#[test]
fn worse_comes_first_and_wording_last() {
    let before = vec![
        case("a", &[], answer("429", "one two")),
        case("b", &["r"], answer("500", "one two")),
        case("c", &[], answer("500", "one two")),
        case("d", &[], answer("500", "one two")),
        case("e", &[], answer("500", "one two")),
    ];
    let after = vec![
        case("a", &["s"], answer("500", "one two")),
        case("b", &[], answer("503", "one two")),
        case("c", &[], answer("502", "one two")),
        case("d", &[], answer("500", "one two three")),
        case("e", &[], answer("500", "one two")),
    ];
    let step = compared(before, after);
    let shown: Vec<String> =
        step.causes.iter().map(|cause| format!("{}: {}", cause.compared_as, cause.change)).collect();
    assert_eq!(
        shown,
        [
            "worse: 429 -> 500",
            "better: 500 -> 503",
            "different: 500 -> 502",
            "different: message: suffix added: \"three\"",
        ]
    );
    let counts = step.counts;
    assert_eq!((counts.worse, counts.better, counts.different, counts.wording, counts.same), (1, 1, 2, 1, 1));
}

#[test]
fn a_rule_is_the_cause_if_only_wording_differs_apart_from_it() {
    let step = compared(
        vec![case("a", &["x"], answer("500", "one"))],
        vec![case("a", &["y"], answer("500", "two"))],
    );
    assert_eq!(step.causes[0].change, "newly broken: y; fixed: x");
    assert_eq!(step.causes[0].compared_as, ComparedAs::Worse);
}

#[test]
fn cases_that_cannot_be_compared_are_counted_with_their_reasons() {
    let in_state = |id: &str, state: CaseState| ComparedCase { state, ..case(id, &[], CaseFacts::default()) };
    let skipped = |id| in_state(id, CaseState::Skipped("no pings".to_owned()));
    let step = compared(
        vec![
            skipped("a"),
            skipped("b"),
            in_state("c", CaseState::Unclear),
            case("d", &[], CaseFacts::default()),
        ],
        vec![
            case("a", &[], CaseFacts::default()),
            skipped("b"),
            case("c", &[], CaseFacts::default()),
            skipped("d"),
            case("e", &[], CaseFacts::default()),
        ],
    );
    let reasons: Vec<(String, usize)> =
        step.not_compared.into_iter().map(|one| (one.reason, one.cases.len())).collect();
    let expected = [
        ("can no longer be configured: no pings", 1),
        ("can now be configured; before: no pings", 1),
        ("inconclusive in 1", 1),
        ("not part of the run of 1", 1),
    ];
    assert_eq!(reasons, expected.map(|(reason, count)| (reason.to_owned(), count)));
    assert_eq!(step.counts.compared(), 0);
}

#[test]
fn a_difference_counts_only_if_every_repetition_shows_it() {
    let side = |status: &str, again: &str| ComparedRun {
        repeated: vec![case("a", &[], answer(again, "m"))],
        ..run(status, vec![case("a", &[], answer(status, "m"))])
    };
    let compare = |a: ComparedRun, b: ComparedRun| Comparison::new(&[a, b], String::new()).steps.remove(0);
    let steady = compare(side("429", "429"), side("500", "500"));
    assert_eq!(steady.causes[0].change, "429 -> 500");
    let varies = compare(side("429", "500"), side("500", "500"));
    assert!(varies.causes.is_empty());
    assert_eq!(varies.not_compared[0].reason, "vary between runs of the same version");
    // Only the common part of the differences counts.
    let mut noisy = side("500", "500");
    noisy.repeated[0].state = case("a", &[], answer("500", "other wording")).state;
    let common = compare(side("429", "429"), noisy);
    assert_eq!(common.causes[0].change, "429 -> 500");
}

#[test]
fn a_ladder_names_the_run_in_which_a_change_was_undone() {
    let runs: Vec<ComparedRun> =
        [("1", "429", vec![]), ("2", "500", vec!["s"]), ("3", "500", vec!["s"]), ("4", "429", vec![])]
            .into_iter()
            .map(|(label, status, broken)| run(label, vec![case("a", &broken, answer(status, "m"))]))
            .collect();
    let ladder = Comparison::new(&runs, String::new());
    let worse = &ladder.steps[0].causes[0];
    assert_eq!((worse.undone[0].side.as_str(), worse.undone[0].cases), ("4", 1));
    assert!(ladder.steps[1].causes.is_empty());
    assert_eq!(ladder.remaining(|kind| kind == ComparedAs::Worse), 0);
    let until_third = Comparison::new(&runs[..3], String::new());
    assert_eq!(until_third.remaining(|kind| kind == ComparedAs::Worse), 1);
}

#[test]
fn edits_of_messages_are_described_by_what_was_added_and_removed() {
    for (before, after, words) in [
        ("a b", "a b c d", "message: suffix added: \"c d\""),
        ("a b c", "c", "message: prefix removed: \"a b\""),
        ("a b c", "a c", "message: part removed: \"b\""),
        ("a b c", "a x c", "message: \"b\" became \"x\""),
        ("a", "b", "message: other wording"),
        ("<model one>). Old.", "<model one> new", "message: \"). Old.\" became \"new\""),
        ("an error", "an errand", "message: \"error\" became \"errand\""),
        ("a b", "a  b", "message: other white space"),
    ] {
        assert_eq!(edit(before, after), words, "{before} -> {after}");
    }
}

#[test]
fn durations_differ_only_if_they_are_far_apart() {
    let took = |ms| CaseFacts {
        exchanges: vec![ExchangeFacts { step: StepName::Step(1), took_ms: ms, seen: Vec::new() }],
        ..CaseFacts::default()
    };
    for (before, after, expected) in [
        (10.0, 2000.0, 0),
        (2000.0, 4400.0, 0),
        (2000.0, 4600.0, 1),
        (9000.0, 12000.0, 0),
        (6000.0, 1000.0, 1),
    ] {
        assert_eq!(changes(&took(before), &took(after)).len(), expected, "{before} {after}");
    }
}

fn any_facts() -> impl Strategy<Value = CaseFacts> {
    let kinds =
        vec![FactKind::Response, FactKind::Header, FactKind::Message, FactKind::Sdk, FactKind::Content];
    let one = (select(kinds), select(vec!["", "x"]), select(vec!["1", "2", "1 2", ""]))
        .prop_map(|(kind, subject, value)| fact(kind, subject, value));
    let seen = vec(one, 0..5).prop_map(|mut facts| {
        facts.sort_by(|a, b| (a.kind, &a.subject).cmp(&(b.kind, &b.subject)));
        facts.dedup_by(|a, b| (a.kind, &a.subject) == (b.kind, &b.subject));
        facts
    });
    let exchange =
        (select(vec![StepName::Step(1), StepName::Step(2), StepName::Recovery]), 0.0..9000.0, seen)
            .prop_map(|(step, took_ms, seen)| ExchangeFacts { step, took_ms, seen });
    (prop::option::weighted(0.1, Just("the proxy exited".to_owned())), vec(exchange, 0..3)).prop_map(
        |(stopped, mut exchanges)| {
            exchanges.sort_by_key(|exchange| exchange.step.to_string());
            exchanges.dedup_by_key(|exchange| exchange.step);
            CaseFacts { stopped, exchanges }
        },
    )
}

fn any_state() -> impl Strategy<Value = CaseState> {
    let rules = prop::collection::btree_set(select(vec!["r", "s", "t"]), 0..3);
    let judged = (rules, any_facts()).prop_map(|(rules, facts)| CaseState::Judged {
        broken: rules.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(),
        facts,
    });
    prop_oneof![
        8 => judged,
        1 => Just(CaseState::Skipped("no".to_owned())),
        1 => Just(CaseState::Unclear),
    ]
}

fn any_cases() -> impl Strategy<Value = Vec<ComparedCase>> {
    vec(any_state(), 6).prop_map(|states| {
        let with_id =
            |(n, state)| ComparedCase { state, ..case(&format!("f/c{n}"), &[], CaseFacts::default()) };
        states.into_iter().enumerate().map(with_id).collect()
    })
}

/// The class of each case that differs.
fn classes(causes: &[ChangeCause]) -> BTreeMap<String, ComparedAs> {
    let of = |cause: &ChangeCause| -> Vec<(String, ComparedAs)> {
        cause.cases.iter().map(|case| (case.id.clone(), cause.compared_as)).collect()
    };
    causes.iter().flat_map(of).collect()
}

proptest! {
    #[test]
    fn a_run_compared_with_itself_differs_in_nothing(cases in any_cases()) {
        let step = compared(cases.clone(), cases);
        prop_assert!(step.causes.is_empty());
        prop_assert_eq!(step.counts.compared(), step.counts.same);
    }

    #[test]
    fn every_case_that_differs_has_exactly_one_cause(before in any_cases(), after in any_cases()) {
        let step = compared(before, after);
        let ids: Vec<&String> = step.causes.iter().flat_map(|cause| &cause.cases).map(|case| &case.id).collect();
        let unique: BTreeSet<&String> = ids.iter().copied().collect();
        let counts = step.counts;
        prop_assert_eq!(ids.len(), unique.len());
        prop_assert_eq!(ids.len(), counts.worse + counts.better + counts.different);
        let left_out: usize = step.not_compared.iter().map(|one| one.cases.len()).sum();
        prop_assert!(counts.compared() + left_out <= 6);
    }

    #[test]
    fn better_and_worse_swap_when_the_sides_swap(before in any_cases(), after in any_cases()) {
        let forth = classes(&compared(before.clone(), after.clone()).causes);
        let back = classes(&compared(after.clone(), before.clone()).causes);
        prop_assert_eq!(forth.keys().collect::<Vec<_>>(), back.keys().collect::<Vec<_>>());
        for (id, class) in &forth {
            match (class, back[id]) {
                (ComparedAs::Better, back) => prop_assert_eq!(back, ComparedAs::Worse),
                (ComparedAs::Different, back) => prop_assert_eq!(back, ComparedAs::Different),
                // If one rule is newly broken and another one is fixed, both directions are worse.
                (ComparedAs::Worse, back) => prop_assert_ne!(back, ComparedAs::Different),
            }
        }
    }

    #[test]
    fn changes_swap_when_the_sides_swap(before in any_facts(), after in any_facts()) {
        let swapped = changes(&after, &before).into_iter().map(|mut change| {
            std::mem::swap(&mut change.before, &mut change.after);
            change
        });
        let key = |change: &super::change::FactChange| format!("{change:?}");
        let mut swapped: Vec<String> = swapped.map(|change| key(&change)).collect();
        let mut forth: Vec<String> = changes(&before, &after).iter().map(key).collect();
        swapped.sort();
        forth.sort();
        prop_assert_eq!(forth, swapped);
    }

    #[test]
    fn the_order_of_the_cases_does_not_matter(before in any_cases(), after in any_cases(), by in 0..6usize) {
        let turned = |cases: &[ComparedCase]| {
            let mut cases = cases.to_vec();
            cases.rotate_left(by);
            cases
        };
        prop_assert_eq!(compared(turned(&before), turned(&after)), compared(before, after));
    }

    #[test]
    fn what_two_comparisons_have_in_common_is_part_of_both(a in any_facts(), b in any_facts(), c in any_facts()) {
        let none = BTreeSet::new();
        let to = |facts| CaseDifference::between("i", (&none, &a), (&none, facts));
        if let (Some(one), Some(other)) = (to(&b), to(&c))
            && let Some(common) = one.clone().in_common_with(&other)
        {
            prop_assert!(common.changes.iter().all(|change| one.changes.contains(change)));
        }
    }

    #[test]
    fn an_edit_of_any_text_is_short(before in ".{0,200}", after in ".{0,200}") {
        prop_assert!(edit(&before, &after).chars().count() < 1500);
    }
}
