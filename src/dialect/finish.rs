//! What a finish reason means, whatever the dialect that it is written in.

use crate::scenario::Api;

/// Why the content of a completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishMeaning {
    /// The model finished: `stop`, `end_turn`, `completed`.
    Stop,
    /// The model called a tool, in a dialect that has a word for it.
    ToolCalls,
    /// The token limit cut the completion off.
    Limit,
    /// The model refused, or a filter withheld the completion or cut it off.
    Filtered,
    /// The completion is not whole, and the response does not say why: `incomplete` without a reason.
    Incomplete,
    /// Any other reason.
    Other,
}

impl FinishMeaning {
    /// The meaning of a finish reason of any dialect.
    pub(crate) fn of(reason: &str) -> Self {
        match reason.to_ascii_lowercase().as_str() {
            "stop" | "end_turn" | "stop_sequence" | "completed" | "complete" | "eos" | "eos_token" => {
                Self::Stop
            }
            "tool_calls" | "tool_call" | "tool_use" | "function_call" => Self::ToolCalls,
            "length"
            | "max_tokens"
            | "max_output_tokens"
            | "model_length"
            | "model_context_window_exceeded" => Self::Limit,
            "content_filter"
            | "content_filtered"
            | "guardrail_intervened"
            | "refusal"
            | "safety"
            | "recitation"
            | "blocklist"
            | "prohibited_content"
            | "spii"
            | "model_armor"
            | "jailbreak"
            | "image_safety"
            | "image_prohibited_content"
            | "image_recitation" => Self::Filtered,
            "incomplete" => Self::Incomplete,
            _ => Self::Other,
        }
    }
}

/// Whether an API has a finish reason for a refusal or a filter.
pub(crate) fn has_word_for_filters(api: Api) -> bool {
    !matches!(api, Api::CohereChat | Api::OllamaChat | Api::OllamaGenerate)
}

/// Whether an API has a finish reason for tool calls.
pub(crate) fn has_word_for_tools(api: Api) -> bool {
    !matches!(
        api,
        Api::OpenaiResponses
            | Api::OpenaiRealtime
            | Api::GeminiGenerate
            | Api::OllamaChat
            | Api::OllamaGenerate
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialects_word_has_its_meaning() {
        for (meaning, words) in [
            (FinishMeaning::Stop, "stop STOP end_turn COMPLETE completed"),
            (FinishMeaning::ToolCalls, "tool_calls tool_use TOOL_CALL"),
            (FinishMeaning::Limit, "length max_tokens MAX_TOKENS max_output_tokens"),
            (
                FinishMeaning::Filtered,
                "content_filter refusal SAFETY RECITATION guardrail_intervened content_filtered",
            ),
            (FinishMeaning::Incomplete, "incomplete"),
            (FinishMeaning::Other, "OTHER pause_turn error"),
        ] {
            for word in words.split(' ') {
                assert_eq!(FinishMeaning::of(word), meaning, "{word}");
            }
        }
    }
}
