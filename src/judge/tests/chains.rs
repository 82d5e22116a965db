//! Chains whose upstreams fail without a complete error that the proxy could report.

use super::seen::{ERROR, OK, ONE, ObservationBuilder, error, events, plain, say, streamed};
use crate::{
    judge::{self, Policy},
    observation::AttemptEnd::{self, ClientLeft, Closed, Finished},
    scenario::Api,
};

const ROLE: &str = r#"{"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}"#;
const OWN: &str =
    r#"{"error":{"message":"the upstream fell away","type":"upstream_error","param":null,"code":null}}"#;

fn broken(seen: &ObservationBuilder) -> Vec<String> {
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    findings.into_iter().map(|finding| finding.rule).filter(|rule| !rule.starts_with("headers.")).collect()
}

fn at_backup(seen: ObservationBuilder, said: super::seen::SideReply, end: AttemptEnd) -> ObservationBuilder {
    seen.tried_at("backup", said, end)
}

#[test]
fn the_status_of_an_error_decides_about_a_fallback_even_if_its_body_was_cut() {
    let cut = |status| {
        let half = say(status, "{\"error\":{\"mess");
        plain().chained().tried_until(half.clone(), Closed).received(half)
    };
    let may_end_here = |seen: &ObservationBuilder| !broken(seen).contains(&"fallback.used".to_owned());
    assert!(may_end_here(&cut(400)));
    assert!(!may_end_here(&cut(503)));
}

#[test]
fn once_a_stream_has_begun_no_fallback_is_required_and_the_proxy_may_send_its_own_error() {
    let begun = || streamed().chained().tried_until(events(&[ROLE]), Closed);
    assert_eq!(broken(&begun().received(events(&[ROLE, OWN]))), [""; 0]);
    // Here the caller's stream had not begun.
    assert_eq!(broken(&begun().received(say(502, OWN))), ["fallback.used"]);
    let after = || at_backup(streamed().chained().tried(error(503)), events(&[ROLE]), Closed);
    assert_eq!(broken(&after().received(events(&[ROLE, OWN]))), [""; 0]);
    assert_eq!(broken(&after().received(say(502, OWN))), ["fallback.true-error"]);
}

#[test]
fn the_last_attempt_at_a_deployment_counts_even_if_an_earlier_one_sent_a_message() {
    let tried = || plain().chained().retrying(1).tried(error(429));
    let silent = at_backup(tried().tried_until(say(200, ""), Closed), say(307, ""), Finished);
    assert_eq!(broken(&silent.received(say(502, OWN))), [""; 0]);
    let with_message = at_backup(tried().tried(error(503)), say(307, ""), Finished);
    assert_eq!(broken(&with_message.received(say(502, OWN))), ["fallback.true-error"]);
}

#[test]
fn an_upstream_without_a_message_is_reported_by_its_status_or_by_its_plain_text() {
    let page = || say(520, "<html>no</html>");
    let tried = |said| at_backup(plain().chained().tried(said), error(500), Finished);
    let passed_on = tried(page()).received(page());
    assert!(!broken(&passed_on).contains(&"fallback.true-error".to_owned()));
    let words = say(520, "no MSG");
    let passed_on = tried(words.clone()).received(words);
    assert!(!broken(&passed_on).contains(&"fallback.true-error".to_owned()));
    // The 500 comes from an upstream whose message is missing.
    assert!(broken(&tried(page()).received(say(500, OWN))).contains(&"fallback.true-error".to_owned()));
}

#[test]
fn the_retry_after_of_an_incomplete_response_may_be_ignored() {
    let limit = || say(429, ERROR).with("retry-after", "7");
    let half = say(429, "{\"error\":{").with("retry-after", "7");
    let again = |seen: ObservationBuilder| {
        broken(&seen.tried(limit()).received(limit())).contains(&"retry.pacing".to_owned())
    };
    assert!(again(plain().retrying(1).tried(limit())));
    assert!(!again(plain().retrying(1).tried_until(half, ClientLeft)));
}

#[test]
fn an_error_event_may_be_lost_if_a_later_attempt_falls_silent_in_its_stream() {
    let tried = || streamed().retrying(1).tried(events(&[ERROR]));
    let silent = tried().tried_until(events(&[ONE]), ClientLeft).received(events(&[ONE, OWN]));
    assert!(!broken(&silent).contains(&"stream.error-detail".to_owned()));
    let with_message = tried().tried(events(&[ERROR])).received(events(&[OWN]));
    assert!(broken(&with_message).contains(&"stream.error-detail".to_owned()));
}

#[test]
fn a_body_shorter_than_its_content_length_is_a_failure_even_with_complete_json() {
    let whole = |length: usize| {
        let said = say(200, OK).with("content-length", &length.to_string());
        broken(&plain().asked(Api::OpenaiChat).tried_until(said, ClientLeft).received(say(504, OWN)))
    };
    let length = plain().tried(say(200, OK)).observation.attempts[0].sent.bytes as usize;
    assert!(whole(length).contains(&"success.delivered".to_owned()));
    assert!(!whole(length + 1).contains(&"success.delivered".to_owned()));
}

#[test]
fn an_error_shorter_than_its_content_length_may_be_lost_even_with_complete_json() {
    let length = plain().tried(error(400)).observation.attempts[0].sent.bytes as usize;
    let own = |missing: usize, end| {
        let said = error(400).with("content-length", &(length + missing).to_string());
        broken(&plain().tried_until(said, end).received(say(504, OWN)))
    };
    for end in [ClientLeft, Closed] {
        assert!(own(0, end).contains(&"detail.message-kept".to_owned()));
        assert_eq!(own(1, end), [""; 0]);
    }
}

#[test]
fn the_request_id_may_come_from_a_last_attempt_that_broke_off_after_its_head() {
    let limit = error(429).with("x-request-id", "RID");
    let seen = |end| {
        let mut seen = plain().retrying(1).tried(limit.clone()).tried_until(limit.clone(), end);
        let last = seen.observation.attempts.last_mut().unwrap();
        last.sent.body.truncate(9);
        last.sent.bytes = 9;
        let id = last.canaries.request_id.clone();
        let seen = seen.received(say(429, OWN).with("x-request-id", &id));
        let findings = judge::judge(&seen.observation, &[], &Policy::default());
        findings.iter().any(|finding| finding.rule == "headers.request-id")
    };
    assert!(!seen(Closed));
    let other = plain().tried(limit.clone()).received(say(429, OWN).with("x-request-id", "req_other"));
    let findings = judge::judge(&other.observation, &[], &Policy::default());
    assert!(findings.iter().any(|finding| finding.rule == "headers.request-id"));
}
