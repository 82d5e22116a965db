//! The types of an error catalogue: one row per error, so that a provider's catalogue is data.

use http::{HeaderName, HeaderValue};
use indexmap::IndexMap;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

/// One error as one provider sends it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRow {
    /// The provider's status code, from 200 to 599.
    #[serde(deserialize_with = "final_status")]
    pub status: u16,
    /// The form of the body. Default: the profile's form.
    pub form: Option<ErrorBodyForm>,
    /// `error.type`, or its equivalent (`status` of a Google error, the name in an AWS error's header).
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `error.code`: a text or a number; `null` if there is none.
    #[serde(default)]
    pub code: Value,
    /// `error.param`; `null` if there is none.
    pub param: Option<String>,
    /// The error text; for a page, its title. `{model}` is replaced with the requested model, `{id}` with the
    /// id in the path, `{retry_after}` (`7s`), `{retry_after_seconds}` (`7`) and `{reset_unix_ms}` with the
    /// wait. If a limit is used up, `{limit}`, `{used}` and `{requested}` are filled in too.
    pub message: String,
    /// The wait in seconds that the error states, unless the scenario sets another one.
    #[serde(default = "standard_wait")]
    pub wait: u32,
    /// Additional members of the error object; `{{canary.…}}` and the wait are filled in.
    #[serde(default)]
    pub extra: Map<String, Value>,
    /// Additional members of the body, next to the error object, in OpenAI's forms; `{{canary.…}}` and the
    /// wait are filled in.
    #[serde(default)]
    pub body_extra: Map<String, Value>,
    /// Headers in addition to the profile's; `{{canary.…}}` and the wait are filled in.
    #[serde(default, deserialize_with = "header_fields")]
    pub headers: IndexMap<String, String>,
    /// The limit that is used up.
    #[serde(default)]
    pub limits: Limits,
    /// The kind of evidence for the row.
    pub confidence: SourceConfidence,
    /// The page, fixture or issue with the evidence; empty for a row that is recalled.
    #[serde(default)]
    pub source: String,
    /// The day on which the source was last read. Default: that of the profile.
    pub checked: Option<Date>,
}

fn final_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = u16::deserialize(deserializer)?;
    match status {
        200..600 => Ok(status),
        _ => Err(D::Error::custom(format!("{status} is not the status of a response: write 200 to 599"))),
    }
}

/// Headers that can be sent as they are.
pub(super) fn header_fields<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<IndexMap<String, String>, D::Error> {
    let headers = IndexMap::<String, String>::deserialize(deserializer)?;
    for (name, value) in &headers {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(D::Error::custom(format!("`{}` is not a valid header name", name.escape_debug())));
        }
        if HeaderValue::from_str(value).is_err() {
            return Err(D::Error::custom(format!("the value of `{name}` cannot be sent in a header")));
        }
    }
    Ok(headers)
}

/// Host names, in which `*` matches any text.
pub(super) fn host_patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let hosts = Vec::<String>::deserialize(deserializer)?;
    let is_pattern =
        |host: &String| !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._*".contains(c));
    match hosts.iter().find(|host| !is_pattern(host)) {
        Some(host) => {
            Err(D::Error::custom(format!("`{host}` is not a host name, such as `api.example.com`")))
        }
        None => Ok(hosts),
    }
}

fn standard_wait() -> u32 {
    7
}

/// The form of an error's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBodyForm {
    /// `{"error": {"message", "type", "param", "code"}}`, with all four members always present.
    Openai,
    /// The same object with only those members that the row has: `{"error": {"code", "message"}}`.
    OpenaiSparse,
    /// `{"type": "error", "error": {"type", "message"}, "request_id"}`
    Anthropic,
    /// `{"error": {"code", "message", "status", "details"}}`; the code is the status.
    Google,
    /// `{"promptFeedback": {"blockReason"}, …}`; the reason is the row's type. Google refuses a prompt with
    /// status 200.
    GoogleBlocked,
    /// `{"message"}` with the type in the header `x-amzn-errortype`.
    Aws,
    /// A Bedrock response that looks like a success: the text replaces the model's text, and the stop reason
    /// names a guardrail. A stream has the same form.
    Guardrail,
    /// `{"object": "error", "message", "type", "param", "code"}`
    Flat,
    /// `{"detail": "…"}`
    Detail,
    /// `{"status", "title", "detail"}`; the title is the row's type.
    Problem,
    /// `{"code": "…", "error": "…"}`, both strings.
    CodeAndError,
    /// `{"error": "…"}`, with the row's other members next to it.
    Text,
    /// `{"message": "…"}`, with the row's other members next to it.
    Message,
    /// The error text, as `text/plain`.
    Plain,
    /// No body.
    Empty,
    /// The error page of nginx or a similar server, without the provider's headers.
    NginxPage,
    /// The same page, signed by OpenResty.
    OpenrestyPage,
    /// The same page, signed by Cloudflare, which sends it in place of an origin's 502 and 504.
    CloudflarePage,
    /// The same page, unsigned, as AWS's load balancers send it.
    AwsPage,
    /// Cloudflare's own page for a failing origin (520, 522, 524 and similar).
    CloudflareBrandedPage,
    /// The page of Google's front end.
    GooglePage,
}

/// The limit that an error reports as used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limits {
    /// No limit is used up.
    #[default]
    None,
    /// The requests of this minute are used up; waiting helps.
    Requests,
    /// The tokens of this minute are used up; waiting helps.
    Tokens,
}

/// The headers in which a provider reports the state of its limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitStyle {
    /// No headers.
    #[default]
    None,
    /// `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, resets as Go durations; `retry-after`
    /// and `retry-after-ms` on a 429.
    Openai,
    /// The same without `retry-after-ms`.
    OpenaiSeconds,
    /// The same as `openai` with resets in whole seconds (openai/openai-dotnet#838).
    Azure,
    /// `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`,
    /// resets as RFC 3339 times; `retry-after` on a 429.
    Anthropic,
    /// `ratelimitbysize-{limit,remaining,reset}` for tokens, `x-ratelimit-{limit,remaining}-req-minute`
    /// for requests, resets in seconds; no header says when to retry.
    Mistral,
    /// `x-ratelimit-{limit,remaining,reset}` for requests, `x-tokenlimit-{limit,remaining}` for tokens,
    /// the reset in seconds; no other header says when to retry.
    Together,
    /// Only `retry-after`, on a 429.
    RetryAfter,
}

/// The kind of evidence for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceConfidence {
    /// The provider's documentation says so.
    Documented,
    /// A recorded reply, or the server's own source code.
    Recorded,
    /// A bug report or similar contains the literal body.
    Reported,
    /// Recalled and not confirmed: assert on the status, type and code rather than on the text.
    Recalled,
}
