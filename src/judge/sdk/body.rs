//! Responses with status 200 to calls that did not request a stream.

use serde_json::{Value, error::Category};

use super::{
    kinds::Sdk,
    outcome::{Retry, RetryReason, SdkOutcome},
    retry,
};
use crate::{
    judge::caller_response::CallerResponse,
    observation::{Response, ResponseEnd, word},
    scenario::Api,
    wire::content_coding::declared,
};

/// The outcome of a response with status 200 that is not a stream.
pub(super) fn whole(sdk: Sdk, api: Api, answer: &Response, response: &CallerResponse) -> SdkOutcome {
    if let Some(unread) = unread(answer) {
        return match unread {
            UnreadBody::Cut | UnreadBody::Undecodable => SdkOutcome::raises(
                sdk.by_language("APIConnectionError", "TypeError"),
                retry::by_cut_body(sdk),
            ),
            UnreadBody::Unmeasured(why) => SdkOutcome::not_measured(why),
        };
    }
    let success = matches!(response, CallerResponse::Whole { completion: Some(_), error: None, .. });
    if success {
        return SdkOutcome::Returns;
    }
    // Bodies other than a success were measured only with the two most used calls; some other calls check the body.
    if !matches!(api, Api::OpenaiChat | Api::AnthropicMessages) {
        return SdkOutcome::not_measured("an invalid body at this endpoint");
    }
    // The bytes of every compressed format are invalid UTF-8.
    if answer.body.coded.as_ref().is_some_and(|coded| coded.undeclared.is_some()) {
        return refused(sdk.by_language("UnicodeDecodeError", "SyntaxError"));
    }
    if !answer.body.utf8 || answer.body.bytes > answer.body.text.len() as u64 {
        return SdkOutcome::not_measured("a body that is invalid UTF-8 or very long");
    }
    let kind = answer.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        // The SDK returns the body to the caller as a string.
        "text/html" if !answer.body.text.is_empty() => SdkOutcome::Returns,
        "application/json" => json(sdk, &answer.body.text),
        _ => SdkOutcome::not_measured("a body with this content type"),
    }
}

/// A body that an SDK cannot read to its end.
pub(super) enum UnreadBody {
    /// The connection ended before the length or the last chunk that the headers promise.
    Cut,
    /// It is not in the content coding that the headers declare.
    Undecodable,
    /// Something else.
    Unmeasured(&'static str),
}

/// Why an SDK cannot read the body of a response; `None` if it can.
pub(super) fn unread(answer: &Response) -> Option<UnreadBody> {
    let is_framed = ["content-length", "transfer-encoding"].iter().any(|name| answer.header(name).is_some());
    match &answer.ending {
        ResponseEnd::Complete => {}
        ResponseEnd::Closed | ResponseEnd::Reset if is_framed => return Some(UnreadBody::Cut),
        _ => return Some(UnreadBody::Unmeasured("a body that ends like this")),
    }
    let coding = declared(answer.header("content-encoding"))?;
    // The SDKs ask for these two. Which others they read depends on the libraries that are installed.
    if !coding.split(',').all(|name| matches!(name.trim(), "gzip" | "deflate")) {
        return Some(UnreadBody::Unmeasured("a content coding that the SDK does not ask for"));
    }
    answer.body.undecodable().map(|_| UnreadBody::Undecodable)
}

fn refused(class: &str) -> SdkOutcome {
    SdkOutcome::raises(class, Retry::never(RetryReason::Body))
}

fn json(sdk: Sdk, text: &str) -> SdkOutcome {
    if text.is_empty() {
        return if sdk.is_python() { refused("JSONDecodeError") } else { SdkOutcome::Returns };
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Null) => SdkOutcome::Returns,
        Ok(Value::Object(members)) if members.contains_key("error") => SdkOutcome::Returns,
        Ok(_) => SdkOutcome::not_measured("JSON that is neither a completion nor an error"),
        Err(error) if is_broken(text, &error) => refused(sdk.by_language("JSONDecodeError", "SyntaxError")),
        Err(_) => SdkOutcome::not_measured("JSON that only some parsers accept"),
    }
}

/// Whether every parser rejects the text. Of what serde rejects, Python and Node accept deep nesting, huge numbers and
/// halves of surrogate pairs, and Python also accepts `NaN` and `Infinity`.
pub(super) fn is_broken(text: &str, error: &serde_json::Error) -> bool {
    let message = error.to_string();
    let lenient = ["recursion limit", "out of range", "surrogate", "hex escape"];
    matches!(error.classify(), Category::Syntax | Category::Eof)
        && !lenient.iter().any(|word| message.contains(word))
        && !word::occurs(text, "NaN")
        && !word::occurs(text, "Infinity")
}
