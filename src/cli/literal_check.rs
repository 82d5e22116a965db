//! Warnings about literal bodies that a proxy can get from an endpoint for which they are not written.

use crate::{
    provider,
    scenario::{Combination, Scenario, TurnReply},
};

/// Returns one line for each turn whose literal body is sent at endpoints with different dialects, or which has no body
/// for an endpoint that a proxy can ask.
pub(super) fn warnings(scenario: &Scenario) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, turns) in &*scenario.deployments {
        for (n, turn) in (1..).zip(turns) {
            let problem = scenario.matrix.iter().find_map(|case| problem(&turn.answer, *case));
            lines.extend(problem.map(|problem| format!("{name}, turn {n}: {problem}")));
        }
    }
    lines
}

fn problem(answer: &TurnReply, case: Combination) -> Option<String> {
    let TurnReply::Literal { status, body, bodies, chunks } = answer else { return None };
    let Combination { api, provider, .. } = case;
    let endpoints = provider::asked_endpoints(case);
    let call = format!("a proxy can answer a call of {api} with a request to {provider}'s");
    if let Some(missing) = endpoints.iter().find(|one| !bodies.is_empty() && !bodies.contains_key(*one)) {
        return Some(format!(
            "{call} {missing}, for which `bodies` has no entry: the mock would send the provider's own reply, and \
             `expect` would not apply; add a body, or `null` if this is intended"
        ));
    }
    let [first, rest @ ..] = endpoints.as_slice() else { return None };
    let form = |endpoint| provider::error_form(provider, endpoint);
    // OpenAI's responses and chat, for example, have the same error object.
    let other = rest.iter().find(|other| *status < 400 || form(**other) != form(*first))?;
    let joined = || chunks.iter().filter_map(|chunk| chunk.text.as_deref()).collect::<String>().into();
    let body = body.clone().or_else(|| (!chunks.is_empty()).then(joined));
    body.filter(provider::is_of_a_dialect)?;
    Some(format!(
        "{call} {first} or {other}, and `body` is sent at both: write the body of each endpoint in `bodies`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Library, load_text};

    fn of(matrix: &str, turn: &str) -> Vec<String> {
        let text = format!("title: t\nwhy: w\nmatrix: {{{matrix}}}\nupstream: [{turn}]\n");
        warnings(&load_text("x", "f", &text).expect("the scenario loads"))
    }

    #[test]
    fn a_body_that_goes_out_at_two_endpoints_is_named() {
        let messages = "provider: [openai], api: [openai/chat, anthropic/messages]";
        insta::assert_snapshot!(
            of(messages, "{status: 200, body: {choices: []}}").join("\n"),
            @"primary, turn 1: a proxy can answer a call of anthropic/messages with a request to openai's openai/chat or openai/responses, and `body` is sent at both: write the body of each endpoint in `bodies`"
        );
        insta::assert_snapshot!(
            of(messages, "{status: 200, bodies: {openai/chat: {choices: []}}}").join("\n"),
            @"primary, turn 1: a proxy can answer a call of anthropic/messages with a request to openai's openai/responses, for which `bodies` has no entry: the mock would send the provider's own reply, and `expect` would not apply; add a body, or `null` if this is intended"
        );
        for turn in [
            // OpenAI's two endpoints have the same error object, and a page has no dialect.
            "{status: 400, body: {error: {message: m}}}",
            "{status: 200, body: <html></html>}",
            "{reply: ok}",
            "{status: 200, bodies: {openai/chat: {choices: []}, openai/responses: null}}",
        ] {
            assert_eq!(of(messages, turn), [""; 0], "{turn}");
        }
        // The proxy has no choice.
        assert_eq!(of("stream: [false]", "{status: 200, body: {choices: []}}"), [""; 0]);
        // Two forms of errors.
        let ollama = "provider: [ollama], api: [openai/chat]";
        assert_eq!(of(ollama, "{status: 400, body: {error: {message: m}}}").len(), 1);
    }

    #[test]
    fn no_bundled_scenario_sends_a_body_at_the_wrong_endpoint() {
        for scenario in Library::bundled().scenarios {
            assert_eq!(warnings(&scenario), [""; 0], "{}", scenario.id);
        }
    }
}
