//! The form of an error catalogue: one row an error, so that a provider's catalogue is data.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One error as one provider sends it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRow {
    /// The provider's own status.
    pub status: u16,
    /// What kind of body carries it; the profile's own where left out.
    pub form: Option<ErrorBodyForm>,
    /// `error.type`, or what stands in its place (`status` of a Google error, the name in an AWS
    /// error's header).
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `error.code`: text or a number; `null` where there is none.
    #[serde(default)]
    pub code: Value,
    /// `error.param`; `null` where there is none.
    pub param: Option<String>,
    /// The text, `{model}` standing for the model that was asked for and `{id}` for the thing that its
    /// path names. For a page, its title. Where a limit is used up, `{limit}`, `{used}`, `{requested}`
    /// and `{retry_after}` (`7s`) are filled in.
    pub message: String,
    /// Members of the error object beside those above; `{{canary.…}}` is filled in.
    #[serde(default)]
    pub extra: Map<String, Value>,
    /// Members of the body beside the error object, in OpenAI's forms; filled in alike.
    #[serde(default)]
    pub beside: Map<String, Value>,
    /// Headers on top of the profile's own.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// Which limit is used up.
    #[serde(default)]
    pub limits: Limits,
    /// What the row rests on.
    pub confidence: SourceConfidence,
    /// The page, fixture or issue; empty for a row that is recalled.
    #[serde(default)]
    pub source: String,
}

/// What kind of body carries an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBodyForm {
    /// `{"error": {"message", "type", "param", "code"}}`, all four always there.
    Openai,
    /// The same object with only those members that the row gives: `{"error": {"code", "message"}}`.
    OpenaiSparse,
    /// `{"type": "error", "error": {"type", "message"}, "request_id"}`
    Anthropic,
    /// `{"error": {"code", "message", "status", "details"}}`, the code being the status.
    Google,
    /// `{"promptFeedback": {"blockReason"}, …}`, the reason being the row's type: Google refuses a
    /// prompt with a 200.
    GoogleBlocked,
    /// `{"message"}` with the type in the header `x-amzn-errortype`.
    Aws,
    /// A reply of Bedrock's that looks like a success: the text stands where the model's would, under
    /// a stop reason that tells of a guardrail. In a stream it is one too.
    Guardrail,
    /// `{"object": "error", "message", "type", "param", "code"}`
    Flat,
    /// `{"detail": "…"}`
    Detail,
    /// `{"status", "title", "detail"}`, the title being the row's type.
    Problem,
    /// `{"code": "…", "error": "…"}`, both strings.
    CodeAndError,
    /// `{"error": "…"}`, with the row's other members beside it.
    Text,
    /// `{"message": "…"}` with the row's other members beside it.
    Message,
    /// The text itself, as `text/plain`.
    Plain,
    /// No body.
    Empty,
    /// A page of nginx or its like: none of the provider's headers.
    NginxPage,
    /// The same page signed by OpenResty.
    OpenrestyPage,
    /// The same page signed by Cloudflare, which puts it in place of an origin's 502 and 504.
    CloudflarePage,
    /// The same page unsigned, as AWS's load balancers send it.
    AwsPage,
    /// Cloudflare's own page for an origin that fails (520, 522, 524 and their like).
    CloudflareBrandedPage,
    /// The page of Google's front end.
    GooglePage,
}

/// Which limit an error says is used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limits {
    /// None.
    #[default]
    None,
    /// The requests of this minute are used up; waiting helps.
    Requests,
    /// The tokens of this minute are used up; waiting helps.
    Tokens,
}

/// How a provider writes the state of its limits into headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitStyle {
    /// Not at all.
    #[default]
    None,
    /// `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, resets as Go durations; `retry-after`
    /// and `retry-after-ms` on a 429.
    Openai,
    /// The same without `retry-after-ms`.
    OpenaiSeconds,
    /// The same as `openai` with resets in whole seconds (openai/openai-dotnet#838).
    Azure,
    /// `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`, resets as RFC 3339 times;
    /// `retry-after` on a 429.
    Anthropic,
    /// `ratelimitbysize-{limit,remaining,reset}` for tokens, `x-ratelimit-{limit,remaining}-req-minute`
    /// for requests, resets in seconds; nothing that says when to try again.
    Mistral,
    /// `x-ratelimit-{limit,remaining,reset}` for requests, `x-tokenlimit-{limit,remaining}` for tokens,
    /// the reset in seconds; nothing else that says when to try again.
    Together,
    /// `retry-after` alone, on a 429.
    RetryAfter,
}

/// What a row rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceConfidence {
    /// The provider's documentation says so.
    Documented,
    /// A recorded reply, or the server's own source code.
    Recorded,
    /// The literal body stands in somebody's report.
    Reported,
    /// Recalled, not confirmed: assert on status, type and code rather than on the text.
    Recalled,
}
