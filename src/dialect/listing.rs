//! `openai/models`, `openai/files` and `openai/batches`: endpoints about objects that the provider stores. OpenAI's own
//! requests to them do not name a model; here they do, because a proxy cannot determine the deployment otherwise.

use serde_json::{Value, json};

use super::{
    error_form::ErrorForm,
    form::MultipartForm,
    parsed::Completion,
    request_body::RequestBody,
    row::{ApiRow, ResponseReader},
};

pub(super) static MODELS: ApiRow =
    ApiRow::whole("/v1/models", ErrorForm::Openai, || RequestBody::None, ResponseReader::Json(models));

pub(super) static FILES: ApiRow = ApiRow::whole(
    "/v1/files",
    ErrorForm::Openai,
    || RequestBody::Form(MultipartForm::batch_file()),
    ResponseReader::Json(|value| object(value, "file")),
);

pub(super) static BATCHES: ApiRow = ApiRow::whole(
    "/v1/batches",
    ErrorForm::Openai,
    || {
        RequestBody::json(json!({
            "input_file_id": "file-upfault",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }))
    },
    ResponseReader::Json(|value| object(value, "batch")),
);

/// A list of models. Its text is empty, because the proxy decides which models it lists, and under which names:
/// those that its callers can use.
fn models(value: &Value) -> Option<Completion> {
    let named = |model: &Value| model.get("id").is_some_and(Value::is_string);
    value.get("data")?.as_array()?.iter().all(named).then(Completion::default)
}

/// A file or a batch. Its text is empty, because the proxy may use ids of its own.
fn object(value: &Value, kind: &str) -> Option<Completion> {
    value.get("id")?.as_str()?;
    (value.get("object")? == kind).then(Completion::default)
}
