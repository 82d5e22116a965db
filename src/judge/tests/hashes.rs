//! Ids and hashes in a text never change the outcome of a rule, although they may contain any short word.

use proptest::{prop_assert_eq, prop_oneof, proptest};
use regex::Regex;

use super::seen::*;
use crate::{
    judge::{self, Policy},
    observation::{AttemptEnd, Observation, Volatile},
    scenario::{Api, Provider},
};

fn broken(observation: &Observation) -> Vec<String> {
    judge::judge(observation, &[], &Policy::default()).into_iter().map(|finding| finding.rule).collect()
}

fn rejected(message: &str) -> ObservationBuilder {
    let body = format!(r#"{{"error":{{"message":"{message}","type":"requests","param":null,"code":null}}}}"#);
    plain().cooling(1, 5).tried(error(401)).received(error(401)).received(say(429, &body))
}

fn names_cause(message: &str) -> bool {
    !broken(&rejected(message).observation).contains(&"cooldown.names-cause".to_owned())
}

#[test]
fn a_status_inside_a_hash_names_no_cause() {
    for message in
        ["slow down", "cooldown list: [7f401c, 91f403, a403]", "try req_4011 again", "no_401k", "1403 s"]
    {
        assert!(!names_cause(message), "{message}");
    }
    for message in [
        "slow down: 401 from the provider",
        r"it said:\n403",
        "status=401",
        "AuthenticationError",
        "OpenAIAuthenticationError: no",
        "its API key is wrong",
        "api_key",
        "bad credentials",
        "Unauthorized",
    ] {
        assert!(names_cause(message), "{message}");
    }
}

#[test]
fn common_words_are_not_searched_in_volatile_parts() {
    let mut seen = rejected("No deployments. cooldown_list=[('x', 401)]").observation;
    assert!(!broken(&seen).contains(&"cooldown.names-cause".to_owned()));
    let pattern = Regex::new(r"cooldown_list=\[[^\]]*\]").unwrap();
    seen.arrangement.volatile = vec![Volatile::new(pattern, "cooldown_list=[]".to_owned())];
    assert!(broken(&seen).contains(&"cooldown.names-cause".to_owned()));
    // An observation that is read from a report gets the same findings.
    let stored = serde_json::to_string(&seen).unwrap();
    assert_eq!(broken(&serde_json::from_str(&stored).unwrap()), broken(&seen));
}

#[test]
fn the_tokens_of_attempt_10_are_not_those_of_attempt_1() {
    let first = "canary-msg-tok-primary-1";
    let tenth = ERROR.replace("MSG", &format!("{first}0"));
    let rules = broken(&plain().tried(error(400)).received(say(400, &tenth)).observation);
    assert!(rules.contains(&"detail.message-kept".to_owned()), "{rules:?}");
    let twice = ERROR.replace("MSG", &format!("{first} ({first}0)"));
    let rules = broken(&plain().tried(error(400)).received(say(400, &twice)).observation);
    assert!(!rules.contains(&"detail.message-once".to_owned()), "{rules:?}");
}

#[test]
fn a_longer_port_or_key_is_a_different_one() {
    let saying = |text: &str| {
        broken(&plain().tried(error(400)).received(say(400, &ERROR.replace("MSG", text))).observation)
    };
    for (text, rule, leaks) in [
        ("MSG at 127.0.0.1:9", "leak.upstream-address", true),
        ("MSG at 127.0.0.1:90", "leak.upstream-address", false),
        ("MSG sk-canary-tok-primary", "leak.provider-key", true),
        ("MSG sk-canary-tok-primary2", "leak.provider-key", true),
        ("MSG Bearer%20sk-canary-tok-primary", "leak.provider-key", true),
        ("MSG xsk-proxyx", "leak.proxy-secret", true),
    ] {
        assert_eq!(saying(text).contains(&rule.to_owned()), leaks, "{text}");
    }
}

#[test]
fn a_header_is_identified_by_its_whole_name() {
    let rules = |sent: &str, got: &str| {
        let attempt = error(429).with(sent, "trailers");
        broken(&plain().tried(attempt).received(error(429).with(got, "trailers")).observation)
    };
    for (sent, got, poisoned) in [
        ("te", "te", true),
        ("te", "llm_provider-te", false),
        ("te", "x-update", false),
        ("set-cookie", "llm_provider-set-cookie", true),
        ("set-cookie", "x-reset-cookie", false),
    ] {
        assert_eq!(rules(sent, got).contains(&"headers.no-poison".to_owned()), poisoned, "{sent}: {got}");
    }
}

/// Observations whose texts the rules search. Each contains `more` at the places where a word can occur.
fn searched(more: &str) -> Vec<Observation> {
    let fill = |text: &str| text.replace("MORE", more);
    let message = |text: &str| fill(&ERROR.replace("no MSG", text));
    let reported = |status, text: &str| plain().tried(error(status)).received(say(status, &message(text)));
    let end = AttemptEnd::Finished;
    let router = r#"{"error":{"message":"no model left: MORE","type":"router","param":null,"code":null}}"#;
    let stream = |text: &str| {
        let event = message(text);
        streamed().tried(events(&[ONE, ERROR])).received(events(&[ONE, &event]))
    };
    let both = || plain().chained().tried(error(503)).tried_at("backup", error(500), end);
    [
        reported(400, "MORE no MSG (MORE), MORE"),
        reported(400, "MORE is wrong: MORE"),
        reported(500, "failed: MORE\\nMORE"),
        reported(429, "b'MORE no MSG'"),
        reported(400, "the MORE's map of MORE [MORE]: MSG"),
        reported(400, "http://127.0.0.1:9/MORE MSG"),
        reported(401, "MORE sk-canary-tok-primary MORE"),
        rejected(&fill("slow down MORE")),
        rejected(&fill("key rejected (401) MORE")),
        rejected(&fill("MORE: authentication, MORE")),
        both().received(say(503, &fill(router))),
        both().received(say(503, &message("MORE backup.MSG MORE"))),
        stream("MORE no MSG, MORE"),
        stream("MORE"),
        plain()
            .calling(Api::AnthropicMessages, Provider::Anthropic)
            .tried(error(400))
            .received(say(400, &message("MORE"))),
        plain()
            .tried(error(400).with("x-request-id", "RID"))
            .received(error(400).with("x-own", &fill("id MORE"))),
    ]
    .map(|seen| seen.observation)
    .into()
}

proptest! {
    #[test]
    fn a_random_word_in_a_text_changes_no_finding(
        word in prop_oneof!["[0-9a-f]{6,40}", "[0-9A-Za-z]{8,32}", "[a-z]{12,24}", "[0-9]{4,20}"],
    ) {
        for (with, without) in searched(&word).iter().zip(&searched("word")) {
            prop_assert_eq!(broken(with), broken(without), "{}", word);
        }
    }
}
