//! Content codings, bodies that break off, and responses that the provider itself wrote.

use super::{every_rule::RuleExample, policies::Shown, seen::*};
use crate::{
    judge::{self, Finding, Policy},
    observation::{AttemptEnd, OwnRetries, ResponseEnd},
    scenario::Level,
    wire::content_coding::{ContentCoding, ContentEncoder},
};

/// A response in this coding, with a label or without.
fn coded(status: u16, body: &str, coding: ContentCoding, label: Option<&str>) -> SideReply {
    let reply = SideReply::raw(status, Vec::new(), ContentEncoder::new(coding).part(body.as_bytes(), true));
    let reply = reply.with("content-type", "application/json");
    label.map_or(reply.clone(), |label| reply.with("content-encoding", label))
}

fn gzip(status: u16, body: &str) -> SideReply {
    coded(status, body, ContentCoding::Gzip, Some("gzip"))
}

fn labelled(reply: SideReply) -> SideReply {
    reply.with("content-encoding", "gzip")
}

fn cut_body() -> ObservationBuilder {
    plain().tried_until(say(200, &OK[..20]), AttemptEnd::Closed)
}

pub(super) fn examples() -> Vec<RuleExample> {
    vec![
        (
            "format.content-coding",
            plain().tried(gzip(200, OK)).received(say(200, OK)),
            plain().tried(gzip(200, OK)).received(labelled(say(200, OK))),
        ),
        (
            "status.cut-body",
            cut_body().received(error(502)),
            cut_body().received_until(say(200, &OK[..20]), ResponseEnd::Closed),
        ),
    ]
}

pub(super) fn answers() -> Vec<Shown> {
    const REQUIRED: Option<Level> = Some(Level::Required);
    const RECOMMENDED: Option<Level> = Some(Level::Recommended);
    let page = || say(502, "<html>").with("content-type", "text/html");
    vec![
        Shown {
            key: "mirrored",
            rule: "format.envelope",
            seen: plain().tried(page()).received(page()),
            answers: ("required", "lifted"),
            bundled: [RECOMMENDED, RECOMMENDED, RECOMMENDED, REQUIRED],
        },
        Shown {
            key: "cut_body",
            rule: "status.cut-body",
            seen: cut_body().received_until(say(200, &OK[..20]), ResponseEnd::Closed),
            answers: ("required", "lifted"),
            bundled: [RECOMMENDED, RECOMMENDED, RECOMMENDED, REQUIRED],
        },
    ]
}

fn findings(seen: &ObservationBuilder) -> Vec<Finding> {
    judge::judge(&seen.observation, &[], &Policy::default())
}

fn coding(seen: ObservationBuilder) -> Option<String> {
    let found = findings(&seen).into_iter().find(|finding| finding.rule == "format.content-coding");
    found.map(|finding| finding.observed)
}

#[test]
fn a_body_may_keep_its_coding_and_its_label_or_lose_both() {
    for status in [200, 400] {
        let body = if status == 200 { OK } else { ERROR };
        assert_eq!(coding(plain().tried(gzip(status, body)).received(gzip(status, body))), None);
        assert_eq!(coding(plain().tried(gzip(status, body)).received(say(status, body))), None);
        assert_eq!(coding(plain().tried(say(status, body)).received(say(status, body))), None, "no coding");
        let kept = coding(plain().tried(say(status, body)).received(labelled(say(status, body)))).unwrap();
        assert!(kept.starts_with("content-encoding: gzip, but the body is not gzip"), "{kept}");
        let unlabelled = coded(status, body, ContentCoding::Gzip, None);
        let dropped = coding(plain().tried(gzip(status, body)).received(unlabelled)).unwrap();
        assert_eq!(dropped, "no content-encoding, and a body that is still coded in gzip after that");
    }
}

#[test]
fn a_caller_gets_only_a_coding_that_it_asked_for() {
    let text = OK.replace("TXT", "and");
    let brotli = || coded(200, &text, ContentCoding::Brotli, Some("br"));
    let asking = |asked: Option<&str>| {
        let mut seen = plain().tried(say(200, &text)).received(brotli());
        let headers = asked.map(|asked| ("accept-encoding".to_owned(), asked.to_owned()));
        seen.observation.exchanges[0].request_headers.extend(headers);
        coding(seen)
    };
    assert_eq!(asking(None), None);
    assert_eq!(asking(Some("gzip, br")), None);
    let refused = asking(Some("gzip, deflate")).unwrap();
    assert_eq!(refused, "content-encoding: br, although the caller asked for gzip, deflate");
}

#[test]
fn a_mislabelled_body_may_be_read_or_refused_but_not_forged() {
    let lying = || plain().tried(labelled(say(200, OK))).attempt(|attempt| attempt.sent.doubtful = true);
    assert_eq!(findings(&lying().received(say(200, OK))), [], "a tolerant proxy");
    assert_eq!(findings(&lying().received(error(502))), [], "a strict proxy");
    let mirrored = findings(&lying().received(labelled(say(200, OK))));
    assert_eq!(mirrored.len(), 1, "{mirrored:?}");
    assert_eq!((mirrored[0].rule.as_str(), mirrored[0].level), ("format.content-coding", Level::Recommended));
    let author = "the provider wrote this response: it is byte for byte that of primary#1";
    assert!(mirrored[0].evidence.iter().any(|line| line == author), "{mirrored:?}");
}

#[test]
fn a_failure_that_the_provider_wrote_as_a_success_is_the_providers() {
    let level = |sent: SideReply, got: SideReply| {
        let found = findings(&plain().tried(sent).received(got));
        found.iter().find(|finding| finding.rule == "status.failure-not-success").map(|finding| finding.level)
    };
    for body in ["<html>", "null"] {
        assert_eq!(level(say(200, body), say(200, body)), Some(Level::Recommended), "{body}");
        assert_eq!(level(say(200, body), say(200, "{}")), Some(Level::Required), "{body}");
        assert_eq!(level(say(200, body), say(201, body)), Some(Level::Required), "{body}");
    }
    // A 204 has no body, whatever the provider wrote after it.
    let bodiless = plain().tried(say(204, OK)).attempt(|attempt| attempt.sent.broken_after = Some(0));
    let found = findings(&bodiless.received(say(204, "")));
    let found = found.iter().find(|finding| finding.rule == "status.failure-not-success");
    assert_eq!(found.map(|finding| finding.level), Some(Level::Recommended));
    // A message is as long as its Content-Length says.
    let long = || say(200, &OK[..20]).with("content-length", "10");
    let part = |length: usize| say(200, &OK[..length]).with("content-length", "10");
    assert_eq!(level(long(), part(10)), Some(Level::Recommended));
    assert_eq!(level(long(), part(9)), Some(Level::Required));
}

#[test]
fn what_is_not_byte_for_byte_the_providers_is_the_proxys() {
    let page = |text: &str| say(502, text).with("content-type", "text/html");
    let level = |seen: &ObservationBuilder| {
        findings(seen).iter().find(|finding| finding.rule == "format.envelope").map(|finding| finding.level)
    };
    assert_eq!(level(&plain().tried(page("<a>")).received(page("<a>"))), Some(Level::Recommended));
    assert_eq!(level(&plain().tried(page("<a>")).received(page("<b>"))), Some(Level::Required));
    assert_eq!(level(&plain().tried(page("<a>")).received(say(502, "<a>"))), Some(Level::Required));
    // The provider falls silent inside its error, and the proxy ends both connections.
    let silent = || plain().tried_until(say(502, &ERROR[..9]), AttemptEnd::ClientLeft);
    let cut = |text: &str| level(&silent().received_until(say(502, text), ResponseEnd::Closed));
    assert_eq!(cut(&ERROR[..9]), Some(Level::Recommended));
    assert_eq!(cut("<html>"), Some(Level::Required));
    // A stream without its terminator.
    let open = || streamed().tried(events(&[ONE, TWO, STOP])).received(events(&[ONE, TWO, STOP]));
    assert_eq!(findings(&open())[0].level, Level::Recommended);
    let dropped = streamed().tried(events(GOOD)).received(events(&[ONE, TWO, STOP]));
    assert_eq!(
        (findings(&dropped)[0].rule.as_str(), findings(&dropped)[0].level),
        ("success.terminated", Level::Required)
    );
}

#[test]
fn a_plain_body_that_breaks_off_as_sent_is_not_a_failure_sent_as_a_success() {
    let rules = |seen: &ObservationBuilder| {
        findings(seen).into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    let cut = cut_body().received_until(say(200, &OK[..20]), ResponseEnd::Closed);
    assert_eq!(rules(&cut), ["status.cut-body"]);
    // An upstream's error that becomes a cut 200 is one, and so is a cut body that ends like a whole one.
    let made = plain().tried(error(500)).received_until(say(200, &OK[..20]), ResponseEnd::Closed);
    assert!(rules(&made).contains(&"status.failure-not-success".to_owned()));
    let ended = cut_body().received(say(200, &OK[..20]));
    assert!(rules(&ended).contains(&"status.failure-not-success".to_owned()));
}

#[test]
fn retries_that_no_scenario_can_set_are_judged_only_by_what_the_definition_declares() {
    let tried = |own: Option<OwnRetries>| {
        let seen = plain().set(|arrangement| arrangement.own_retries = own);
        let seen = seen.tried(error(503)).tried(error(503)).tried(error(503)).received(error(503));
        findings(&seen).into_iter().any(|finding| finding.rule == "retry.budget")
    };
    assert!(tried(None));
    assert!(!tried(Some(OwnRetries::Unknown)));
    assert!(!tried(Some(OwnRetries::Declared(2))));
    assert!(tried(Some(OwnRetries::Declared(1))));
}

#[test]
fn the_evidence_names_the_status_that_the_caller_got() {
    let seen = plain().tried(say(204, "")).received(say(204, ""));
    assert!(findings(&seen).iter().all(|finding| !finding.observed.contains("200")), "{:?}", findings(&seen));
    assert_eq!(findings(&seen)[0].observed, "204 without a body");
}

#[test]
fn content_of_an_invalid_message_may_be_passed_on_and_the_evidence_says_what_was_sent() {
    let seen = streamed()
        .tried(events(GOOD))
        .attempt(|attempt| attempt.sent.broken_after = Some(0))
        .received_until(events(&[ONE, TWO]), ResponseEnd::Closed);
    assert_eq!(findings(&seen), []);
    let ended = streamed()
        .tried(events(GOOD))
        .attempt(|attempt| attempt.sent.broken_after = Some(0))
        .received(events(&[ONE, TWO]));
    let evidence = &findings(&ended)[0].evidence[0];
    let bytes = ended.observation.attempts[0].sent.bytes;
    assert!(
        evidence.contains(&format!("sent {bytes} bytes of body, of which a client can read only 0")),
        "{evidence}"
    );
}
