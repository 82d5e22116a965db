//! Timeouts, retries, fallbacks, cooldowns and recovery.

use std::time::Duration;

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::{AttemptEnd, ResponseEnd},
    scenario::{Fault, Point},
};

pub(super) fn examples() -> Vec<RuleExample> {
    [timeout(), retry(), fallback(), cooldown(), recovery()].concat()
}

fn timeout() -> Vec<RuleExample> {
    let silent = || plain().tried_in_vain(AttemptEnd::ClientLeft);
    let failed = || plain().tried(error(503));
    vec![
        // The timeout is two seconds, and one more is allowed.
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
fn before_a_retry_after_date_any_retry_is_too_early() {
    let far = error(429).with("retry-after", "Thu, 31 Dec 2037 23:59:59 GMT");
    let mut seen = plain().retrying(1).tried(far).wait(60_000.0).tried(say(200, OK)).received(say(200, OK));
    seen.observation.began = Some("2037-12-31T00:00:00Z".parse().unwrap());
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    let pacing = findings.iter().find(|finding| finding.rule == "retry.pacing").expect("it is broken");
    insta::assert_snapshot!(pacing.expected, @"no request to primary for 23h 59m 59s after #1");
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
    let grouped = || {
        let seen = plain().with_deployment("backup").cooling(1, 5);
        let group = vec!["primary".to_owned(), "backup".to_owned()];
        let seen = seen.set(|arrangement| arrangement.proxy.group = group);
        seen.tried(error(500)).received(error(500))
    };
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
            "cooldown.ends",
            limited().pausing(6100.0).tried(error(429)).received(error(429)),
            limited().pausing(6100.0).received(error(429)),
        ),
        (
            "cooldown.spares-others",
            grouped().tried_at("backup", say(200, OK), AttemptEnd::Finished).received(say(200, OK)),
            grouped().received(error(503)),
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
    let recovered = failed().recovering(say(200, OK));
    vec![("recovery.next-request-ok", recovered, failed().recovering(error(500)))]
}

fn breaks(seen: &ObservationBuilder, rule: &str) -> bool {
    judge::judge(&seen.observation, &[], &Policy::default()).iter().any(|finding| finding.rule == rule)
}

#[test]
fn a_cooldown_applies_only_after_enough_consecutive_failures_and_for_its_duration() {
    let failing = |after| plain().cooling(after, 5).tried(error(503)).received(error(503));
    let again = |seen: ObservationBuilder| seen.tried(error(503)).received(error(503));
    let rule = "cooldown.honoured";
    assert!(breaks(&again(again(failing(2))), rule), "the third exchange comes after two failures");
    assert!(!breaks(&again(failing(2)), rule), "one failure is not two");
    let between = |said: SideReply| again(again(failing(3)).tried(said).received(error(400)));
    assert!(!breaks(&between(error(400)), rule), "a 400 comes from a healthy provider");
    assert!(!breaks(&between(say(200, OK)), rule), "a success resets the count");
    assert!(!breaks(&again(failing(1).wait(5000.0)), rule), "the cooldown is over");
}

#[test]
fn silence_and_cuts_start_a_cooldown_and_failures_of_the_same_exchange_do_not() {
    let rule = "cooldown.honoured";
    for end in [AttemptEnd::ClientLeft, AttemptEnd::Reset] {
        let first = plain().cooling(1, 5).tried_in_vain(end).received(error(504));
        assert!(breaks(&first.tried(error(503)).received(error(503)), rule), "{end:?}");
    }
    let retried = plain().cooling(1, 5).retrying(1).tried(error(503)).tried(error(503)).received(error(503));
    assert!(!breaks(&retried, rule), "a retry belongs to the same exchange");
}

#[test]
fn a_cooldown_may_start_if_not_all_earlier_failures_were_bad_requests() {
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
fn an_error_event_ends_the_timeout_of_a_silent_stream_only_if_it_is_early_enough() {
    let silent = || streamed().tried_until(events(&[ONE]), AttemptEnd::ClientLeft);
    let rule = "timeout.honoured";
    assert!(!breaks(&silent().wait(2500.0).received(events(&[ERROR]).lasting(9000.0)), rule));
    assert!(
        breaks(&silent().wait(9000.0).received(events(&[ERROR])), rule),
        "the proxy's own event does not extend the timeout"
    );
    assert!(
        breaks(&silent().wait(9000.0).received(events(&[STOP, DONE])), rule),
        "a forged end does not either"
    );
}

#[test]
fn a_silence_longer_than_the_timeout_is_not_waited_out_even_if_the_upstream_goes_on() {
    let after = |ms| {
        let pause = Fault::Stall { at: Point::BeforeHeaders, lasting: Some(Duration::from_millis(ms)) };
        plain().tried(say(200, OK)).with_fault(pause).wait(3000.0).received(say(200, OK))
    };
    let rule = "timeout.honoured";
    assert!(breaks(&after(3100), rule), "the timeout is 2 s");
    assert!(!breaks(&after(2900), rule), "one second more is allowed");
}

#[test]
fn the_timeout_is_not_judged_if_upfault_stopped_waiting_before_it() {
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
fn another_request_of_the_proxy_does_not_count_as_an_attempt() {
    // LiteLLM requests a model's properties from Ollama between two attempts.
    let with_other_request =
        |seen: ObservationBuilder| seen.tried(error(404)).attempt(|attempt| attempt.api = None);
    let retried =
        with_other_request(plain().retrying(1).tried(error(503))).tried(say(200, OK)).received(say(200, OK));
    assert!(!breaks(&retried, "retry.terminal-errors-once"));
    // The failure is that of the call, not of the other request.
    assert!(breaks(&with_other_request(plain().tried(error(429))).received(error(500)), "status.rate-limit"));
    // If there is no other attempt, the proxy called the wrong path.
    assert!(breaks(&with_other_request(plain()).received(say(200, OK)), "status.failure-not-success"));
}

#[test]
fn a_deployment_is_used_again_only_after_its_cooldown_and_the_wait_that_the_provider_asked_for() {
    let rule = "cooldown.ends";
    let limited = || plain().cooling(1, 5).tried(error(429)).received(error(429));
    assert!(breaks(&limited().pausing(6100.0).received(error(503)), rule));
    assert!(
        !breaks(&limited().pausing(5900.0).received(error(503)), rule),
        "a second is allowed for rounding"
    );
    let asked = |wait| {
        let limit = error(429).with("retry-after", "30");
        plain().cooling(1, 5).tried(limit.clone()).received(limit).pausing(wait).received(error(503))
    };
    assert!(!breaks(&asked(30_900.0), rule), "the provider asked for more");
    assert!(breaks(&asked(31_100.0), rule));
    let well = plain().cooling(1, 5).tried(say(200, OK)).received(say(200, OK));
    assert!(!breaks(&well.pausing(9000.0).received(error(503)), rule), "no failure, no cooldown");
}
