//! OpenAI: endpoints that list and look up models, files and batches.
//!
//! Sources: <https://developers.openai.com/api/docs/api-reference/models>, `/files`, `/batches`.
//! The mock stores nothing between requests: every requested id exists.

use serde_json::{Value, json};

use crate::{
    observation::Canaries,
    provider::{
        content::{created, stem},
        message::{MessageBody, json},
        profile::model,
        request::{RequestedCall, Verb, model_asked},
    },
};

/// Lists the provider's own model, and a model whose name contains the canary.
pub(crate) fn models(asked: &RequestedCall, canaries: &Canaries) -> (&'static str, MessageBody) {
    let own = model(asked.provider);
    let object =
        |id: &str, owner: &str| json!({"id": id, "object": "model", "created": created(), "owned_by": owner});
    json(&match asked.verb {
        Verb::Retrieve => object(model_asked(asked), "system"),
        Verb::Delete => json!({"id": model_asked(asked), "object": "model", "deleted": true}),
        Verb::List | Verb::Create => {
            let tuned = format!("ft:{own}:{}", canaries.content);
            json!({"object": "list", "data": [object(own, "system"), object(&tuned, "org-mock")]})
        }
    })
}

/// Returns a file, a list with one file, or the deletion of a file.
pub(crate) fn files(asked: &RequestedCall, canaries: &Canaries) -> (&'static str, MessageBody) {
    let id = asked.id.clone().unwrap_or_else(|| file_id(canaries));
    let sent = &asked.body["file"];
    let name = sent["filename"].as_str().map_or_else(|| format!("{}.jsonl", canaries.content), str::to_owned);
    let file = json!({
        "id": id,
        "object": "file",
        "bytes": sent["bytes"].as_u64().unwrap_or(120),
        "created_at": created(),
        "expires_at": null,
        "filename": name,
        "purpose": asked.body["purpose"].as_str().unwrap_or("batch"),
        "status": "processed",
        "status_details": null,
    });
    json(&match asked.verb {
        Verb::List => page(file),
        Verb::Delete => json!({"id": id, "object": "file", "deleted": true}),
        Verb::Create | Verb::Retrieve => file,
    })
}

/// Returns a batch: a new one, a completed one, or, for a POST to a path with its id, one that is being cancelled.
pub(crate) fn batches(asked: &RequestedCall, canaries: &Canaries) -> (&'static str, MessageBody) {
    let id = asked.id.clone().unwrap_or_else(|| format!("batch_{}", stem(canaries)));
    let at = |seconds: i64| json!(created() + seconds);
    let given = |name: &str, default: Value| match &asked.body[name] {
        Value::Null => default,
        value => value.clone(),
    };
    let mut batch = json!({
        "id": id,
        "object": "batch",
        "endpoint": given("endpoint", json!("/v1/chat/completions")),
        "model": null,
        "errors": null,
        "input_file_id": given("input_file_id", json!(file_id(canaries))),
        "completion_window": given("completion_window", json!("24h")),
        "status": "validating",
        "output_file_id": null,
        "error_file_id": null,
        "created_at": created(),
        "in_progress_at": null,
        "expires_at": at(86_400),
        "finalizing_at": null,
        "completed_at": null,
        "failed_at": null,
        "expired_at": null,
        "cancelling_at": null,
        "cancelled_at": null,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": given("metadata", json!({"note": canaries.content})),
    });
    let later: &[(&str, Value)] = match (asked.verb, &asked.id) {
        (Verb::Create, None) => &[],
        (Verb::Create | Verb::Delete, _) => {
            &[("status", json!("cancelling")), ("in_progress_at", at(1)), ("cancelling_at", at(2))]
        }
        (Verb::List | Verb::Retrieve, _) => &[
            ("status", json!("completed")),
            ("in_progress_at", at(1)),
            ("finalizing_at", at(2)),
            ("completed_at", at(3)),
            ("output_file_id", json!(file_id(canaries))),
            ("request_counts", json!({"total": 1, "completed": 1, "failed": 0})),
        ],
    };
    for (name, value) in later {
        batch[*name] = value.clone();
    }
    json(&if asked.verb == Verb::List { page(batch) } else { batch })
}

fn file_id(canaries: &Canaries) -> String {
    format!("file-{}", stem(canaries))
}

fn page(item: Value) -> Value {
    json!({"object": "list", "first_id": item["id"], "last_id": item["id"], "has_more": false, "data": [item]})
}
