//! Examples for the rules on the events of Responses streams.

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    scenario::{Api, Provider},
};

const BEGUN: &str = r#"{"type":"response.created","sequence_number":0,"response":{}}"#;
const TEXT: &str = r#"{"type":"response.output_text.delta","sequence_number":1,"delta":"one TXT two"}"#;
const COMPLETED: &str = r#"{"type":"response.completed","sequence_number":2,"response":{}}"#;
const FAILS: &str =
    r#"{"type":"error","sequence_number":2,"error":{"message":"no MSG","type":"t","code":"c"}}"#;
const FAILED: &str =
    r#"{"type":"response.failed","sequence_number":3,"response":{"error":{"code":"c","message":"no MSG"}}}"#;

fn seen(sent: &[&str], got: &[&str]) -> ObservationBuilder {
    streamed().calling(Api::OpenaiResponses, Provider::Openai).tried(events(sent)).received(events(got))
}

pub(super) fn examples() -> Vec<RuleExample> {
    let failed = || seen(&[BEGUN, TEXT, FAILS, FAILED], &[BEGUN, TEXT, FAILS, FAILED]);
    let late = FAILS.replace("2", "1");
    let both = COMPLETED.replace("2", "4");
    vec![
        (
            "stream.sequence-rises",
            failed(),
            seen(&[BEGUN, TEXT, FAILS, FAILED], &[BEGUN, TEXT, &late, FAILED]),
        ),
        (
            "stream.one-terminal-event",
            failed(),
            seen(&[BEGUN, TEXT, FAILS, FAILED], &[BEGUN, TEXT, FAILS, FAILED, &both]),
        ),
        ("stream.failed-follows", failed(), seen(&[BEGUN, TEXT, FAILS, FAILED], &[BEGUN, TEXT, FAILS])),
    ]
}

fn broken(seen: &ObservationBuilder) -> Vec<String> {
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    findings.into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn an_event_without_a_number_is_a_finding_unless_the_provider_sent_one() {
    let unnumbered = r#"{"type":"response.note"}"#;
    let made = seen(&[BEGUN, TEXT, COMPLETED], &[BEGUN, unnumbered, TEXT, COMPLETED]);
    assert_eq!(broken(&made), ["stream.sequence-rises"]);
    let passed = seen(&[BEGUN, unnumbered, TEXT, COMPLETED], &[BEGUN, unnumbered, TEXT, COMPLETED]);
    assert_eq!(broken(&passed), [""; 0]);
}

#[test]
fn what_the_provider_itself_repeats_or_leaves_out_is_not_a_finding() {
    let twice = &[BEGUN, TEXT, COMPLETED, COMPLETED];
    assert_eq!(broken(&seen(twice, twice)), [""; 0]);
    let flat = r#"{"type":"error","sequence_number":2,"code":"c","message":"no MSG","param":null}"#;
    assert_eq!(broken(&seen(&[BEGUN, TEXT, flat], &[BEGUN, TEXT, flat])), [""; 0]);
}

#[test]
fn chat_streams_have_no_numbers() {
    let seen = streamed().tried(events(GOOD)).received(events(GOOD));
    assert!(
        judge::applicable(&seen.observation, &[], &Policy::default()).iter().all(|rule| ![
            "stream.sequence-rises",
            "stream.one-terminal-event"
        ]
        .contains(rule))
    );
}
