//! The requests that a caller of each API sends.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{request_body::RequestBody, table::row};
use crate::{
    scenario::{Api, Step},
    wire::frames::Carrier,
};

/// A request of an API that is not yet addressed to a proxy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiRequest {
    /// The HTTP method: `POST`, except for lists.
    pub method: http::Method,
    /// The path below the proxy's root, with the model filled in, and the query.
    pub path: String,
    /// The headers of the API itself, with names in lower case, without API keys.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: RequestBody,
    /// The stream format of the API, if the request asks for a stream.
    pub carrier: Option<Carrier>,
}

/// Returns the standard request of an API for `model`, with the members of the step set in its body.
///
/// It is the smallest request that the API accepts: one short message, one sentence, one file. `"stream": true` asks
/// for a stream, unless the API has a separate path for streams. If the path contains the model, the body does not
/// name it. OpenAI's requests about files, batches and models do not name a model; here they do (in the form, the
/// body, the query), because a proxy cannot determine the deployment otherwise.
///
/// The text of the request is about `topic`; without one it is always the same.
///
/// A member that the step sets to `null` is removed; a step cannot send a `null`. In a form each member becomes a
/// field.
pub(crate) fn request(api: Api, model: &str, stream: bool, step: &Step, topic: Option<&str>) -> ApiRequest {
    let row = row(api);
    let mut body = (row.request)();
    if let Some(topic) = topic {
        body.ask_about(topic);
    }
    let is_get = api.method() == "GET";
    let mut path = fill_model(row.path(stream), model);
    if is_get {
        path = fill_model(&format!("{path}?model={{model}}"), model);
    } else if !row.path.contains("{model}") {
        body.name_model(model);
    }
    let streams_by_default = row.stream.as_ref().is_some_and(|stream| stream.is_default);
    if let RequestBody::Json(members) = &mut body
        && row.stream_path.is_none()
        && (stream || streams_by_default)
    {
        members.insert("stream".to_owned(), stream.into());
    }
    body.set_members(&step.body);
    let mut headers = Vec::new();
    if api.is_session() {
        headers.extend(HANDSHAKE.map(|(name, value)| (name.to_owned(), value.to_owned())));
    } else {
        headers.extend(body.content_type().map(|kind| ("content-type".to_owned(), kind.to_owned())));
        headers.extend(row.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    }
    let method = if is_get { http::Method::GET } else { http::Method::POST };
    let carrier = row.stream.as_ref().filter(|_| stream).map(|stream| stream.carrier);
    ApiRequest { method, path, headers, body, carrier }
}

/// The headers that open a WebSocket (RFC 6455 section 4.1).
pub(crate) const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    // Any sixteen bytes: the server derives Sec-WebSocket-Accept from them.
    ("sec-websocket-key", "dXBmYXVsdC1pcy10aGVyZQ=="),
];

/// Replaces `{model}` in a path with the model's name, percent-encoded so that it stays one segment.
pub(crate) fn fill_model(path: &str, model: &str) -> String {
    path.replace("{model}", &utf8_percent_encode(model, SEGMENT).to_string())
}

/// All but the unreserved characters (RFC 3986 section 2.3). The colon is valid in a segment, but AWS's SDKs encode it
/// as well.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn plain(api: Api, stream: bool) -> ApiRequest {
        request(api, "m", stream, &Step::default(), None)
    }

    fn text(api: Api, stream: bool) -> String {
        String::from_utf8(plain(api, stream).body.bytes()).unwrap()
    }

    fn step(body: Value) -> Step {
        Step { body: body.as_object().cloned().unwrap_or_default(), ..Step::default() }
    }

    #[test]
    fn a_plain_request_does_not_mention_streams() {
        insta::assert_snapshot!(
            text(Api::OpenaiChat, false),
            @r#"{"model":"m","messages":[{"role":"user","content":"Say hello."}]}"#
        );
        assert!(text(Api::OpenaiChat, true).ends_with(r#","stream":true}"#));
    }

    #[test]
    fn a_step_adds_replaces_and_removes_members() {
        let step = step(json!({"messages": null, "model": "other", "max_tokens": 5, "absent": null}));
        assert_eq!(
            request(Api::OpenaiChat, "m", true, &step, None).body,
            RequestBody::Json(
                json!({"model": "other", "stream": true, "max_tokens": 5}).as_object().cloned().unwrap()
            )
        );
    }

    #[test]
    fn requests_about_different_topics_differ_unless_they_have_no_text() {
        for api in Api::ALL.iter().copied() {
            let about = |topic| request(api, "m", false, &Step::default(), Some(topic)).body.describe();
            let has_text = !api.is_form() && !matches!(api, Api::OpenaiModels | Api::OpenaiBatches);
            assert_eq!(about("one 1") != about("one 2"), has_text, "{api}");
        }
        let body = request(Api::OpenaiChat, "m", false, &Step::default(), Some("one 1")).body.describe();
        assert_eq!(body, r#"{"model":"m","messages":[{"role":"user","content":"Say one 1."}]}"#);
    }

    #[test]
    fn each_api_has_its_own_request() {
        let all: Vec<String> = Api::ALL
            .iter()
            .map(|api| {
                let request = plain(*api, api.streams());
                let line = format!("{} {} {}", request.method, request.path, request.body.describe());
                line.trim_end().to_owned()
            })
            .collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
        POST /v1/chat/completions {"model":"m","messages":[{"role":"user","content":"Say hello."}],"stream":true}
        POST /v1/responses {"model":"m","input":"Say hello.","stream":true}
        POST /v1/completions {"model":"m","prompt":"Say hello.","stream":true}
        POST /v1/embeddings {"model":"m","input":"Say hello."}
        POST /v1/images/generations {"model":"m","prompt":"A red square."}
        POST /v1/audio/speech {"model":"m","input":"Say hello.","voice":"alloy"}
        POST /v1/audio/transcriptions form: model=m, file=hello.wav (844 bytes)
        POST /v1/moderations {"model":"m","input":"Say hello."}
        GET /v1/models?model=m
        POST /v1/files form: purpose=batch, model=m, file=batch.jsonl (136 bytes)
        POST /v1/batches {"model":"m","input_file_id":"file-upfault","endpoint":"/v1/chat/completions","completion_window":"24h"}
        GET /v1/realtime?model=m {"type":"response.create","response":{"conversation":"none","output_modalities":["text"],"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Say hello."}]}]}}
        POST /v1/messages {"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Say hello."}],"stream":true}
        POST /v1/messages/count_tokens {"model":"m","messages":[{"role":"user","content":"Say hello."}]}
        POST /v1beta/models/m:streamGenerateContent?alt=sse {"contents":[{"role":"user","parts":[{"text":"Say hello."}]}]}
        POST /model/m/converse-stream {"messages":[{"role":"user","content":[{"text":"Say hello."}]}]}
        POST /model/m/invoke-with-response-stream {"anthropic_version":"bedrock-2023-05-31","max_tokens":64,"messages":[{"role":"user","content":"Say hello."}]}
        POST /v2/chat {"model":"m","messages":[{"role":"user","content":"Say hello."}],"stream":true}
        POST /v2/embed {"model":"m","texts":["Say hello."],"input_type":"search_document","embedding_types":["float"]}
        POST /v2/rerank {"model":"m","query":"A greeting","documents":["Hello.","Goodbye."]}
        POST /api/chat {"model":"m","messages":[{"role":"user","content":"Say hello."}],"stream":true}
        POST /api/generate {"model":"m","prompt":"Say hello.","stream":true}
        "#);
    }

    #[test]
    fn a_model_in_the_path_is_one_segment_and_not_in_the_body() {
        let path = |api, stream| request(api, "a/b:1 é", stream, &Step::default(), None).path;
        assert_eq!(path(Api::BedrockConverse, false), "/model/a%2Fb%3A1%20%C3%A9/converse");
        assert_eq!(
            path(Api::GeminiGenerate, true),
            "/v1beta/models/a%2Fb%3A1%20%C3%A9:streamGenerateContent?alt=sse"
        );
        for api in [Api::BedrockConverse, Api::BedrockInvoke, Api::GeminiGenerate] {
            for stream in [false, true] {
                let RequestBody::Json(body) = plain(api, stream).body else { panic!("{api}") };
                assert!(!body.contains_key("model") && !body.contains_key("stream"), "{api}");
            }
        }
    }

    #[test]
    fn anthropics_requests_name_their_version_and_a_get_has_no_content_type() {
        let headers = |api| plain(api, false).headers;
        let json = ("content-type".to_owned(), "application/json".to_owned());
        let version = ("anthropic-version".to_owned(), "2023-06-01".to_owned());
        assert_eq!(headers(Api::AnthropicMessages), [json.clone(), version.clone()]);
        assert_eq!(headers(Api::AnthropicCountTokens), [json.clone(), version]);
        assert_eq!(headers(Api::BedrockInvoke), [json]);
        assert_eq!(headers(Api::OpenaiModels), []);
    }

    #[test]
    fn a_step_sets_fields_of_a_form() {
        let step = step(json!({"language": "en", "temperature": 0, "model": null, "file": "RIFF"}));
        let RequestBody::Form(form) = request(Api::OpenaiTranscriptions, "m", false, &step, None).body else {
            panic!("no form")
        };
        assert_eq!(form.describe(), "form: language=en, temperature=0, file=hello.wav (4 bytes)");
    }
}
