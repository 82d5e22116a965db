//! OpenAI's endpoints whose success is no text: a body of the right shape, and a text that stands
//! for it, so that what was sent and what arrived can be compared.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::words::Completion;

/// Embeddings of OpenAI or Cohere, as numbers or as base64 of little-endian floats: both are written
/// alike.
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
            // Every float that was made from 32 bits is the same again in 32 bits.
            other => other.as_array()?.iter().map(|n| n.as_f64().map(|n| n as f32)).collect::<Option<_>>()?,
        };
        let numbers: Vec<String> = numbers.iter().map(f32::to_string).collect();
        Some(numbers.join(" ") + "\n")
    });
    Some(Completion::of(lines.collect::<Option<String>>()?, None))
}

/// Images, by their content or where it is to be had.
pub(super) fn images(value: &Value) -> Option<Completion> {
    let image = |item: &Value| {
        let holder = item.get("b64_json").filter(|held| !held.is_null()).or_else(|| item.get("url"))?;
        Some(format!("{}\n", holder.as_str()?))
    };
    let images = value.get("data")?.as_array()?.iter().map(image);
    Some(Completion::of(images.collect::<Option<String>>()?, None))
}

/// Sound: anything but an error or a page.
pub(super) fn speech(body: &[u8], content_type: Option<&str>) -> Option<Completion> {
    let essence = content_type?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let sound = essence.starts_with("audio/") || essence == "application/octet-stream";
    // Both sides are on record as text in which what is no UTF-8 was replaced.
    (sound && !body.is_empty()).then(|| Completion::of(String::from_utf8_lossy(body).into_owned(), None))
}

/// A transcription, as JSON or, where the request asked for it, as plain text.
pub(super) fn transcription(value: &Value) -> Option<Completion> {
    Some(Completion::of(value.get("text")?.as_str()?.to_owned(), None))
}

/// What was flagged, and for what.
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

/// A list of models. Which, and by what names, is for the proxy to say: callers are told of those that
/// they can ask it for.
pub(super) fn models(value: &Value) -> Option<Completion> {
    let named = |model: &Value| model.get("id").is_some_and(Value::is_string);
    value.get("data")?.as_array()?.iter().all(named).then(Completion::default)
}

/// A file or a batch. Its id may be the proxy's own, so nothing of it stands for the rest.
pub(super) fn object(value: &Value, kind: &str) -> Option<Completion> {
    value.get("id")?.as_str()?;
    (value.get("object")? == kind).then(Completion::default)
}
