//! Checks of the content of a success.

use super::finish;
use crate::{
    dialect::{self, ChunkContent, Completion, FinishMeaning, ToolCall, ToolCallPart},
    judge::{attempt_outcome::is_truncated, caller_response, facts::Facts, rule::RuleOutcome},
    observation::{Attempt, excerpt},
    provider,
    scenario::{Api, SuccessReply, TurnReply},
};

/// Whether text, tool calls, reasoning and all choices arrived.
pub(super) fn intact(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let ((attempt, sent), got) = (facts.success()?, facts.response.completion()?);
    if !facts.response.looks_successful() || facts.failures().any(|(_, result)| result.failed_after_content())
    {
        return None;
    }
    // Only the beginning of a very long body is recorded. What a large reply contains is known from the scenario.
    if facts.raw_response().is_some_and(caller_response::is_truncated) {
        return None;
    }
    if is_truncated(&attempt.sent) {
        let large = large_reply(attempt)?;
        return RuleOutcome::check(large.says_the_same(got), || {
            (format!("the content as sent: {}", measured(&large)), measured(got))
        });
    }
    // As with an error in its place, a proxy may withhold a text that the provider's filter cut off.
    let is_filtered = sent.ended_by() == Some(FinishMeaning::Filtered);
    let is_reported = matches!(got.ended_by(), Some(FinishMeaning::Filtered | FinishMeaning::Incomplete));
    if is_filtered && is_reported && got.said.is_empty() && got.calls.is_empty() {
        return None;
    }
    if !sent.says_the_same(got) {
        let (sent, got) = (shown(sent), shown(got));
        return RuleOutcome::broken(format!("the content as sent: {sent}"), got, Vec::new());
    }
    let api = facts.api();
    let called = attempt.api.unwrap_or(api);
    if let Some((expected, observed)) = ids(api, called, sent, got)
        .or_else(|| reasoning(api, called, sent, got))
        .or_else(|| choices(api, called, sent, got))
    {
        return RuleOutcome::broken(expected, observed, Vec::new());
    }
    Some(RuleOutcome::Holds)
}

/// The text or the tool call of a large reply.
fn large_reply(attempt: &Attempt) -> Option<Completion> {
    let TurnReply::Reply(reply @ (SuccessReply::LargeText(_) | SuccessReply::LargeToolCall(_))) =
        &attempt.turn.as_ref()?.answer
    else {
        return None;
    };
    let calls = provider::tool_calls(reply, &attempt.canaries).into_iter().map(|call| ToolCallPart {
        index: None,
        id: String::new(),
        arguments: call.text(),
        name: call.name.to_owned(),
    });
    let text = provider::content_pieces(reply, &attempt.canaries).concat();
    let mut completion = Completion::default();
    completion.add(ChunkContent { text, calls: calls.collect(), ..ChunkContent::default() }, None);
    Some(completion)
}

/// How much text and which tool calls with how many arguments, for findings about large replies.
fn measured(completion: &Completion) -> String {
    let call = |call: &ToolCall| format!("{}({} bytes)", call.name, call.arguments.len());
    let text = format!("{} bytes of text", completion.said.len());
    let parts: Vec<String> = std::iter::once(text).chain(completion.calls.iter().map(call)).collect();
    parts.join(", ")
}

/// Whether a response with tool calls ends with the finish reason for them.
pub(super) fn calls_reported(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let ((attempt, sent), got) = (facts.success()?, facts.response.completion()?);
    let api = facts.api();
    let applies = facts.response.looks_successful()
        && dialect::has_word_for_tools(api)
        && !got.calls.is_empty()
        && sent.says_the_same(got);
    // OpenAI itself ends a forced call with `stop`, which may be passed on.
    let expects = match sent.ended_by() {
        Some(FinishMeaning::ToolCalls) => true,
        Some(FinishMeaning::Stop) => attempt.api.is_some_and(|called| !dialect::has_word_for_tools(called)),
        _ => false,
    };
    if !applies || !expects {
        return None;
    }
    RuleOutcome::check(got.ended_by() == Some(FinishMeaning::ToolCalls), || {
        let calls = sent.calls.len();
        (format!("a finish reason for tool calls: the upstream sent {calls}"), finish::quoted(got))
    })
}

/// What is wrong with the ids of tool calls: a caller answers a call by its id.
fn ids(api: Api, called: Api, sent: &Completion, got: &Completion) -> Option<(String, String)> {
    let has_ids = !matches!(api, Api::GeminiGenerate | Api::OllamaChat | Api::OllamaGenerate);
    let ids = |side: &Completion| side.calls.iter().map(|call| call.id.clone()).collect::<Vec<_>>();
    let (before, after) = (ids(sent), ids(got));
    // A provider of this dialect that sends no ids can be passed on.
    if !has_ids || (called == api && before == after) {
        return None;
    }
    let named = |call: &ToolCall| format!("an id for the call of `{}`", call.name);
    if let Some(call) = got.calls.iter().find(|call| call.id.is_empty()) {
        return Some((named(call), "none".to_owned()));
    }
    let sorted = |ids: &[String]| {
        let mut ids = ids.to_vec();
        ids.sort();
        ids
    };
    let mut different = sorted(&after);
    different.dedup();
    if different.len() < after.len() {
        return Some(("a different id for each tool call".to_owned(), after.join(", ")));
    }
    let swapped = before != after && sorted(&before) == sorted(&after);
    swapped.then(|| (format!("the ids in the order {}", before.join(", ")), after.join(", ")))
}

/// Whether reasoning was lost. It is compared only if both sides have the same dialect and the dialect defines it.
fn reasoning(api: Api, called: Api, sent: &Completion, got: &Completion) -> Option<(String, String)> {
    (api == called && sent.reasoning != got.reasoning).then(|| {
        let shown = |side: &Completion| format!("the reasoning {:?}", excerpt(&side.reasoning));
        (shown(sent), shown(got))
    })
}

/// Whether other choices than the first were lost or changed. Only these dialects have several.
fn choices(api: Api, called: Api, sent: &Completion, got: &Completion) -> Option<(String, String)> {
    let has_choices = |api| matches!(api, Api::OpenaiChat | Api::OpenaiCompletions | Api::GeminiGenerate);
    if !has_choices(api) || !has_choices(called) || sent.other_choices == got.other_choices {
        return None;
    }
    let shown = |side: &Completion| {
        let texts: Vec<_> = side.other_choices.values().map(|text| format!("{:?}", excerpt(text))).collect();
        format!("{} choices after the first: {}", texts.len(), texts.join(", "))
    };
    Some((shown(sent), shown(got)))
}

/// Text and tool calls, for findings.
pub(super) fn shown(completion: &Completion) -> String {
    let text = Some(format!("{:?}", excerpt(&completion.said)))
        .filter(|_| !completion.said.is_empty() || completion.calls.is_empty());
    let call = |call: &ToolCall| format!("{}({})", call.name, excerpt(&call.arguments));
    let parts: Vec<String> = text.into_iter().chain(completion.calls.iter().map(call)).collect();
    parts.join(", ")
}
