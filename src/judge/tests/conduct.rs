//! Timeouts, retries, fallbacks, cooldowns, recovery.

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::{AttemptEnd, ResponseEnd},
};

pub fn proofs() -> Vec<RuleExample> {
    [timeout(), retry(), fallback(), cooldown(), recovery()].concat()
}

fn timeout() -> Vec<RuleExample> {
    let silent = || plain().tried_in_vain(AttemptEnd::ClientLeft);
    let failed = || plain().tried(error(503));
    vec![
        // Two seconds are set, and one more is allowed.
        (
            "timeout.honoured",
            silent().wait(2900.0).received(error(504)),
            silent().wait(3100.0).received(error(504)),
        ),
        ("timeout.answered", failed().received(error(503)), failed().received_nothing(ResponseEnd::Deadline)),
    ]
}

fn retry() -> Vec<RuleExample> {
    let limited = || plain().retrying(1).tried(error(429).with("retry-after", "1"));
    let cut = || streamed().retrying(1).tried_until(events(&[ONE]), AttemptEnd::Closed);
    let spliced = r#"{"choices":[{"index":0,"delta":{"content":"again"}}]}"#;
    vec![
        (
            "retry.budget",
            plain().retrying(1).tried(error(503)).tried(error(503)).received(error(503)),
            plain().tried(error(503)).tried(error(503)).received(error(503)),
        ),
        (
            "retry.terminal-errors-once",
            plain().retrying(1).tried(error(404)).received(error(404)),
            plain().retrying(1).tried(error(404)).tried(error(404)).received(error(404)),
        ),
        (
            "retry.not-after-content",
            cut().received(events(&[ONE, ERROR])),
            cut().tried(events(GOOD)).received(events(&[ONE, spliced, STOP, DONE])),
        ),
        (
            "retry.pacing",
            limited().wait(1000.0).tried(say(200, OK)).received(say(200, OK)),
            limited().wait(500.0).tried(say(200, OK)).received(say(200, OK)),
        ),
    ]
}

#[test]
fn after_a_retry_after_that_lies_years_ahead_any_retry_is_too_early() {
    let far = error(429).with("retry-after", "Thu, 31 Dec 2037 23:59:59 GMT");
    let mut seen = plain().retrying(1).tried(far).wait(60_000.0).tried(say(200, OK)).received(say(200, OK));
    seen.observation.began = Some("2037-12-31T00:00:00Z".parse().unwrap());
    let findings = judge::judge(&seen.observation, &Policy::default());
    let pacing = findings.iter().find(|finding| finding.rule == "retry.pacing").expect("it is broken");
    insta::assert_snapshot!(pacing.expected, @"primary left alone for 23h 59m 59s after #1");
}

fn fallback() -> Vec<RuleExample> {
    let end = AttemptEnd::Finished;
    let both = || plain().chained().tried(error(503)).tried_at("backup", error(500), end);
    let router = r#"{"error":{"message":"no model left","type":"router","param":null,"code":null}}"#;
    let cut = || {
        streamed().chained().tried_until(events(&[ONE]), AttemptEnd::Closed).tried_at(
            "backup",
            events(GOOD),
            end,
        )
    };
    let other = ONE.replace("TXT", "backup.TXT");
    vec![
        (
            "fallback.used",
            plain().chained().tried(error(503)).tried_at("backup", say(200, OK), end).received(say(200, OK)),
            plain().chained().tried(error(503)).received(error(503)),
        ),
        (
            "fallback.only-when-needed",
            plain().chained().tried(say(200, OK)).received(say(200, OK)),
            plain()
                .chained()
                .tried(say(200, OK))
                .tried_at("backup", say(200, OK), end)
                .received(say(200, OK)),
        ),
        (
            "fallback.true-error",
            both().received(say(503, &ERROR.replace("MSG", "backup.MSG"))),
            both().received(say(503, router)),
        ),
        (
            "fallback.no-splice",
            cut().received(events(&[ONE, ERROR])),
            cut().received(events(&[ONE, &other, STOP, DONE])),
        ),
    ]
}

fn cooldown() -> Vec<RuleExample> {
    let limited = || plain().cooling(1, 5).tried(error(429)).received(error(429));
    let rejected = || plain().cooling(1, 5).tried(error(401)).received(error(401));
    let bare = r#"{"error":{"message":"slow down","type":"requests","param":null,"code":null}}"#;
    let faulty = || plain().cooling(1, 5).tried(error(400)).received(error(400));
    vec![
        (
            "cooldown.honoured",
            limited().received(error(429)),
            limited().tried(error(429)).received(error(429)),
        ),
        (
            "cooldown.not-for-bad-requests",
            faulty().tried(say(200, OK)).received(say(200, OK)),
            faulty().received(error(503)),
        ),
        ("cooldown.status", limited().received(error(503)), limited().received(error(500))),
        (
            "cooldown.retry-after",
            limited().received(error(429).with("retry-after", "5")),
            limited().received(error(429).with("retry-after", "3600")),
        ),
        ("cooldown.names-cause", rejected().received(error(429)), rejected().received(say(429, bare))),
    ]
}

fn recovery() -> Vec<RuleExample> {
    let failed = || plain().tried(error(500)).received(error(500));
    let well = failed().recovering(say(200, OK));
    vec![("recovery.next-request-ok", well, failed().recovering(error(500)))]
}

fn breaks(seen: &ObservationBuilder, rule: &str) -> bool {
    judge::judge(&seen.observation, &Policy::default()).iter().any(|finding| finding.rule == rule)
}

#[test]
fn a_cooldown_binds_only_after_so_many_failures_in_a_row_and_only_for_its_time() {
    let failing = |after| plain().cooling(after, 5).tried(error(503)).received(error(503));
    let again = |seen: ObservationBuilder| seen.tried(error(503)).received(error(503));
    let rule = "cooldown.honoured";
    assert!(breaks(&again(again(failing(2))), rule), "the third exchange comes after two failures");
    assert!(!breaks(&again(failing(2)), rule), "one failure is not two");
    let between = |said: SideReply| again(again(failing(3)).tried(said).received(error(400)));
    assert!(!breaks(&between(error(400)), rule), "a 400 is an answer of a healthy provider");
    assert!(!breaks(&between(say(200, OK)), rule), "a success begins the count anew");
    assert!(!breaks(&again(failing(1).wait(5000.0)), rule), "the time is over");
}

#[test]
fn silence_and_cuts_count_for_a_cooldown_and_other_failures_of_the_same_exchange_do_not() {
    let rule = "cooldown.honoured";
    for end in [AttemptEnd::ClientLeft, AttemptEnd::Reset] {
        let first = plain().cooling(1, 5).tried_in_vain(end).received(error(504));
        assert!(breaks(&first.tried(error(503)).received(error(503)), rule), "{end:?}");
    }
    let retried = plain().cooling(1, 5).retrying(1).tried(error(503)).tried(error(503)).received(error(503));
    assert!(!breaks(&retried, rule), "a retry belongs to the exchange that it serves");
}

#[test]
fn a_route_may_rest_where_not_only_bad_requests_came_before() {
    let rule = "cooldown.not-for-bad-requests";
    let seen = |status| {
        plain()
            .cooling(1, 5)
            .tried(error(400))
            .received(error(400))
            .tried(error(status))
            .received(error(status))
    };
    assert!(breaks(&seen(413).received(error(503)), rule));
    assert!(!breaks(&seen(429).received(error(503)), rule));
    assert!(!breaks(&seen(401).received(error(503)), rule), "a rejected key is disputed");
}

#[test]
fn an_error_event_in_good_time_ends_the_wait_for_a_silent_stream_and_a_late_one_does_not() {
    let silent = || streamed().tried_until(events(&[ONE]), AttemptEnd::ClientLeft);
    let rule = "timeout.honoured";
    assert!(!breaks(&silent().wait(2500.0).received(events(&[ERROR]).lasting(9000.0)), rule));
    assert!(
        breaks(&silent().wait(9000.0).received(events(&[ERROR])), rule),
        "its own event is no sign of life"
    );
    assert!(breaks(&silent().wait(9000.0).received(events(&[STOP, DONE])), rule), "nor is a forged end");
}

#[test]
fn who_stopped_waiting_in_good_time_has_nothing_to_say_about_the_limit() {
    let never = |ms| {
        streamed()
            .tried_until(events(&[ONE]), AttemptEnd::ClientLeft)
            .wait(ms)
            .received_nothing(ResponseEnd::Deadline)
    };
    assert!(!breaks(&never(2500.0), "timeout.honoured"), "upfault gave up before the proxy had to");
    assert!(breaks(&never(9000.0), "timeout.honoured"));
}

#[test]
fn a_question_beside_the_call_is_no_attempt_at_it() {
    // LiteLLM asks Ollama for a model's properties between two tries of a call.
    let beside = |seen: ObservationBuilder| seen.tried(error(404)).attempt(|attempt| attempt.api = None);
    let retried = beside(plain().retrying(1).tried(error(503))).tried(say(200, OK)).received(say(200, OK));
    assert!(!breaks(&retried, "retry.terminal-errors-once"));
    // What failed is the call, not the question.
    assert!(breaks(&beside(plain().tried(error(429))).received(error(500)), "status.rate-limit"));
    // Where nothing else was asked the call itself went astray.
    assert!(breaks(&beside(plain()).received(say(200, OK)), "status.failure-not-success"));
}
