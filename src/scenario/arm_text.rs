//! Writes the upstreams of a case as the JSON with which a mock is armed (`upfault serve --arm`), for the steps that
//! reproduce a result.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use super::{
    model::{Case, SuccessReply, Turn, TurnReply},
    words::Transport,
};

/// The JSON that makes a mock behave like the upstreams of a case, with one turn per line.
/// [`load_arm`](super::load_arm) reads it back.
///
/// `healthy_after` maps a deployment to the number of attempts after which it only succeeds, as when the runner heals it.
pub(crate) fn arm_text(case: &Case, healthy_after: &BTreeMap<&str, usize>) -> String {
    let scenario = &case.scenario;
    let lists: Vec<(&str, String)> = scenario
        .deployments
        .iter()
        .map(|(name, turns)| (name.as_str(), list(&healed(turns, healthy_after.get(name.as_str())))))
        .collect();
    let mut text = format!("{{\"provider\": {}, ", Value::from(case.combination.provider.as_str()));
    // `upstream` is short for a single deployment named `primary`.
    match lists.as_slice() {
        [("primary", turns)] => {
            let _ = write!(text, "\"upstream\": {turns}");
        }
        several => {
            let lists: Vec<String> =
                several.iter().map(|(name, turns)| format!("{}: {turns}", Value::from(*name))).collect();
            let _ = write!(text, "\"deployments\": {{{}}}", lists.join(", "));
        }
    }
    if scenario.transport != Transport::Plain {
        let _ = write!(text, ", \"transport\": {}", Value::from(scenario.transport.to_string()));
    }
    if let Some(account) = &scenario.account {
        let _ = write!(text, ", \"account\": {}", account.to_file());
    }
    text.push_str("}\n");
    text
}

/// The turns of the first `attempts` attempts (the last turn repeats), then a successful turn, which repeats from then on.
fn healed(turns: &[Turn], attempts: Option<&usize>) -> Vec<Turn> {
    let mut turns = turns.to_vec();
    if let (Some(attempts), Some(last)) = (attempts, turns.last().cloned()) {
        turns.resize(*attempts, last);
        turns.push(Turn {
            answer: TurnReply::Reply(SuccessReply::Ok),
            headers: indexmap::IndexMap::new(),
            faults: Vec::new(),
        });
    }
    turns
}

fn list(turns: &[Turn]) -> String {
    let turns: Vec<String> = turns.iter().map(|turn| format!("  {}", turn_file(turn))).collect();
    format!("[\n{}\n]", turns.join(",\n"))
}

/// A turn as in a scenario file.
pub(crate) fn turn_file(turn: &Turn) -> Value {
    let Turn { answer, headers, faults } = turn;
    let mut file = match answer {
        TurnReply::Reply(reply) => json!({"reply": reply}),
        TurnReply::Error(error) => json!({"error": error}),
        TurnReply::Literal { status, .. } => json!({"status": status}),
    };
    if let TurnReply::Literal { body, bodies, chunks, .. } = answer {
        if let Some(body) = body {
            file["body"] = body.clone();
        }
        if !bodies.is_empty() {
            file["bodies"] = json!(bodies);
        }
        if !chunks.is_empty() {
            file["chunks"] = json!(chunks);
        }
    }
    if !headers.is_empty() {
        file["headers"] = json!(headers);
    }
    if !faults.is_empty() {
        file["faults"] = json!(faults);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Library, expand, load_arm, load_text};

    fn text(yaml: &str, healthy_after: &[(&'static str, usize)]) -> String {
        let scenario = std::sync::Arc::new(load_text("x", "f", yaml).unwrap());
        arm_text(&expand(&scenario)[0], &healthy_after.iter().copied().collect())
    }

    #[test]
    fn turns_are_as_in_a_scenario_file() {
        insta::assert_snapshot!(text("title: t\nwhy: w\nmatrix: {stream: [true]}\nupstream:\n  - {error: rate_limit, headers: {retry-after: '7', x: null}}\n  - {faults: [{reset: {at: {after_events: 2}}}]}\n", &[]), @r#"
        {"provider": "openai", "upstream": [
          {"error":"rate_limit","headers":{"retry-after":"7","x":null}},
          {"reply":"ok","faults":[{"reset":{"at":{"after_events":2}}}]}
        ]}
        "#);
    }

    #[test]
    fn deployments_transport_and_account_are_included() {
        insta::assert_snapshot!(text("title: t\nwhy: w\ntransport: tls\naccount: {requests_per_minute: 2, keys: {own: revoked}, spend_limit: 0.5}\ndeployments:\n  a: [{status: 500, body: \"it's\"}]\n  b: [{reply: ok}]\nproxy: {fallback: [a, b]}\n", &[("a", 2)]), @r#"
        {"provider": "openai", "deployments": {"a": [
          {"status":500,"body":"it's"},
          {"status":500,"body":"it's"},
          {"reply":"ok"}
        ], "b": [
          {"reply":"ok"}
        ]}, "transport": "tls", "account": {"requests_per_minute":2,"keys":{"own":"revoked","valid":[],"revoked":[]},"spend_limit":0.5}}
        "#);
    }

    #[test]
    fn every_bundled_case_is_read_back_unchanged() {
        for case in Library::bundled().cases() {
            let text = arm_text(&case, &BTreeMap::new());
            let read = load_arm(&text, &Library::default())
                .unwrap_or_else(|error| panic!("{}: {error}\n{text}", case.id));
            let scenario = &case.scenario;
            assert_eq!(
                (&read.deployments, read.transport, &read.account, read.combination.provider),
                (&scenario.deployments, scenario.transport, &scenario.account, case.combination.provider),
                "{}",
                case.id
            );
        }
    }
}
