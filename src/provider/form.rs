//! The bodies of error responses.

use serde_json::{Map, Value, json};

use super::{
    canned::{fill, fill_value},
    catalogue::{ErrorBodyForm, ErrorRow},
    failure::WrittenError,
    request::RequestedCall,
};
use crate::observation::Canaries;

/// The error text: the row's text with `{model}` and `{id}` filled in, then the canary.
pub(super) fn message(row: &ErrorRow, asked: &RequestedCall, canaries: &Canaries) -> String {
    let model = if asked.model.is_empty() { &super::profile::of(asked.provider).model } else { &asked.model };
    let id = asked.id.as_deref().unwrap_or("file-unknown");
    let text = row.message.replace("{model}", model).replace("{id}", id);
    format!("{} ({})", fill(&text, canaries), canaries.message)
}

/// The error as JSON, for a body or an event; `None` in the forms that are not JSON.
pub(super) fn value(
    form: ErrorBodyForm,
    row: &ErrorRow,
    message: &str,
    canaries: &Canaries,
) -> Option<Value> {
    let kind = json!(row.kind);
    let extra = row.extra.iter().map(|(name, value)| (name.clone(), fill_value(value, canaries)));
    let with = |mut members: Map<String, Value>| {
        members.extend(extra.clone());
        Value::Object(members)
    };
    let enveloped = |error: Value| {
        let mut body = Map::from_iter([("error".to_owned(), error)]);
        body.extend(row.body_extra.iter().map(|(name, value)| (name.clone(), fill_value(value, canaries))));
        Value::Object(body)
    };
    let object = |value: Value| if let Value::Object(members) = value { members } else { Map::new() };
    Some(match form {
        ErrorBodyForm::Openai => {
            let error = json!({"message": message, "type": kind, "param": row.param, "code": row.code});
            enveloped(with(object(error)))
        }
        ErrorBodyForm::OpenaiSparse => {
            let mut error = Map::new();
            if !row.code.is_null() {
                error.insert("code".into(), row.code.clone());
            }
            error.insert("message".into(), json!(message));
            for (name, value) in [("type", &row.kind), ("param", &row.param)] {
                if let Some(value) = value {
                    error.insert(name.into(), json!(value));
                }
            }
            enveloped(with(error))
        }
        ErrorBodyForm::Anthropic => {
            let error = with(object(json!({"type": super::anthropic::word(row), "message": message})));
            json!({"type": "error", "error": error, "request_id": canaries.request_id})
        }
        ErrorBodyForm::Google => {
            let code = if row.code.is_null() { json!(row.status) } else { row.code.clone() };
            json!({"error": with(object(json!({"code": code, "message": message, "status": kind})))})
        }
        ErrorBodyForm::GoogleBlocked => super::google::blocked(&kind, message, canaries),
        ErrorBodyForm::Aws | ErrorBodyForm::Guardrail => with(object(json!({ "message": message }))),
        ErrorBodyForm::Flat => {
            let error = json!({"object": "error", "message": message, "type": kind, "param": row.param, "code": row.code});
            with(object(error))
        }
        ErrorBodyForm::Detail => with(object(json!({ "detail": message }))),
        ErrorBodyForm::Problem => {
            with(object(json!({"status": row.status, "title": kind, "detail": message})))
        }
        ErrorBodyForm::CodeAndError => with(object(json!({"code": row.code, "error": message}))),
        ErrorBodyForm::Text => with(object(json!({ "error": message }))),
        ErrorBodyForm::Message => with(object(json!({ "message": message }))),
        ErrorBodyForm::Plain
        | ErrorBodyForm::Empty
        | ErrorBodyForm::NginxPage
        | ErrorBodyForm::OpenrestyPage
        | ErrorBodyForm::CloudflarePage
        | ErrorBodyForm::CloudflareBrandedPage
        | ErrorBodyForm::GooglePage
        | ErrorBodyForm::AwsPage => return None,
    })
}

/// The complete body of an error.
pub(super) fn written(
    form: ErrorBodyForm,
    row: &ErrorRow,
    message: &str,
    canaries: &Canaries,
) -> WrittenError {
    if let Some(value) = value(form, row, message, canaries) {
        return WrittenError { content_type: Some("application/json"), text: value.to_string(), own: true };
    }
    let page = |text| WrittenError { content_type: Some("text/html; charset=UTF-8"), text, own: false };
    match form {
        ErrorBodyForm::NginxPage => page(short_page("nginx", &row.message, canaries)),
        ErrorBodyForm::OpenrestyPage => page(short_page("openresty/1.27.4", &row.message, canaries)),
        ErrorBodyForm::CloudflarePage => page(short_page("cloudflare", &row.message, canaries)),
        ErrorBodyForm::AwsPage => page(unsigned_page(&row.message, canaries)),
        ErrorBodyForm::CloudflareBrandedPage => page(branded_page(row.status, &row.message, canaries)),
        ErrorBodyForm::GooglePage => page(super::google::page(&row.message, canaries)),
        ErrorBodyForm::Empty => WrittenError { content_type: None, text: String::new(), own: true },
        _ => WrittenError { content_type: Some("text/plain"), text: message.to_owned(), own: true },
    }
}

/// The error page in nginx's style, signed by the server that sends it.
pub(super) fn short_page(signed: &str, title: &str, canaries: &Canaries) -> String {
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <center>{}</center>\r\n<hr><center>{signed}</center>\r\n</body>\r\n</html>\r\n",
        canaries.message
    )
}

/// The page of AWS's load balancers.
fn unsigned_page(title: &str, canaries: &Canaries) -> String {
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <center>{}</center>\r\n</body>\r\n</html>\r\n",
        canaries.message
    )
}

/// Cloudflare's page for a failing origin, reduced to the parts that clients read.
fn branded_page(status: u16, title: &str, canaries: &Canaries) -> String {
    format!(
        "<!DOCTYPE html>\n<!--[if lt IE 7]> <html class=\"no-js ie6 oldie\" lang=\"en-US\"> <![endif]-->\n\
         <html class=\"no-js\" lang=\"en-US\">\n<head>\n<title>api.example.com | {status}: {title}</title>\n</head>\n<body>\n\
         <div id=\"cf-wrapper\">\n<div id=\"cf-error-details\" class=\"p-0\">\n<h1>{title}</h1>\n\
         <span class=\"code-label\">Error code {status}</span>\n<p>{}</p>\n</div>\n</div>\n</body>\n</html>\n",
        canaries.message
    )
}
