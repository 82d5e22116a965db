//! What is asked of a chain whose upstreams fail in ways that leave a proxy little to tell.

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
    let findings = judge::judge(&seen.observation, &Policy::default());
    findings.into_iter().map(|finding| finding.rule).filter(|rule| !rule.starts_with("headers.")).collect()
}

fn at_backup(seen: ObservationBuilder, said: super::seen::SideReply, end: AttemptEnd) -> ObservationBuilder {
    seen.tried_at("backup", said, end)
}

#[test]
fn the_status_of_an_error_tells_whether_to_go_on_even_where_its_body_was_cut() {
    let cut = |status| {
        let half = say(status, "{\"error\":{\"mess");
        plain().chained().tried_until(half.clone(), Closed).received(half)
    };
    let asks_on = |seen: &ObservationBuilder| !broken(seen).contains(&"fallback.used".to_owned());
    assert!(asks_on(&cut(400)));
    assert!(!asks_on(&cut(503)));
}

#[test]
fn once_a_stream_has_begun_nobody_else_need_be_asked_and_the_proxy_may_speak_for_itself() {
    let begun = || streamed().chained().tried_until(events(&[ROLE]), Closed);
    assert_eq!(broken(&begun().received(events(&[ROLE, OWN]))), [""; 0]);
    // It had not begun for the caller.
    assert_eq!(broken(&begun().received(say(502, OWN))), ["fallback.used"]);
    let after = || at_backup(streamed().chained().tried(error(503)), events(&[ROLE]), Closed);
    assert_eq!(broken(&after().received(events(&[ROLE, OWN]))), [""; 0]);
    assert_eq!(broken(&after().received(say(502, OWN))), ["fallback.true-error"]);
}

#[test]
fn what_the_last_try_came_to_may_be_told_of_a_deployment_that_said_more_before() {
    let tried = || plain().chained().retrying(1).tried(error(429));
    let silent = at_backup(tried().tried_until(say(200, ""), Closed), say(307, ""), Finished);
    assert_eq!(broken(&silent.received(say(502, OWN))), [""; 0]);
    let spoke = at_backup(tried().tried(error(503)), say(307, ""), Finished);
    assert_eq!(broken(&spoke.received(say(502, OWN))), ["fallback.true-error"]);
}

#[test]
fn an_upstream_without_words_is_told_by_its_status_and_one_in_plain_words_by_these() {
    let page = || say(520, "<html>no</html>");
    let tried = |said| at_backup(plain().chained().tried(said), error(500), Finished);
    let told = tried(page()).received(page());
    assert!(!broken(&told).contains(&"fallback.true-error".to_owned()));
    let words = say(520, "no MSG");
    let told = tried(words.clone()).received(words);
    assert!(!broken(&told).contains(&"fallback.true-error".to_owned()));
    // 500 is what an upstream said in words that are not told.
    assert!(broken(&tried(page()).received(say(500, OWN))).contains(&"fallback.true-error".to_owned()));
}

#[test]
fn a_wait_that_was_named_by_an_answer_which_never_ended_need_not_have_been_read() {
    let limit = || say(429, ERROR).with("retry-after", "7");
    let half = say(429, "{\"error\":{").with("retry-after", "7");
    let again = |seen: ObservationBuilder| {
        broken(&seen.tried(limit()).received(limit())).contains(&"retry.pacing".to_owned())
    };
    assert!(again(plain().retrying(1).tried(limit())));
    assert!(!again(plain().retrying(1).tried_until(half, ClientLeft)));
}

#[test]
fn an_error_event_is_not_owed_once_a_later_try_fell_silent_in_its_stream() {
    let tried = || streamed().retrying(1).tried(events(&[ERROR]));
    let silent = tried().tried_until(events(&[ONE]), ClientLeft).received(events(&[ONE, OWN]));
    assert!(!broken(&silent).contains(&"stream.error-detail".to_owned()));
    let spoke = tried().tried(events(&[ERROR])).received(events(&[OWN]));
    assert!(broken(&spoke).contains(&"stream.error-detail".to_owned()));
}

#[test]
fn a_body_that_is_short_of_its_length_is_no_success_though_its_json_is_whole() {
    let whole = |length: usize| {
        let said = say(200, OK).with("content-length", &length.to_string());
        broken(&plain().asked(Api::OpenaiChat).tried_until(said, ClientLeft).received(say(504, OWN)))
    };
    let length = plain().tried(say(200, OK)).observation.attempts[0].sent.bytes as usize;
    assert!(whole(length).contains(&"success.delivered".to_owned()));
    assert!(!whole(length + 1).contains(&"success.delivered".to_owned()));
}

#[test]
fn an_error_that_is_short_of_its_length_need_not_be_passed_on_though_its_json_is_whole() {
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
fn the_request_id_may_be_that_of_a_last_try_which_broke_off_after_its_head() {
    let limit = error(429).with("x-request-id", "RID");
    let seen = |end| {
        let mut seen = plain().retrying(1).tried(limit.clone()).tried_until(limit.clone(), end);
        let last = seen.observation.attempts.last_mut().unwrap();
        last.sent.body.truncate(9);
        last.sent.bytes = 9;
        let id = last.canaries.request_id.clone();
        let seen = seen.received(say(429, OWN).with("x-request-id", &id));
        let findings = judge::judge(&seen.observation, &Policy::default());
        findings.iter().any(|finding| finding.rule == "headers.request-id")
    };
    assert!(!seen(Closed));
    let other = plain().tried(limit.clone()).received(say(429, OWN).with("x-request-id", "req_other"));
    let findings = judge::judge(&other.observation, &Policy::default());
    assert!(findings.iter().any(|finding| finding.rule == "headers.request-id"));
}
