//! Examples for the rules on details, headers, format and leaks.

use super::{every_rule::RuleExample, seen::*};
use crate::judge::{self, Policy};

pub(super) fn examples() -> Vec<RuleExample> {
    [detail(), headers(), format(), leak()].concat()
}

/// The upstream sends an error, and the caller gets this body with the same status.
fn passed(status: u16, body: &str) -> ObservationBuilder {
    plain().tried(error(status)).received(say(status, body))
}

fn changed(status: u16, from: &str, to: &str) -> ObservationBuilder {
    assert!(ERROR.contains(from), "there is something to change");
    passed(status, &ERROR.replace(from, to))
}

const WITH_INNER: &str =
    r#"{"error":{"message":"no MSG","type":"kind","param":"p","code":"c","inner":{"why":["hate speech"]}}}"#;
/// The upstream sends OpenAI's 429 for a used-up quota, and the caller gets this code.
fn limited(code: &str) -> ObservationBuilder {
    let coded = |code: &str| say(429, &ERROR.replace(r#""c""#, &format!("\"{code}\"")));
    plain().tried(coded("insufficient_quota")).received(coded(code))
}

#[test]
fn a_code_that_repeats_the_status_or_is_the_providers_own_is_not_one_of_openais() {
    for sent in [r#""429""#, r#""1300""#] {
        let said = say(429, &ERROR.replace(r#""c""#, sent));
        let seen =
            plain().tried(said).received(say(429, &ERROR.replace(r#""c""#, r#""rate_limit_exceeded""#)));
        let findings = judge::judge(&seen.observation, &[], &Policy::default());
        let rules: Vec<&str> = findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(rules, ["detail.code-kept"], "{sent}");
    }
}

fn detail() -> Vec<RuleExample> {
    let good = |status| passed(status, ERROR);
    let inner = || plain().tried(say(400, WITH_INNER));
    let encoded = r#"{\"error\":{\"message\":\"no MSG\"}}"#;
    vec![
        ("detail.message-kept", good(400), changed(400, "no MSG", "Internal error")),
        ("detail.server-message-kept", good(500), changed(500, "no MSG", "Internal error")),
        ("detail.message-once", good(400), changed(400, "no MSG", "no MSG: no MSG")),
        ("detail.message-plain", good(400), changed(400, "no MSG", encoded)),
        ("detail.code-kept", good(400), changed(400, r#""c""#, "null")),
        ("detail.limit-code-kept", limited("insufficient_quota"), limited("rate_limit_exceeded")),
        ("detail.type-kept", good(400), changed(400, "kind", "api_error")),
        ("detail.param-kept", good(400), changed(400, r#""p""#, "null")),
        ("detail.members-kept", inner().received(say(400, WITH_INNER)), inner().received(error(400))),
        ("detail.no-language-literals", good(400), changed(400, r#""p""#, r#""None""#)),
    ]
}

#[test]
fn the_end_of_a_word_is_not_a_language_literal() {
    for text in ["the job's MSG", "no MSG in bitmap[0]"] {
        let findings = judge::judge(&changed(400, "no MSG", text).observation, &[], &Policy::default());
        assert!(findings.is_empty(), "{text}: {findings:#?}");
    }
    for text in ["b'no MSG'", "it said: b'no MSG'", "map[message:no MSG]"] {
        let findings = judge::judge(&changed(400, "no MSG", text).observation, &[], &Policy::default());
        let rules: Vec<&str> = findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(rules, ["detail.no-language-literals"], "{text}");
    }
}

/// The upstream sends RateLimit, and the caller gets this value.
fn quota(value: &str) -> ObservationBuilder {
    let said = |value: &str| error(429).with("ratelimit", value);
    plain().tried(said(r#""a";r=0;t=7, "b";r=5;t=40"#)).received(said(value))
}

#[test]
fn a_quota_is_loosened_by_more_units_or_an_earlier_reset() {
    let finds = |value: &str| {
        let findings = judge::judge(&quota(value).observation, &[], &Policy::default());
        findings.iter().any(|finding| finding.rule == "headers.ratelimit-not-loosened")
    };
    // Stricter, of another policy, or without meaning.
    for value in [r#""b";r=1;t=50"#, r#""own";r=99;t=1"#, r#""a";r=0;t=6, "b";r=5"#, "nonsense"] {
        assert!(!finds(value), "{value}");
    }
    for value in [r#""b";r=6;t=40"#, r#""a";r=0;t=1"#] {
        assert!(finds(value), "{value}");
    }
}

fn headers() -> Vec<RuleExample> {
    let kept = |name: &str, value: &str| {
        let said = || error(429).with(name, value);
        (plain().tried(said()).received(said()), plain().tried(said()).received(error(429)))
    };
    let example = |rule, name, value| {
        let (holds, breaks) = kept(name, value);
        (rule, holds, breaks)
    };
    let (forwarded, dropped) = kept("set-cookie", "a=b");
    let retried = || {
        plain()
            .retrying(1)
            .tried(error(503).with("retry-after", "1"))
            .wait(1000.0)
            .tried(say(200, OK.replace("TXT", "").as_str()))
    };
    vec![
        example("headers.retry-after", "retry-after", "7"),
        example("headers.retry-after-ms", "retry-after-ms", "7000"),
        example("headers.rate-limits", "x-ratelimit-limit-requests", "3"),
        ("headers.ratelimit-not-loosened", quota("\"a\";r=0;t=7"), quota("\"a\";r=9;t=7")),
        example("headers.request-id", "x-request-id", "RID"),
        (
            "headers.own-attempt",
            retried().received(say(200, OK)),
            retried().received(say(200, OK).with("retry-after", "1")),
        ),
        ("headers.no-poison", dropped, forwarded),
    ]
}

fn format() -> Vec<RuleExample> {
    let html = error(400).with("content-type", "text/html");
    let stream = || streamed().tried(events(GOOD));
    vec![
        ("format.envelope", passed(400, ERROR), passed(400, r#"{"error":"no MSG"}"#)),
        ("format.content-type", passed(400, ERROR), plain().tried(error(400)).received(html)),
        (
            "format.stream-content-type",
            stream().received(events(GOOD)),
            stream().received(events(GOOD).without("content-type")),
        ),
        (
            "format.stream-events",
            stream().received(events(GOOD)),
            stream().received(events(&[r#"{"type":"ping"}"#, ONE, TWO, STOP, DONE])),
        ),
    ]
}

fn leak() -> Vec<RuleExample> {
    let saying = |text: &str| changed(400, "MSG", &format!("MSG ({text})"));
    let header = error(400).with("x-upstream", "http://127.0.0.1:9/v1");
    let good = || passed(400, ERROR);
    vec![
        ("leak.provider-key", good(), saying("sk-canary-tok-primary")),
        ("leak.proxy-secret", good(), saying("sk-proxy")),
        ("leak.upstream-address", good(), saying("http://127.0.0.1:9/v1")),
        ("leak.upstream-address-header", good(), plain().tried(error(400)).received(header)),
        ("leak.traceback", good(), saying("/app/site-packages/x.py")),
    ]
}

#[test]
fn keys_and_addresses_of_other_cases_are_leaks_too() {
    let broken = |text: &str| {
        let body = ERROR.replace("MSG", &format!("MSG {text}"));
        let seen = plain().tried(error(400)).received(say(400, &body));
        let seen = seen.set(|arrangement| arrangement.foreign_addresses = vec!["127.0.0.1:77".to_owned()]);
        let findings = judge::judge(&seen.observation, &[], &Policy::default());
        findings.into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(broken("nothing"), Vec::<String>::new());
    assert_eq!(broken("sk-canary-other7-backup"), ["leak.provider-key"]);
    // A part of a key does not leak it.
    assert_eq!(broken("sk-canary-tok-prim"), Vec::<String>::new());
    assert_eq!(broken("sk-canary-t"), Vec::<String>::new());
    assert_eq!(broken("http://127.0.0.1:77/x"), ["leak.upstream-address"]);
}
