//! The requests that the client sends.

use serde_json::{Map, Value, json};

use super::form::MultipartForm;
use crate::{
    observation::StepName,
    provider,
    scenario::{Api, Step, fill_model},
    wire::frames::Carrier,
};

/// A request that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientCall {
    /// The step of the case to which the request belongs.
    pub step: StepName,
    /// The HTTP method.
    pub method: http::Method,
    /// The complete URL.
    pub url: String,
    /// The headers, in the order in which they are sent.
    pub headers: Vec<(String, String)>,
    /// The bytes of the body.
    pub body: Vec<u8>,
    /// The stream format of a response without a Content-Type, because the API's own clients do not check that header.
    pub carrier: Option<Carrier>,
}

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

/// Returns the standard request of an API for `model`, with the members of the step set in its body.
///
/// It is the smallest request that the API accepts: one short message, one sentence, one file. `"stream": true` asks
/// for a stream, unless the API has a separate path for streams. If the path contains the model, the body does not
/// name it. OpenAI's requests about files, batches and models do not name a model; here they do (in the form, the
/// body, the query), because a proxy cannot determine the deployment otherwise.
///
/// A member that the step sets to `null` is removed; a step cannot send a `null`. In a form each member becomes a
/// field.
pub(crate) fn request(api: Api, model: &str, stream: bool, step: &Step) -> ApiRequest {
    if api.is_session() {
        return session(api, model, step);
    }
    let mut body = match standard(api) {
        Standard::None => RequestBody::None,
        Standard::Json(body) => RequestBody::Json(body),
        Standard::Form(form) => RequestBody::Form(form),
    };
    let mut first = Map::new();
    if !names_model_in_path(api) {
        first.insert("model".to_owned(), model.into());
    }
    if let RequestBody::Json(members) = &mut body {
        first.append(members);
        *members = std::mem::take(&mut first);
        match api {
            _ if has_stream_path(api) => {}
            _ if stream => {
                members.insert("stream".to_owned(), true.into());
            }
            // Ollama streams by default.
            Api::OllamaChat | Api::OllamaGenerate => {
                members.insert("stream".to_owned(), false.into());
            }
            _ => {}
        }
    } else {
        body.set_members(&first);
    }
    body.set_members(&step.body);
    let mut headers = Vec::new();
    headers.extend(body.content_type().map(|kind| ("content-type".to_owned(), kind)));
    if matches!(api, Api::AnthropicMessages | Api::AnthropicCountTokens) {
        headers.push(("anthropic-version".to_owned(), "2023-06-01".to_owned()));
    }
    let method = if api.method() == "GET" { http::Method::GET } else { http::Method::POST };
    let mut path = fill_model(api.path(stream), model);
    if api == Api::OpenaiModels {
        path = fill_model(&format!("{path}?model={{model}}"), model);
    }
    let carrier = (stream && api.streams()).then(|| provider::carrier(api));
    ApiRequest { method, path, headers, body, carrier }
}

/// The handshake of a session; the body is the event that the caller sends when the session is open.
fn session(api: Api, model: &str, step: &Step) -> ApiRequest {
    let body = json!({
        "type": "response.create",
        "response": {
            "conversation": "none",
            "output_modalities": ["text"],
            "input": [{
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Say hello."}],
            }],
        },
    });
    let mut body = match body {
        Value::Object(members) => RequestBody::Json(members),
        _ => RequestBody::None,
    };
    body.set_members(&step.body);
    let path = api.path(false);
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        // Any sixteen bytes: the server derives Sec-WebSocket-Accept from them.
        ("sec-websocket-key", "dXBmYXVsdC1pcy10aGVyZQ=="),
    ];
    ApiRequest {
        method: http::Method::GET,
        path: fill_model(&format!("{path}?model={{model}}"), model),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        body,
        carrier: None,
    }
}

fn names_model_in_path(api: Api) -> bool {
    api.path(false).contains("{model}")
}

fn has_stream_path(api: Api) -> bool {
    api.path(false) != api.path(true)
}

impl RequestBody {
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

    fn content_type(&self) -> Option<String> {
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

/// The constant part of a standard body.
enum Standard {
    None,
    Json(Map<String, Value>),
    Form(MultipartForm),
}

fn standard(api: Api) -> Standard {
    const PROMPT: &str = "Say hello.";
    let message = || json!([{"role": "user", "content": PROMPT}]);
    let body = match api {
        Api::OpenaiChat | Api::CohereChat | Api::OllamaChat => json!({"messages": message()}),
        Api::OpenaiResponses => json!({ "input": PROMPT }),
        Api::OpenaiCompletions | Api::OllamaGenerate => json!({ "prompt": PROMPT }),
        Api::OpenaiEmbeddings | Api::OpenaiModerations => json!({ "input": PROMPT }),
        Api::OpenaiImages => json!({ "prompt": "A red square." }),
        Api::OpenaiSpeech => json!({"input": PROMPT, "voice": "alloy"}),
        Api::OpenaiTranscriptions => return Standard::Form(MultipartForm::transcription()),
        Api::OpenaiFiles => return Standard::Form(MultipartForm::batch_file()),
        // The request for a session has no body.
        Api::OpenaiModels | Api::OpenaiRealtime => return Standard::None,
        Api::OpenaiBatches => json!({
            "input_file_id": "file-upfault",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }),
        Api::AnthropicMessages => json!({"max_tokens": 64, "messages": message()}),
        Api::AnthropicCountTokens => json!({"messages": message()}),
        Api::GeminiGenerate => json!({"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}),
        Api::BedrockConverse => json!({"messages": [{"role": "user", "content": [{"text": PROMPT}]}]}),
        Api::BedrockInvoke => json!({
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 64,
            "messages": message(),
        }),
        Api::CohereEmbed => json!({
            "texts": [PROMPT],
            "input_type": "search_document",
            "embedding_types": ["float"],
        }),
        Api::CohereRerank => json!({"query": "A greeting", "documents": ["Hello.", "Goodbye."]}),
    };
    match body {
        Value::Object(members) => Standard::Json(members),
        _ => Standard::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(api: Api, stream: bool) -> ApiRequest {
        request(api, "m", stream, &Step::default())
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
            request(Api::OpenaiChat, "m", true, &step).body,
            RequestBody::Json(
                json!({"model": "other", "stream": true, "max_tokens": 5}).as_object().cloned().unwrap()
            )
        );
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
        let path = |api, stream| request(api, "a/b:1 é", stream, &Step::default()).path;
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
        let RequestBody::Form(form) = request(Api::OpenaiTranscriptions, "m", false, &step).body else {
            panic!("no form")
        };
        assert_eq!(form.describe(), "form: language=en, temperature=0, file=hello.wav (4 bytes)");
    }
}
