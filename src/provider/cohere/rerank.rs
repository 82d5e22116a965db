//! `POST /v2/rerank`.
//!
//! Sources: <https://docs.cohere.com/reference/rerank>; `v2rerank_response.py` of cohere-python 7.3.1.

use serde_json::{Value, json};

use crate::{
    observation::Canaries,
    provider::{
        content::stem,
        message::{MessageBody, json},
        request::RequestedCall,
    },
};

/// The largest number of documents in a request.
const MAX_DOCUMENTS: usize = 1000;

/// Ranks the documents in the order of the request, each less relevant than the previous one.
pub(crate) fn reply(asked: &RequestedCall, canaries: &Canaries) -> (&'static str, MessageBody) {
    let documents = asked.body["documents"].as_array().map_or(0, Vec::len);
    let wanted = asked.body["top_n"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(documents);
    let results: Vec<Value> = (0..documents.min(wanted).min(MAX_DOCUMENTS))
        .map(|index| {
            let place = u16::try_from(index + 1).unwrap_or(u16::MAX);
            json!({"index": index, "relevance_score": 1.0 / f64::from(place)})
        })
        .collect();
    json(&json!({
        "id": stem(canaries),
        "results": results,
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    }))
}
