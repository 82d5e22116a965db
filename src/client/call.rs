//! What is sent.

use serde_json::{Value, json};

use crate::{
    observation::StepName,
    scenario::{Api, Step},
};

/// One request to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Which request of the case this is.
    pub step: StepName,
    /// `POST`.
    pub method: http::Method,
    /// The whole URL.
    pub url: String,
    /// Names and values as they are to be sent, in order.
    pub headers: Vec<(String, String)>,
    /// The bytes of the body.
    pub body: Vec<u8>,
}

/// The standard request of an API for `model`, with the step's members laid over it.
///
/// Chat: `{"model", "messages": [one user message]}` and, only for streams, `"stream": true`. A
/// member that the step sets to `null` is left out; a step cannot send a `null`.
pub fn request_body(api: Api, model: &str, stream: bool, step: &Step) -> Value {
    let mut body = match api {
        Api::OpenaiChat => json!({
            "model": model,
            "messages": [{"role": "user", "content": "Say hello."}],
        }),
        _ => json!({ "model": model }),
    };
    let Value::Object(members) = &mut body else { return body };
    if stream {
        members.insert("stream".into(), Value::Bool(true));
    }
    for (name, value) in &step.body {
        if value.is_null() {
            members.shift_remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_request_does_not_mention_streams() {
        insta::assert_snapshot!(
            request_body(Api::OpenaiChat, "m", false, &Step::default()),
            @r#"{"model":"m","messages":[{"role":"user","content":"Say hello."}]}"#
        );
        assert_eq!(request_body(Api::OpenaiChat, "m", true, &Step::default())["stream"], json!(true));
    }

    #[test]
    fn a_step_adds_replaces_and_removes_members() {
        let body = json!({"messages": null, "model": "other", "max_tokens": 5, "absent": null});
        let step = Step { body: body.as_object().cloned().unwrap_or_default(), ..Step::default() };
        assert_eq!(
            request_body(Api::OpenaiChat, "m", true, &step),
            json!({"model": "other", "stream": true, "max_tokens": 5})
        );
    }
}
