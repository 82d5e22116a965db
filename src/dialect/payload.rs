//! Endpoints whose successful response is not text. Each function checks the form of the body and converts the body
//! into a text, so that rules can compare what was sent with what arrived.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    error_form::ErrorForm,
    form::MultipartForm,
    parsed::Completion,
    request_body::{PICTURE, PROMPT, RequestBody},
    row::{ApiRow, ResponseReader},
};

pub(super) static EMBEDDINGS: ApiRow = ApiRow::whole(
    "/v1/embeddings",
    ErrorForm::Openai,
    || RequestBody::json(json!({ "input": PROMPT })),
    ResponseReader::Json(embeddings),
);

pub(super) static IMAGES: ApiRow = ApiRow::whole(
    "/v1/images/generations",
    ErrorForm::Openai,
    || RequestBody::json(json!({ "prompt": PICTURE })),
    ResponseReader::Json(images),
);

pub(super) static SPEECH: ApiRow = ApiRow::whole(
    "/v1/audio/speech",
    ErrorForm::Openai,
    || RequestBody::json(json!({"input": PROMPT, "voice": "alloy"})),
    ResponseReader::Bytes(speech),
);

pub(super) static TRANSCRIPTIONS: ApiRow = ApiRow::whole(
    "/v1/audio/transcriptions",
    ErrorForm::Openai,
    || RequestBody::Form(MultipartForm::transcription()),
    ResponseReader::Bytes(transcription),
);

pub(super) static MODERATIONS: ApiRow = ApiRow::whole(
    "/v1/moderations",
    ErrorForm::Openai,
    || RequestBody::json(json!({ "input": PROMPT })),
    ResponseReader::Json(moderations),
);

/// Embeddings of OpenAI or Cohere. The text is the same for numbers and for base64 of little-endian floats.
pub(super) fn embeddings(value: &Value) -> Option<Completion> {
    let vectors: Vec<&Value> = match (value.get("data"), value.get("embeddings")) {
        (Some(Value::Array(data)), _) => {
            data.iter().map(|item| item.get("embedding")).collect::<Option<_>>()?
        }
        (_, Some(Value::Array(vectors))) => vectors.iter().collect(),
        (_, Some(by_type)) => by_type.get("float")?.as_array()?.iter().collect(),
        _ => return None,
    };
    let lines = vectors.into_iter().map(|vector| {
        let numbers: Vec<f32> = match vector {
            Value::String(text) => {
                let bytes = BASE64_STANDARD.decode(text).ok()?;
                bytes
                    .chunks_exact(4)
                    .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                    .collect()
            }
            // A number that was converted from an `f32` converts back without loss.
            other => other.as_array()?.iter().map(|n| n.as_f64().map(|n| n as f32)).collect::<Option<_>>()?,
        };
        let numbers: Vec<String> = numbers.iter().map(f32::to_string).collect();
        Some(numbers.join(" ") + "\n")
    });
    Some(Completion::of(lines.collect::<Option<String>>()?, None))
}

/// Images, by their content or their URL.
fn images(value: &Value) -> Option<Completion> {
    let image = |item: &Value| {
        let holder = item.get("b64_json").filter(|held| !held.is_null()).or_else(|| item.get("url"))?;
        Some(format!("{}\n", holder.as_str()?))
    };
    let images = value.get("data")?.as_array()?.iter().map(image);
    Some(Completion::of(images.collect::<Option<String>>()?, None))
}

/// Audio: a body that is not empty, with an audio or binary content type.
fn speech(body: &[u8], content_type: Option<&str>) -> Option<Completion> {
    let essence = content_type?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let sound = essence.starts_with("audio/") || essence == "application/octet-stream";
    // Both sides are recorded as text in which invalid UTF-8 is replaced.
    (sound && !body.is_empty()).then(|| Completion::of(String::from_utf8_lossy(body).into_owned(), None))
}

/// The text of a transcription, in JSON or as plain text.
fn transcription(body: &[u8], content_type: Option<&str>) -> Option<Completion> {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(value) => value.get("text")?.as_str()?.to_owned(),
        Err(_) if content_type.is_some_and(|kind| kind.starts_with("text/plain")) => {
            String::from_utf8_lossy(body).trim_end().to_owned()
        }
        Err(_) => return None,
    };
    Some(Completion::of(text, None))
}

/// For each input, whether it was flagged and in which categories.
fn moderations(value: &Value) -> Option<Completion> {
    let result = |result: &Value| {
        let categories = result.get("categories")?.as_object()?;
        let hit: Vec<&str> =
            categories.iter().filter(|(_, hit)| **hit == true).map(|(name, _)| name.as_str()).collect();
        Some(format!("{} {}\n", result.get("flagged")?, hit.join(" ")))
    };
    let results = value.get("results")?.as_array()?.iter().map(result);
    Some(Completion::of(results.collect::<Option<String>>()?, None))
}
