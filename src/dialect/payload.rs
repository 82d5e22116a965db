//! Endpoints whose successful response is not text. Each function checks the form of the body and converts the body
//! into a text, so that rules can compare what was sent with what arrived.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::parsed::Completion;

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
pub(super) fn images(value: &Value) -> Option<Completion> {
    let image = |item: &Value| {
        let holder = item.get("b64_json").filter(|held| !held.is_null()).or_else(|| item.get("url"))?;
        Some(format!("{}\n", holder.as_str()?))
    };
    let images = value.get("data")?.as_array()?.iter().map(image);
    Some(Completion::of(images.collect::<Option<String>>()?, None))
}

/// Audio: a body that is not empty, with an audio or binary content type.
pub(super) fn speech(body: &[u8], content_type: Option<&str>) -> Option<Completion> {
    let essence = content_type?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let sound = essence.starts_with("audio/") || essence == "application/octet-stream";
    // Both sides are recorded as text in which invalid UTF-8 is replaced.
    (sound && !body.is_empty()).then(|| Completion::of(String::from_utf8_lossy(body).into_owned(), None))
}

/// The text of a transcription in JSON.
pub(super) fn transcription(value: &Value) -> Option<Completion> {
    Some(Completion::of(value.get("text")?.as_str()?.to_owned(), None))
}

/// For each input, whether it was flagged and in which categories.
pub(super) fn moderations(value: &Value) -> Option<Completion> {
    let result = |result: &Value| {
        let categories = result.get("categories")?.as_object()?;
        let hit: Vec<&str> =
            categories.iter().filter(|(_, hit)| **hit == true).map(|(name, _)| name.as_str()).collect();
        Some(format!("{} {}\n", result.get("flagged")?, hit.join(" ")))
    };
    let results = value.get("results")?.as_array()?.iter().map(result);
    Some(Completion::of(results.collect::<Option<String>>()?, None))
}

/// A list of models. Its text is empty, because the proxy decides which models it lists, and under which names:
/// those that its callers can use.
pub(super) fn models(value: &Value) -> Option<Completion> {
    let named = |model: &Value| model.get("id").is_some_and(Value::is_string);
    value.get("data")?.as_array()?.iter().all(named).then(Completion::default)
}

/// A file or a batch. Its text is empty, because the proxy may use ids of its own.
pub(super) fn object(value: &Value, kind: &str) -> Option<Completion> {
    value.get("id")?.as_str()?;
    (value.get("object")? == kind).then(Completion::default)
}
