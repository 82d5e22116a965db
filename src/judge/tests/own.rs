//! Responses that contain parts of another request's response.

use super::{
    every_rule::RuleExample,
    seen::{ERROR, OK, ObservationBuilder, plain, say},
};
use crate::{
    judge::{self, Policy},
    observation::AttemptEnd,
};

/// Two consecutive requests that both get the response of the first attempt. (The builder fills what a caller receives
/// with the tokens of the first attempt.)
fn twice(said: super::seen::SideReply) -> ObservationBuilder {
    plain().tried(said.clone()).received(said.clone()).tried(said.clone()).received(said)
}

fn limit(wait: &str) -> super::seen::SideReply {
    say(429, ERROR).with("retry-after", wait)
}

/// A rate limit with a Retry-After, then a second one for which the upstream sends no Retry-After but the caller gets
/// `reported`.
fn limited(wait: &str, reported: &str) -> ObservationBuilder {
    plain().tried(limit(wait)).received(limit(wait)).tried(say(429, ERROR)).received(limit(reported))
}

/// Two concurrent requests. Each gets the response of the other's upstream.
fn swapped(said: &str, status: u16) -> ObservationBuilder {
    let others = said.replace("MSG", "backup.MSG").replace("TXT", "backup.TXT");
    plain()
        .with_deployment("backup")
        .tried(say(status, said))
        .tried_at("backup", say(status, said), AttemptEnd::Finished)
        .received(say(status, &others))
        .together("backup", say(status, said))
}

pub(super) fn examples() -> Vec<RuleExample> {
    let own = || plain().tried(say(400, ERROR)).received(say(400, ERROR));
    let good = || plain().tried(say(200, OK)).received(say(200, OK));
    vec![
        ("detail.own-error", own(), twice(say(400, ERROR))),
        ("detail.own-error", own(), swapped(ERROR, 400)),
        ("success.own-answer", good(), twice(say(200, OK))),
        ("success.own-answer", good(), swapped(OK, 200)),
        ("headers.own-retry-after", limited("37", "60"), limited("37", "37")),
        ("headers.own-retry-after", limited("37", "25"), limited("37", "36")),
        (
            "headers.own-retry-after",
            limited("Thu, 31 Dec 2037 23:59:59 GMT", "3"),
            limited("Thu, 31 Dec 2037 23:59:59 GMT", "Thu, 31 Dec 2037 23:59:59 GMT"),
        ),
    ]
}

fn broken(seen: &ObservationBuilder) -> Vec<String> {
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    findings.into_iter().map(|finding| finding.rule).filter(|rule| rule.contains(".own-")).collect()
}

#[test]
fn a_finding_identifies_the_request_that_a_token_belongs_to() {
    let evidence = |seen: ObservationBuilder| {
        let findings = judge::judge(&seen.observation, &[], &Policy::default());
        let finding = findings.into_iter().find(|finding| finding.rule == "detail.own-error").unwrap();
        [vec![finding.observed], finding.evidence].concat().join("\n")
    };
    insta::assert_snapshot!(evidence(swapped(ERROR, 400)), @"
    the message canary-msg-tok-backup-1 in the body
    upstream primary#1 answered 400
    step 1: the caller got 400, no canary-msg-tok-backup-1
    canary-msg-tok-backup-1 belongs to upstream backup#1, which was called at 2 ms for step 2
    also broken in step 2: the message canary-msg-tok-primary-1 in the body
    ");
    let mut other =
        plain().tried(say(400, ERROR)).received(say(400, &ERROR.replace("MSG", "canary-msg-xyz-primary-1")));
    other = other.tried(say(400, ERROR)).received(say(400, ERROR));
    insta::assert_snapshot!(evidence(other), @"
    the message canary-msg-xyz-primary-1 in the body
    upstream primary#1 answered 400
    step 1: the caller got 400, no canary-msg-xyz-primary-1
    canary-msg-xyz-primary-1 belongs to another case that ran at the same time
    also broken in step 2: the message canary-msg-tok-primary-1 in the body
    ");
}

#[test]
fn allowed_parts_of_other_responses_make_no_finding() {
    // During a cooldown, the proxy reports the failure that started it.
    let closed =
        plain().cooling(1, 30).tried(say(400, ERROR)).received(say(400, ERROR)).received(say(400, ERROR));
    assert_eq!(broken(&closed), Vec::<String>::new());
    let waits = plain().cooling(1, 30).tried(limit("37")).received(limit("37")).received(limit("36"));
    assert_eq!(broken(&waits), Vec::<String>::new());
    // A wait of a few seconds, or an upstream of this request that sent a Retry-After itself.
    let stale = "headers.own-retry-after".to_owned();
    assert!(!broken(&limited("2", "2")).contains(&stale));
    let own = plain().tried(limit("37")).received(limit("37")).tried(limit("60")).received(limit("37"));
    assert!(!broken(&own).contains(&stale));
    // The proxy may report any attempt of the same request.
    let again = plain().retrying(1).tried(say(500, ERROR)).tried(say(500, ERROR)).received(say(500, ERROR));
    assert_eq!(broken(&again), Vec::<String>::new());
    // Ids of the proxy that look like those of upfault.
    let id = say(400, ERROR).with("x-request-id", "req_0af7651916cd-43dd-8448");
    let theirs = plain().tried(say(400, ERROR)).received(id);
    assert_eq!(broken(&theirs), Vec::<String>::new());
    // An upstream that itself sends another request's token.
    let quoting = say(400, &ERROR.replace("MSG", "MSG canary-msg-xyz-primary-1"));
    assert_eq!(broken(&plain().tried(quoting.clone()).received(quoting)), Vec::<String>::new());
}

#[test]
fn a_declared_cache_may_answer_a_request_that_is_the_same_as_an_earlier_one() {
    let seen = |caches: bool, same: bool| {
        let mut seen = plain()
            .set(|arrangement| arrangement.caches = caches)
            .tried(say(200, OK))
            .received(say(200, OK))
            .received(say(200, OK))
            .observation;
        seen.exchanges[1].request_body = if same { String::new() } else { "other".to_owned() };
        judge::judge(&seen, &[], &Policy::default())
            .into_iter()
            .map(|finding| finding.rule)
            .collect::<Vec<_>>()
    };
    assert_eq!(seen(true, true), Vec::<String>::new());
    assert!(seen(true, false).contains(&"request.forwarded".to_owned()), "no earlier request was the same");
    assert!(seen(false, true).contains(&"request.forwarded".to_owned()), "no cache was declared");
}
