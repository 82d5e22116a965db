//! The body of a caller's request.

use serde_json::{Map, Value, json};

use super::form::MultipartForm;

/// The text of a request that asks for any text.
pub(super) const PROMPT: &str = "Say hello.";

/// The text of a request for a picture.
pub(super) const PICTURE: &str = "A red square.";

/// The text of a search.
pub(super) const QUERY: &str = "A greeting";

/// The messages of a request to a chat API: one message of the user.
pub(super) fn messages() -> Value {
    json!([{"role": "user", "content": PROMPT}])
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RequestBody {
    /// No body, for a GET.
    None,
    /// One JSON object.
    Json(Map<String, Value>),
    /// `multipart/form-data`
    Form(MultipartForm),
}

impl RequestBody {
    /// A JSON object; no body if `value` is not an object.
    pub(super) fn json(value: Value) -> Self {
        match value {
            Value::Object(members) => Self::Json(members),
            _ => Self::None,
        }
    }

    /// Adds the name of the model as the first member or field. Does nothing if there is no body.
    pub(super) fn name_model(&mut self, model: &str) {
        match self {
            Self::None => {}
            Self::Json(members) => {
                members.shift_insert(0, "model".to_owned(), model.into());
            }
            Self::Form(form) => form.set("model", &model.into()),
        }
    }

    /// Changes the text of the request, so that it differs from all requests about another topic. A form has no such
    /// text.
    pub(super) fn ask_about(&mut self, topic: &str) {
        if let Self::Json(members) = self {
            members.values_mut().for_each(|value| ask_about(value, topic));
        }
    }

    /// Sets members of the body; `null` removes a member. Does nothing if there is no body.
    pub(crate) fn set_members(&mut self, members: &Map<String, Value>) {
        for (name, value) in members {
            match self {
                Self::None => {}
                Self::Json(body) if value.is_null() => {
                    body.shift_remove(name);
                }
                Self::Json(body) => {
                    body.insert(name.clone(), value.clone());
                }
                Self::Form(form) => form.set(name, value),
            }
        }
    }

    /// The bytes of the body.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Json(body) => json!(body).to_string().into_bytes(),
            Self::Form(form) => form.to_string().into_bytes(),
        }
    }

    pub(super) fn content_type(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Json(_) => Some("application/json".to_owned()),
            Self::Form(_) => Some(MultipartForm::content_type()),
        }
    }

    /// Describes the body in one line.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Json(body) => json!(body).to_string(),
            Self::Form(form) => form.describe(),
        }
    }
}

fn ask_about(value: &mut Value, topic: &str) {
    match value {
        Value::String(text) => match text.as_str() {
            PROMPT => *text = format!("Say {topic}."),
            PICTURE | QUERY => *text = format!("{} {topic}", text.trim_end_matches('.')),
            _ => {}
        },
        Value::Array(items) => items.iter_mut().for_each(|item| ask_about(item, topic)),
        Value::Object(members) => members.values_mut().for_each(|member| ask_about(member, topic)),
        _ => {}
    }
}
