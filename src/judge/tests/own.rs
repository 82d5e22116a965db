//! What was said to another request, in an answer.

use super::{
    every_rule::RuleExample,
    seen::{ERROR, OK, ObservationBuilder, plain, say},
};
use crate::{
    judge::{self, Policy},
    observation::AttemptEnd,
};

/// Two requests, one after the other, that get what the first attempt said (the tokens of a told text are
/// those of the first attempt).
fn twice(said: super::seen::SideReply) -> ObservationBuilder {
    plain().tried(said.clone()).received(said.clone()).tried(said.clone()).received(said)
}

fn limit(wait: &str) -> super::seen::SideReply {
    say(429, ERROR).with("retry-after", wait)
}

/// A limit that names a wait, and after it one that names none and is told with this one.
fn limited(wait: &str, told: &str) -> ObservationBuilder {
    plain().tried(limit(wait)).received(limit(wait)).tried(say(429, ERROR)).received(limit(told))
}

/// Two requests at the same time, each of which gets what the other's upstream said.
fn swapped(said: &str, status: u16) -> ObservationBuilder {
    let others = said.replace("MSG", "backup.MSG").replace("TXT", "backup.TXT");
    plain()
        .with_deployment("backup")
        .tried(say(status, said))
        .tried_at("backup", say(status, said), AttemptEnd::Finished)
        .received(say(status, &others))
        .together("backup", say(status, said))
}

pub fn proofs() -> Vec<RuleExample> {
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
    let findings = judge::judge(&seen.observation, &Policy::default());
    findings.into_iter().map(|finding| finding.rule).filter(|rule| rule.contains(".own-")).collect()
}

#[test]
fn a_finding_says_whose_words_they_are() {
    let evidence = |seen: ObservationBuilder| {
        let findings = judge::judge(&seen.observation, &Policy::default());
        let finding = findings.into_iter().find(|finding| finding.rule == "detail.own-error").unwrap();
        [vec![finding.observed], finding.evidence].concat().join("\n")
    };
    insta::assert_snapshot!(evidence(swapped(ERROR, 400)), @"
    the message canary-msg-tok-backup-1 in the body
    upstream primary#1 answered 400
    step 1: the caller got 400, no canary-msg-tok-backup-1
    canary-msg-tok-backup-1 is of upstream backup#1, which was asked at 2 ms for step 2
    also broken in step 2: the message canary-msg-tok-primary-1 in the body
    ");
    let mut other =
        plain().tried(say(400, ERROR)).received(say(400, &ERROR.replace("MSG", "canary-msg-xyz-primary-1")));
    other = other.tried(say(400, ERROR)).received(say(400, ERROR));
    insta::assert_snapshot!(evidence(other), @"
    the message canary-msg-xyz-primary-1 in the body
    upstream primary#1 answered 400
    step 1: the caller got 400, no canary-msg-xyz-primary-1
    canary-msg-xyz-primary-1 is of another case that ran at the same time
    also broken in step 2: the message canary-msg-tok-primary-1 in the body
    ");
}

#[test]
fn nobody_is_accused_of_what_may_be_told() {
    // The failure that closed a route is what there is to tell while it is closed.
    let closed =
        plain().cooling(1, 30).tried(say(400, ERROR)).received(say(400, ERROR)).received(say(400, ERROR));
    assert_eq!(broken(&closed), Vec::<String>::new());
    let waits = plain().cooling(1, 30).tried(limit("37")).received(limit("37")).received(limit("36"));
    assert_eq!(broken(&waits), Vec::<String>::new());
    // A wait of a few seconds, or one of the request's own.
    let stale = "headers.own-retry-after".to_owned();
    assert!(!broken(&limited("2", "2")).contains(&stale));
    let own = plain().tried(limit("37")).received(limit("37")).tried(limit("60")).received(limit("37"));
    assert!(!broken(&own).contains(&stale));
    // Of the attempts of one request any may be told.
    let again = plain().retrying(1).tried(say(500, ERROR)).tried(say(500, ERROR)).received(say(500, ERROR));
    assert_eq!(broken(&again), Vec::<String>::new());
    // Ids of the proxy's own that look like ours.
    let id = say(400, ERROR).with("x-request-id", "req_0af7651916cd-43dd-8448");
    let theirs = plain().tried(say(400, ERROR)).received(id);
    assert_eq!(broken(&theirs), Vec::<String>::new());
    // What an upstream itself quotes.
    let quoting = say(400, &ERROR.replace("MSG", "MSG canary-msg-xyz-primary-1"));
    assert_eq!(broken(&plain().tried(quoting.clone()).received(quoting)), Vec::<String>::new());
}
