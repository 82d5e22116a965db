//! Exception classes by status.

use serde_json::Value;

use super::{
    body::{UnreadBody, unread},
    kinds::Sdk,
    outcome::SdkOutcome,
    retry,
};
use crate::observation::Response;

/// The class of each status below 500 that was measured: for openai-python, openai-node, and the two Anthropic SDKs
/// (Python, Node).
const CLASSES: &[(u16, &str, &str, (&str, &str))] = &[
    (400, "BadRequestError", "BadRequestError", both("BadRequestError")),
    (401, "AuthenticationError", "AuthenticationError", both("AuthenticationError")),
    (402, PLAIN.0, PLAIN.1, both("PaymentRequiredError")),
    (403, "PermissionDeniedError", "PermissionDeniedError", both("PermissionDeniedError")),
    (404, "NotFoundError", "NotFoundError", both("NotFoundError")),
    (405, PLAIN.0, PLAIN.1, PLAIN),
    (408, PLAIN.0, PLAIN.1, both("RequestTimeoutError")),
    (409, "ConflictError", "ConflictError", both("ConflictError")),
    (412, PLAIN.0, PLAIN.1, both("PreconditionFailedError")),
    (413, PLAIN.0, PLAIN.1, both("ContentTooLargeError")),
    (415, PLAIN.0, PLAIN.1, PLAIN),
    (422, "UnprocessableEntityError", "UnprocessableEntityError", both("UnprocessableEntityError")),
    (424, PLAIN.0, PLAIN.1, PLAIN),
    (425, PLAIN.0, PLAIN.1, PLAIN),
    (429, "RateLimitError", "RateLimitError", both("RateLimitError")),
    (431, PLAIN.0, PLAIN.1, both("RequestHeaderFieldsTooLargeError")),
    (451, PLAIN.0, PLAIN.1, PLAIN),
    (498, PLAIN.0, PLAIN.1, PLAIN),
    (499, PLAIN.0, PLAIN.1, both("ClientClosedRequestError")),
];

/// The classes that the Anthropic SDKs (Python, Node) raise instead of `InternalServerError`.
const ANTHROPIC_5XX: &[(u16, (&str, &str))] = &[
    (501, ("HTTPNotImplementedError", "NotImplementedError")),
    (503, both("ServiceUnavailableError")),
    (504, both("GatewayTimeoutError")),
    (529, both("OverloadedError")),
];

/// The classes that both Anthropic SDKs raise for a status and an `error.details.error_code`.
const ANTHROPIC_CODES: &[(u16, &str, &str)] = &[
    (429, "enforced_spend_limit_reached", "EnforcedSpendLimitReachedError"),
    (429, "ramp_limit_exceeded", "RampLimitExceededError"),
];

/// The class for a status that has no class of its own: Python, Node.
const PLAIN: (&str, &str) = ("APIStatusError", "APIError");

const fn both(class: &str) -> (&str, &str) {
    (class, class)
}

/// The outcome of a response with a 4xx or 5xx status.
pub(super) fn failure(sdk: Sdk, answer: &Response) -> SdkOutcome {
    match unread(answer) {
        // The Python SDKs read the body before they look at the status. The Node SDKs report the status without it.
        Some(UnreadBody::Cut | UnreadBody::Undecodable) if sdk.is_python() => {
            return SdkOutcome::raises("APIConnectionError", retry::by_cut_body(sdk));
        }
        Some(UnreadBody::Unmeasured(why)) => return SdkOutcome::not_measured(why),
        _ => {}
    }
    match class(sdk, answer) {
        Ok(class) => SdkOutcome::raises(class, retry::by_answer(sdk, answer)),
        Err(why) => SdkOutcome::not_measured(why),
    }
}

fn class(sdk: Sdk, answer: &Response) -> Result<&'static str, &'static str> {
    let status = answer.status;
    let code = if sdk.is_anthropic() { error_code(&answer.body.text) } else { None };
    if let Some(code) = code {
        return ANTHROPIC_CODES
            .iter()
            .find(|row| row.0 == status && row.1 == code)
            .map(|row| row.2)
            .ok_or("this error_code with this status");
    }
    let pick = |(python, node)| sdk.by_language(python, node);
    if (500..600).contains(&status) {
        let special = ANTHROPIC_5XX.iter().find(|row| sdk.is_anthropic() && row.0 == status);
        return Ok(special.map_or("InternalServerError", |row| pick(row.1)));
    }
    let row = CLASSES.iter().find(|row| row.0 == status).ok_or("this status")?;
    Ok(if sdk.is_anthropic() { pick(row.3) } else { pick((row.1, row.2)) })
}

/// `error.details.error_code`, if there is one.
fn error_code(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    body.pointer("/error/details/error_code")?.as_str().map(str::to_owned)
}
