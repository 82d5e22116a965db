//! HAR files (HTTP Archive 1.2), as browsers and recording proxies export them.

use std::fmt::Write as _;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{
    clue::SeenBreak, error::IncidentError, evidence::IncidentEvidence, gateway::behind_gateway, recognize,
    redact::redacted,
};
use crate::wire::inert::escaped;

/// What one entry of a HAR file says: number `wanted` (from 1), or else the last one that failed, preferably a call of an
/// API that upfault knows.
///
/// # Errors
///
/// If the text is not a HAR file, or if no entry failed.
pub(crate) fn har(text: &str, wanted: Option<usize>) -> Result<IncidentEvidence, IncidentError> {
    let file: Value = serde_json::from_str(text)
        .map_err(|error| IncidentError::NotHar(format!("it is not valid JSON: {error}")))?;
    let Some(entries) = file["log"]["entries"].as_array().filter(|entries| !entries.is_empty()) else {
        return Err(IncidentError::NotHar("it has no entries at `log.entries`".to_owned()));
    };
    let calls: Vec<IncidentEvidence> = entries.iter().map(read).collect();
    let chosen = match wanted {
        Some(wanted) if (1..=calls.len()).contains(&wanted) => wanted - 1,
        Some(wanted) => {
            return Err(IncidentError::NoEntry { wanted, count: calls.len(), list: list(entries) });
        }
        None => {
            let failed = calls.iter().enumerate().filter(|(_, call)| recognize::has_failed(call));
            let last = failed.max_by_key(|(n, call)| (recognize::called_api(call).is_some(), *n));
            let Some((chosen, _)) = last else {
                return Err(IncidentError::NothingFailed {
                    what: format!("the {} entries of the file", calls.len()),
                    help: format!("choose one with --entry N:\n{}", list(entries)),
                });
            };
            chosen
        }
    };
    let mut found = calls[chosen].clone();
    if calls.len() > 1 && wanted.is_none() {
        found.assumed.push(format!(
            "entry {} of {} is the incident: {}",
            chosen + 1,
            calls.len(),
            line(&entries[chosen])
        ));
    }
    Ok(found)
}

fn read(entry: &Value) -> IncidentEvidence {
    let (request, response) = (&entry["request"], &entry["response"]);
    let mut found = IncidentEvidence::default();
    found.set_url(request["url"].as_str().unwrap_or_default());
    let asked: Option<Value> =
        request["postData"]["text"].as_str().and_then(|text| serde_json::from_str(text).ok());
    found.stream = asked.map(|asked| asked["stream"] == true);
    let status = response["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    found.status = status.filter(|status| *status != 0);
    let header = |header: &Value| {
        Some((header["name"].as_str()?.to_lowercase(), header["value"].as_str()?.to_owned()))
    };
    let headers = response["headers"].as_array().map(|headers| headers.iter().filter_map(header).collect());
    found.headers = headers.filter(|_| found.status.is_some());
    let content = &response["content"];
    let text = content["text"].as_str().unwrap_or_default();
    found.body = match content["encoding"].as_str() {
        Some("base64") => BASE64_STANDARD.decode(text).unwrap_or_default(),
        _ => text.as_bytes().to_vec(),
    };
    // Chrome writes `net::ERR_…` here; other programs use other names for the same member.
    let errors = [&response["_error"], &entry["_error"], &response["_errorText"], &response["comment"]];
    found.broken = errors.into_iter().filter_map(Value::as_str).find_map(SeenBreak::of);
    behind_gateway(found)
}

fn list(entries: &[Value]) -> String {
    let mut text = String::new();
    for (n, entry) in (1..).zip(entries).take(30) {
        let _ = writeln!(text, "  {n:3}  {}", line(entry));
    }
    if entries.len() > 30 {
        let _ = writeln!(text, "  … and {} more", entries.len() - 30);
    }
    text.trim_end().to_owned()
}

/// An entry on one line: `POST /v1/messages 200`.
fn line(entry: &Value) -> String {
    let url = entry["request"]["url"].as_str().unwrap_or_default();
    let path = url::Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default();
    let path = percent_encoding::percent_decode_str(&path).decode_utf8_lossy();
    let path: String = redacted(&path).0.chars().take(80).collect();
    let method = entry["request"]["method"].as_str().unwrap_or("?");
    escaped(&format!("{method} {path} {}", entry["response"]["status"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(url: &str, response: Value) -> Value {
        json!({"request": {"method": "POST", "url": url, "postData": {"text": "{\"stream\": true}"}}, "response": response})
    }

    #[test]
    fn the_last_failed_call_of_a_known_api_is_chosen() {
        let file = json!({"log": {"entries": [
            entry("https://api.openai.com/v1/chat/completions", json!({"status": 503, "headers": [{"name": "A", "value": "b"}], "content": {"text": "eA==", "encoding": "base64"}})),
            entry("https://example.com/favicon.ico", json!({"status": 404})),
        ]}});
        let found = har(&file.to_string(), None).unwrap();
        assert_eq!((found.status, found.text(), found.header("a")), (Some(503), "x".to_owned(), Some("b")));
        assert_eq!(found.stream, Some(true));
        assert_eq!(found.assumed, ["entry 1 of 2 is the incident: POST /v1/chat/completions 503"]);
        assert_eq!(har(&file.to_string(), Some(2)).unwrap().status, Some(404));
    }

    #[test]
    fn healthy_streams_after_the_failure_are_not_the_incident() {
        let responses = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"status\":\"in_progress\",\"error\":null}}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"error\":null,\"output\":[]}}\n\n";
        let gemini = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}]}\n\n";
        for (url, body) in [
            ("https://api.openai.com/v1/responses", responses),
            ("https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent", gemini),
        ] {
            let file = json!({"log": {"entries": [
                entry(url, json!({"status": 429, "headers": [], "content": {"text": "{}"}})),
                entry(url, json!({"status": 200, "headers": [{"name": "content-type", "value": "text/event-stream"}], "content": {"text": body}})),
            ]}});
            assert_eq!(har(&file.to_string(), None).unwrap().status, Some(429), "{url}");
        }
    }

    #[test]
    fn the_account_in_a_path_is_not_written() {
        let arn = "https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fx/converse";
        let file = json!({"log": {"entries": [entry(arn, json!({"status": 429})), entry("https://x.test/a", json!({"status": 200}))]}});
        let found = har(&file.to_string(), None).unwrap();
        assert!(
            found.assumed[0].ends_with(" 429") && !found.assumed[0].contains("123456789012"),
            "{found:?}"
        );
    }

    #[test]
    fn a_line_about_an_entry_cannot_control_the_terminal() {
        let file = json!({"log": {"entries": [{
            "request": {"method": "PO\u{1b}[31mST\u{202e}", "url": "https://x.test/a%1b%5b2J"},
            "response": {"status": 200},
        }]}});
        let shown = har(&file.to_string(), None).unwrap_err().to_string();
        assert!(shown.contains(r"PO\u{1b}[31mST\u{202e} /a\u{1b}[2J 200"), "{shown}");
    }

    #[test]
    fn a_call_without_a_response_has_the_error_of_the_browser() {
        let file = json!({"log": {"entries": [
            entry("https://api.openai.com/v1/responses", json!({"status": 0, "_error": "net::ERR_CONNECTION_RESET"}))
        ]}});
        let found = har(&file.to_string(), None).unwrap();
        assert_eq!((found.status, found.broken, found.headers), (None, Some(SeenBreak::Reset), None));
    }

    #[test]
    fn what_is_not_a_failed_call_of_a_har_file_is_an_error_with_a_next_step() {
        let good = json!({"log": {"entries": [entry("https://x.test/a", json!({"status": 200, "content": {"text": "{}"}}))]}});
        for (text, wanted, expected) in [
            ("HTTP/2 503", None, "it is not valid JSON: expected value at line 1 column 1"),
            ("{}", None, "it has no entries at `log.entries`"),
            (&*good.to_string(), None, "choose one with --entry N:\n    1  POST /a 200"),
            (&*good.to_string(), Some(2), "choose one from 1 to 1:\n    1  POST /a 200"),
        ] {
            let error = har(text, wanted).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("help: "), "{error}");
        }
    }
}
