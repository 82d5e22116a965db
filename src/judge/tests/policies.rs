//! Each key of a policy decides something: with one answer a rule is broken, with another it holds. Also checks the
//! answers of each bundled policy.

use super::{codings, leaving::cancelled_after, seen::*};
use crate::{
    judge::{self, Finding, Policy, PolicyAnswer},
    observation::AttemptEnd,
    scenario::{ErrorName, Fault, Level, Turn, TurnReply},
};

/// An observation that shows what a key decides.
pub(super) struct Shown {
    pub(super) key: &'static str,
    pub(super) rule: &'static str,
    pub(super) seen: ObservationBuilder,
    /// An answer with which the observation breaks the rule, and one with which it does not.
    pub(super) answers: (&'static str, &'static str),
    /// The level of the finding under `default`, `rfc9110`, `litellm-docs` and `strict`.
    pub(super) bundled: [Option<Level>; 4],
}

const REQUIRED: Option<Level> = Some(Level::Required);
const RECOMMENDED: Option<Level> = Some(Level::Recommended);
const INFORMATIVE: Option<Level> = Some(Level::Informative);

fn failed(upstream: u16, reported: u16) -> ObservationBuilder {
    plain().tried(error(upstream)).received(error(reported))
}

fn reworded(status: u16, from: &str, to: &str) -> ObservationBuilder {
    assert!(ERROR.contains(from), "there is something to change");
    plain().tried(error(status)).received(say(status, &ERROR.replace(from, to)))
}

fn chained(first: u16) -> ObservationBuilder {
    plain().chained().tried(error(first))
}

fn statuses() -> Vec<Shown> {
    let late = plain().tried_in_vain(AttemptEnd::ClientLeft).received(error(408));
    let refused = plain().unreachable(Fault::Refuse).received(error(500));
    let spent = failed(400, 429).attempt(|attempt| {
        let answer = TurnReply::Error(ErrorName::Quota);
        attempt.turn = Some(Turn { answer, headers: indexmap::IndexMap::new(), faults: Vec::new() });
    });
    vec![
        Shown {
            key: "credentials",
            rule: "status.credentials",
            seen: failed(401, 401),
            answers: ("502", "401"),
            bundled: [None, REQUIRED, None, REQUIRED],
        },
        Shown {
            key: "credentials_apart",
            rule: "status.credentials-apart",
            seen: failed(401, 403),
            answers: ("required", "lifted"),
            bundled: [RECOMMENDED, None, REQUIRED, REQUIRED],
        },
        Shown {
            key: "timeout",
            rule: "status.timeout",
            seen: late,
            answers: ("504", "408"),
            bundled: [None, RECOMMENDED, None, REQUIRED],
        },
        Shown {
            key: "overloaded",
            rule: "status.overloaded",
            seen: failed(529, 500),
            answers: ("[503, 529]", "5xx"),
            bundled: [RECOMMENDED, RECOMMENDED, None, REQUIRED],
        },
        Shown {
            key: "rate_limit",
            rule: "status.rate-limit",
            seen: failed(429, 503),
            answers: ("429", "503"),
            bundled: [REQUIRED; 4],
        },
        Shown {
            key: "unreachable",
            rule: "status.unreachable",
            seen: refused,
            answers: ("502", "500"),
            bundled: [RECOMMENDED, RECOMMENDED, None, REQUIRED],
        },
        Shown {
            key: "quota",
            rule: "status.mirrored",
            seen: spent,
            answers: ("400", "[400, 429]"),
            bundled: [REQUIRED; 4],
        },
    ]
}

fn streams() -> Vec<Shown> {
    let broken = || streamed().tried(events(&[ONE, TWO, ERROR]));
    let unsaid = r#"{"error":{"message":"Internal error"}}"#;
    vec![
        Shown {
            key: "after_error",
            rule: "stream.one-error-event",
            seen: broken().received(events(&[ONE, TWO, ERROR, DONE])),
            answers: ("nothing", "either"),
            bundled: [None, None, None, REQUIRED],
        },
        Shown {
            key: "clean_end",
            rule: "stream.no-forged-success",
            seen: streamed().tried(events(&[ONE, DONE])).received(events(&[ONE, DONE])),
            answers: ("failure", "failure_unless_done"),
            bundled: [None, None, None, REQUIRED],
        },
        Shown {
            key: "hold_back",
            rule: "stream.error-status",
            seen: streamed().tried(error(503)).received(events(&[ERROR])),
            answers: ("required", "lifted"),
            bundled: [REQUIRED; 4],
        },
        Shown {
            key: "stream_message",
            rule: "stream.error-detail",
            seen: broken().received(events(&[ONE, TWO, unsaid])),
            answers: ("required", "lifted"),
            bundled: [REQUIRED; 4],
        },
        Shown {
            key: "client_gone",
            rule: "disconnect.plain-let-go",
            seen: cancelled_after(plain(), 2001.0),
            answers: ("required", "lifted"),
            bundled: [RECOMMENDED, RECOMMENDED, INFORMATIVE, REQUIRED],
        },
    ]
}

fn chains() -> Vec<Shown> {
    let end = AttemptEnd::Finished;
    let of_the_last = chained(503)
        .tried_at("backup", error(500), end)
        .received(say(503, &ERROR.replace("MSG", "backup.MSG")));
    let saved = chained(404).tried_at("backup", say(200, OK), end).received(say(200, OK));
    vec![
        Shown {
            key: "chain_error",
            rule: "fallback.true-error",
            seen: of_the_last,
            answers: ("first", "last"),
            bundled: [None, None, REQUIRED, REQUIRED],
        },
        Shown {
            key: "fallback_on",
            rule: "fallback.used",
            seen: chained(404).received(error(404)),
            answers: ("[404, 429, 5xx]", "[429, 5xx]"),
            bundled: [None; 4],
        },
        Shown {
            key: "no_fallback_on",
            rule: "fallback.only-when-needed",
            seen: saved,
            answers: ("[400, 404]", "none"),
            bundled: [None, None, None, REQUIRED],
        },
    ]
}

fn words() -> Vec<Shown> {
    let hidden = |status| reworded(status, "no MSG", "Internal error");
    vec![
        Shown {
            key: "retry_after",
            rule: "headers.retry-after",
            seen: plain().tried(error(429).with("retry-after", "7")).received(error(429)),
            answers: ("recommended", "lifted"),
            bundled: [REQUIRED, REQUIRED, None, REQUIRED],
        },
        Shown {
            key: "error_code",
            rule: "detail.code-kept",
            seen: reworded(400, r#""c""#, "null"),
            answers: ("required", "lifted"),
            bundled: [RECOMMENDED, RECOMMENDED, INFORMATIVE, REQUIRED],
        },
        Shown {
            key: "limit_code",
            rule: "detail.limit-code-kept",
            seen: plain()
                .tried(say(429, &ERROR.replace(r#""c""#, r#""slow_down""#)))
                .received(say(429, &ERROR.replace(r#""c""#, r#""429""#))),
            answers: ("required", "lifted"),
            bundled: [REQUIRED, REQUIRED, INFORMATIVE, REQUIRED],
        },
        Shown {
            key: "error_type",
            rule: "detail.type-kept",
            seen: reworded(400, "kind", "api_error"),
            answers: ("required", "lifted"),
            bundled: [RECOMMENDED, RECOMMENDED, RECOMMENDED, REQUIRED],
        },
        Shown {
            key: "request_message",
            rule: "detail.message-kept",
            seen: hidden(400),
            answers: ("informative", "lifted"),
            bundled: [REQUIRED; 4],
        },
        Shown {
            key: "server_message",
            rule: "detail.server-message-kept",
            seen: hidden(500),
            answers: ("informative", "lifted"),
            bundled: [RECOMMENDED, RECOMMENDED, RECOMMENDED, REQUIRED],
        },
    ]
}

fn all() -> Vec<Shown> {
    [statuses(), streams(), chains(), words(), codings::answers()].into_iter().flatten().collect()
}

/// The level of the finding of this rule, if there is one.
fn level(seen: &ObservationBuilder, rule: &str, policy: &Policy) -> Option<Level> {
    let findings = judge::judge(&seen.observation, &[], policy);
    findings.into_iter().find(|finding| finding.rule == rule).map(|finding| finding.level)
}

fn with(key: &str, answer: &str) -> Policy {
    Policy::from_text("p.yaml", &format!("{key}: {answer}\n")).unwrap()
}

#[test]
fn each_key_decides_whether_a_rule_is_broken() {
    for Shown { key, rule, seen, answers: (breaking, lenient), .. } in all() {
        let question = Policy::QUESTIONS.iter().find(|question| question.key == key).unwrap();
        assert!(question.rules.contains(&rule), "{key} does not name {rule}");
        assert!(level(&seen, rule, &with(key, breaking)).is_some(), "{key} = {breaking}: {rule} holds");
        assert_eq!(level(&seen, rule, &with(key, lenient)), None, "{key} = {lenient}: {rule} is broken");
    }
}

/// The finding of this rule under a policy, including the comparison with the default policy.
fn found(seen: &ObservationBuilder, rule: &str, policy: &Policy) -> Option<Finding> {
    let findings = judge::judge_by(&seen.observation, &[], policy).findings;
    findings.into_iter().find(|finding| finding.rule == rule)
}

#[test]
fn a_users_answer_is_enforced_and_the_finding_names_its_key() {
    for Shown { key, rule, seen, answers: (breaking, _), .. } in all() {
        let words = ["required", "recommended", "informative"];
        let weight = words.contains(&breaking).then(|| breaking.parse::<Level>().unwrap());
        let text = format!("name: ours\n{key}: {{answer: {breaking}, reason: We say so.}}\n");
        let policy = Policy::from_text("p.yaml", &text).unwrap();
        let finding = found(&seen, rule, &policy).unwrap();
        assert_eq!(finding.level, weight.unwrap_or(Level::Required), "{key} = {breaking}");
        // If the default policy makes the same finding, no answer of the user causes it.
        let usual = found(&seen, rule, &Policy::default()).map(|usual| usual.level);
        if usual.is_some_and(|usual| usual <= finding.level) {
            assert_eq!(finding.policy, [], "{key}");
            continue;
        }
        assert_eq!(finding.policy.len(), 1, "{key}: {finding:?}");
        let named = finding.policy[0].to_string();
        assert!(named.starts_with(&format!("policy.{key} = ")), "{named}");
        let line = format!("{named} (ours): We say so.");
        assert!(finding.evidence.contains(&line), "{finding:?}");
    }
}

#[test]
fn levels_override_the_level_that_an_answer_enforces() {
    let late = || plain().tried_in_vain(AttemptEnd::ClientLeft).received(error(408));
    let level = |text: &str| {
        let policy = Policy::from_text("p.yaml", text).unwrap();
        found(&late(), "status.timeout", &policy).map(|finding| finding.level)
    };
    assert_eq!(level("timeout: 504\n"), REQUIRED);
    assert_eq!(level("timeout: 504\nlevels: {status.timeout: recommended}\n"), RECOMMENDED);
    assert_eq!(level("timeout: 504\nlevels: {status.timeout: lifted}\n"), None);
    assert_eq!(level("extends: rfc9110\n"), RECOMMENDED, "a bundled answer is not the user's answer");
    assert_eq!(level("extends: strict\ntimeout: 504\n"), REQUIRED);
    // Each answer enforces the rules that it decides, not all rules that use it.
    let refused = plain().unreachable(Fault::Refuse).received(error(500));
    let policy = with("timeout", "504");
    assert_eq!(found(&refused, "status.unreachable", &policy).unwrap().level, Level::Recommended);
}

#[test]
fn a_finding_names_only_the_answers_that_decide_it() {
    let late = plain().tried_in_vain(AttemptEnd::ClientLeft).received(error(408));
    let strict = Policy::named("strict").unwrap();
    let keys = |policy: &Policy| -> Vec<String> {
        found(&late, "status.timeout", policy).unwrap().policy.into_iter().map(|one| one.key).collect()
    };
    // The policy's answer for `unreachable` differs from the default as well, but does not decide this finding.
    assert_eq!(keys(&strict), ["timeout", "levels.status.timeout"]);
    assert_eq!(keys(&Policy::named("rfc9110").unwrap()), ["timeout"]);
}

#[test]
fn a_weaker_or_missing_finding_names_its_answer_too() {
    let seen = plain().tried(error(429).with("retry-after", "7")).received(error(429));
    for (answer, eased) in [("lifted", true), ("recommended", true), ("required", false)] {
        let judgement = judge::judge_by(&seen.observation, &[], &with("retry_after", answer));
        let named: Vec<String> = judgement.eased.iter().map(|one| PolicyAnswer::list(&one.answers)).collect();
        let expected = [format!("policy.retry_after = {answer}")];
        assert_eq!(named, if eased { &expected[..] } else { &[] });
    }
}

#[test]
fn each_bundled_policy_gives_the_expected_levels() {
    for Shown { key, rule, seen, bundled, .. } in all() {
        let levels: Vec<_> = Policy::all().iter().map(|policy| level(&seen, rule, policy)).collect();
        assert_eq!(levels, bundled, "{key}, {rule}");
    }
}

#[test]
fn every_key_has_an_example() {
    let shown: Vec<&str> = all().iter().map(|shown| shown.key).collect();
    for question in Policy::QUESTIONS {
        assert!(shown.contains(&question.key), "no example shows what {} decides", question.key);
    }
}

#[test]
fn a_status_that_a_fallback_must_follow_may_be_followed_by_one() {
    let end = AttemptEnd::Finished;
    let saved = |status| chained(status).tried_at("backup", say(200, OK), end).received(say(200, OK));
    let policy = Policy::from_text("p", "fallback_on: [404, 429, 5xx]\nno_fallback_on: 4xx\n").unwrap();
    let rule = "fallback.only-when-needed";
    assert_eq!(level(&saved(404), rule, &policy), None);
    assert_eq!(level(&saved(429), rule, &policy), None);
    assert_eq!(level(&saved(400), rule, &policy), REQUIRED);
    // No fallback can follow the last deployment of a chain.
    let alone = chained(503).tried_at("backup", error(400), end).received(error(400));
    assert_eq!(level(&alone, rule, &policy), None);
    assert!(judge::applicable(&alone.observation, &[], &policy).contains(&rule));
}

#[test]
fn if_a_proxy_may_hide_a_message_it_may_report_a_chain_in_its_own_words() {
    let end = AttemptEnd::Finished;
    let router = r#"{"error":{"message":"no model left","type":"router","param":null,"code":null}}"#;
    let reported = |status| chained(status).tried_at("backup", error(500), end).received(say(500, router));
    let rule = "fallback.true-error";
    assert_eq!(level(&reported(503), rule, &with("request_message", "lifted")), REQUIRED);
    assert_eq!(level(&reported(503), rule, &with("server_message", "lifted")), None);
    assert_eq!(level(&reported(503), rule, &with("server_message", "recommended")), REQUIRED);
    assert_eq!(level(&reported(503), rule, &with("levels", "{detail.server-message-kept: lifted}")), None);
    assert_eq!(level(&reported(404), rule, &with("request_message", "lifted")), None);
}
