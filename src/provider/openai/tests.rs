//! All of OpenAI's endpoints, at OpenAI and at Azure.

use serde_json::{Value, json};

use crate::{
    observation::{Canaries, Identity},
    provider::{self, Header, MessageBody, ProviderMessage, ReceivedCall, RequestedCall},
    scenario::{Api, ErrorName, EventForm, Provider, SuccessReply},
};

mod azure;

const FORM: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
    --b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n\
    --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b--\r\n";

fn canaries() -> Canaries {
    Identity { token: "abc123".into() }.canaries("main", 1)
}

/// Parses a request with a key and the content type of its body.
fn read(
    provider: Provider,
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<RequestedCall, (RequestedCall, ProviderMessage)> {
    let kind = if body.starts_with(b"--") { "multipart/form-data; boundary=b" } else { "application/json" };
    let headers = [("content-type", kind), ("authorization", "Bearer sk-x"), ("api-key", "x")];
    let headers = headers.map(|(name, value)| Header { name, value: value.as_bytes() });
    let received = ReceivedCall { method, path, headers: &headers, body };
    provider::read(provider, &received, &canaries())
}

fn refused(provider: Provider, method: &str, path: &str, body: &[u8]) -> ProviderMessage {
    read(provider, method, path, body).unwrap_err().1
}

fn asked(api: Api, body: Value) -> RequestedCall {
    let plain = RequestedCall::plain(Provider::Openai, api, body["stream"] == true);
    let with_usage = body["stream_options"]["include_usage"] == true;
    RequestedCall { with_usage, body: body.into(), ..plain }
}

fn answered(api: Api, kind: &SuccessReply, body: Value) -> ProviderMessage {
    provider::reply(&asked(api, body), kind, &canaries())
}

fn bytes(message: &ProviderMessage) -> Vec<u8> {
    match &message.body {
        MessageBody::Whole(bytes) => bytes.to_vec(),
        MessageBody::Events { .. } | MessageBody::Session { .. } | MessageBody::Chunks(_) => {
            panic!("a stream")
        }
    }
}

fn value(message: &ProviderMessage) -> Value {
    serde_json::from_slice(&bytes(message)).unwrap()
}

/// The name and data of each event, including the terminator.
fn events(message: &ProviderMessage) -> Vec<(String, Value)> {
    let MessageBody::Events { events, terminator } = &message.body else { panic!("no stream") };
    events.iter().chain(terminator).flat_map(|frame| parsed(frame)).collect()
}

fn parsed(frame: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(frame).unwrap();
    assert!(text.ends_with("\n\n"), "{text}");
    text.trim_end()
        .split("\n\n")
        .map(|event| {
            let (name, data) = event.split_once("data: ").unwrap();
            let name = name.strip_prefix("event: ").unwrap_or_default().trim_end().to_owned();
            (name, serde_json::from_str(data).unwrap_or_else(|_| json!(data)))
        })
        .collect()
}

#[test]
fn every_route_answers_in_the_type_of_its_endpoint() {
    for provider in [Provider::Openai, Provider::Azure] {
        // A session has no response before it switches protocols.
        for row in provider::profile(provider).routes.iter().filter(|row| !row.api.is_session()) {
            let rows = [("GET", &row.get), ("POST", &row.post), ("DELETE", &row.delete)];
            let (method, path) =
                rows.into_iter().find_map(|(name, path)| Some((name, path.clone()?))).unwrap();
            let path = path.replace("{model}", "m-1").replace("{id}", "x-1") + "?api-version=2024-10-21";
            let form = matches!(row.api, Api::OpenaiTranscriptions | Api::OpenaiFiles);
            let body = if form { FORM } else { br#"{"model":"m-1"}"# };
            let asked = read(provider, method, &path, body).unwrap();
            assert_eq!(asked.api, Some(row.api), "{path}");
            let message = provider::reply(&asked, &SuccessReply::Ok, &canaries());
            assert_eq!(message.status, 200, "{path}");
            let kind = message.header("content-type").unwrap();
            if row.api == Api::OpenaiSpeech {
                assert_eq!(kind, "audio/mpeg");
            } else {
                assert_eq!(kind, "application/json");
                assert!(value(&message).is_object(), "{path}");
            }
        }
    }
}

#[test]
fn texts_carry_the_canary_wherever_an_endpoint_has_texts() {
    for api in [
        Api::OpenaiResponses,
        Api::OpenaiCompletions,
        Api::OpenaiImages,
        Api::OpenaiSpeech,
        Api::OpenaiTranscriptions,
        Api::OpenaiModels,
        Api::OpenaiFiles,
        Api::OpenaiBatches,
    ] {
        for kind in [SuccessReply::Ok, SuccessReply::ToolCall] {
            let body = bytes(&answered(api, &kind, json!({})));
            let content = canaries().content;
            assert!(body.windows(content.len()).any(|window| window == content.as_bytes()), "{api}");
        }
    }
}

#[test]
fn a_response_has_openais_form() {
    let tools = json!([{"type": "function", "name": "get_weather", "parameters": {}, "strict": true}]);
    let response = value(&answered(
        Api::OpenaiResponses,
        &SuccessReply::Ok,
        json!({"temperature": 0.5, "tools": tools}),
    ));
    assert_eq!((&response["temperature"], &response["tools"]), (&json!(0.5), &tools));
    insta::assert_snapshot!(
        [&response["id"], &response["status"], &response["output"], &response["usage"]].map(Value::to_string).join("\n"),
        @r#"
    "resp_abc123-main-1"
    "completed"
    [{"id":"msg_abc123-main-1","type":"message","status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"[1] canary-txt-abc123-main-1 [2] [3] [4] [5]"}],"role":"assistant"}]
    {"input_tokens":9,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14}
    "#
    );
    let call = value(&answered(Api::OpenaiResponses, &SuccessReply::ToolCall, json!({})));
    assert_eq!(call["output"][0]["type"], "function_call");
    let arguments: Value = serde_json::from_str(call["output"][0]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments["note"], canaries().content);
}

#[test]
fn a_responses_stream_counts_its_typed_events_and_ends_with_the_whole() {
    let stream = events(&answered(Api::OpenaiResponses, &SuccessReply::Chunks(2), json!({"stream": true})));
    for (number, (name, data)) in stream.iter().enumerate() {
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
    }
    let names: Vec<_> = stream.iter().map(|(name, _)| name.as_str()).collect();
    insta::assert_snapshot!(names.join("\n"), @"
    response.created
    response.in_progress
    response.output_item.added
    response.content_part.added
    response.output_text.delta
    response.output_text.delta
    response.output_text.done
    response.content_part.done
    response.output_item.done
    response.completed
    ");
    let whole = value(&answered(Api::OpenaiResponses, &SuccessReply::Chunks(2), json!({"stream": false})));
    assert_eq!(stream.last().unwrap().1["response"], whole);
    assert_eq!(stream[0].1["response"]["output"], json!([]));
}

#[test]
fn each_piece_is_one_event_in_every_stream() {
    for (api, kind, member) in [
        (Api::OpenaiResponses, "response.output_text.delta", "/delta"),
        (Api::OpenaiCompletions, "", "/choices/0/text"),
    ] {
        for reply in [SuccessReply::Ok, SuccessReply::Chunks(1), SuccessReply::Chunks(30)] {
            let stream = events(&answered(api, &reply, json!({"stream": true})));
            let pieces: Vec<_> = stream
                .iter()
                .filter(|(name, _)| name == kind)
                .filter_map(|(_, data)| data.pointer(member)?.as_str())
                .filter(|piece| !piece.is_empty())
                .collect();
            assert_eq!(pieces, provider::content_pieces(&reply, &canaries()), "{api}");
        }
    }
    let call = events(&answered(Api::OpenaiResponses, &SuccessReply::ToolCall, json!({"stream": true})));
    let pieces: Vec<_> = call
        .iter()
        .filter(|(name, _)| name == "response.function_call_arguments.delta")
        .map(|(_, data)| data["delta"].as_str().unwrap())
        .collect();
    assert_eq!(pieces, provider::tool_argument_pieces(&canaries()));
}

#[test]
fn text_completions_end_with_done_and_report_requested_usage() {
    let body = json!({"stream": true, "stream_options": {"include_usage": true}});
    let message = answered(Api::OpenaiCompletions, &SuccessReply::Ok, body);
    let MessageBody::Events { terminator, .. } = &message.body else { panic!("no stream") };
    assert_eq!(terminator.as_deref(), Some(&b"data: [DONE]\n\n"[..]));
    let stream = events(&message);
    let usage = &stream[stream.len() - 2].1;
    assert_eq!((&usage["choices"], &usage["usage"]["total_tokens"]), (&json!([]), &json!(14)));
    assert_eq!(stream[stream.len() - 3].1["choices"][0]["finish_reason"], "stop");
}

#[test]
fn an_error_in_a_responses_stream_has_the_recorded_or_the_requested_form() {
    let asked = asked(Api::OpenaiResponses, json!({"stream": true}));
    let shown = [None, Some(EventForm::Flat), Some(EventForm::Failed), Some(EventForm::Named), Some(EventForm::Unnamed)]
        .map(|form| {
            let frame = provider::error_event_after(&asked, ErrorName::Quota, form, 2, None, &canaries());
            let events: Vec<_> = parsed(&frame)
                .into_iter()
                .map(|(name, mut data)| {
                    // Shows only the members of the response that report the failure.
                    if let Some(response) = data.get_mut("response") {
                        *response = json!([response["status"], response["error"]["code"]]);
                    }
                    let data = data.to_string().replace(", please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.", "…");
                    format!("  {name} {data}")
                })
                .collect();
            format!("{}:\n{}", form.map_or("as recorded", EventForm::as_str), events.join("\n"))
        });
    insta::assert_snapshot!(shown.join("\n"), @r#"
    as recorded:
      error {"type":"error","sequence_number":2,"error":{"message":"You exceeded your current quota… (canary-msg-abc123-main-1)","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}
      response.failed {"type":"response.failed","sequence_number":3,"response":["failed","insufficient_quota"]}
    flat:
      error {"type":"error","sequence_number":2,"code":"insufficient_quota","message":"You exceeded your current quota… (canary-msg-abc123-main-1)","param":null}
    failed:
      response.failed {"type":"response.failed","sequence_number":2,"response":["failed","insufficient_quota"]}
    named:
      error {"type":"error","sequence_number":2,"error":{"message":"You exceeded your current quota… (canary-msg-abc123-main-1)","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}
    unnamed:
       {"error":{"message":"You exceeded your current quota… (canary-msg-abc123-main-1)","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}
    "#);
    let bare =
        provider::error_event_after(&asked, ErrorName::Quota, Some(EventForm::Bare), 2, None, &canaries());
    assert!(serde_json::from_slice::<Value>(&bare).unwrap()["error"].is_object());
}

#[test]
fn an_endpoint_can_have_its_own_error_texts() {
    let error =
        |api, name| value(&provider::error(&asked(api, json!({})), name, &canaries()))["error"].clone();
    let chat = error(Api::OpenaiChat, ErrorName::BadRequest);
    let responses = error(Api::OpenaiResponses, ErrorName::BadRequest);
    assert_eq!((&chat["code"], &chat["param"]), (&json!("unsupported_parameter"), &json!("max_tokens")));
    assert_eq!((&responses["code"], &responses["param"]), (&Value::Null, &json!("temperature")));
    let file = read(Provider::Openai, "GET", "/v1/files/file-7", b"").unwrap();
    let error = value(&provider::error(&file, ErrorName::ModelNotFound, &canaries()));
    assert_eq!((file.id.as_deref(), &error["error"]["param"]), (Some("file-7"), &json!("id")));
}

#[test]
fn embeddings_are_vectors_of_length_one_for_each_input_in_either_encoding() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    for (input, n) in
        [(json!("a"), 1), (json!(["a", "b", "c"]), 3), (json!([1, 2]), 1), (json!([[1], [2]]), 2)]
    {
        let reply = |format| {
            let body = json!({"input": input, "encoding_format": format, "dimensions": 5});
            value(&answered(Api::OpenaiEmbeddings, &SuccessReply::Ok, body))
        };
        let (floats, packed) = (reply("float"), reply("base64"));
        assert_eq!(floats["data"].as_array().unwrap().len(), n);
        for (index, item) in floats["data"].as_array().unwrap().iter().enumerate() {
            let vector: Vec<f32> = serde_json::from_value(item["embedding"].clone()).unwrap();
            assert!((vector.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-5);
            let bytes = STANDARD.decode(packed["data"][index]["embedding"].as_str().unwrap()).unwrap();
            let unpacked: Vec<_> =
                bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
            assert_eq!((vector.len(), &vector, item["index"].as_u64()), (5, &unpacked, Some(index as u64)));
        }
    }
}

#[test]
fn a_form_names_the_model_and_the_format() {
    let asked = read(Provider::Openai, "POST", "/v1/audio/transcriptions", FORM).unwrap();
    assert_eq!(asked.model, "whisper-1");
    let transcription = value(&provider::reply(&asked, &SuccessReply::Ok, &canaries()));
    assert_eq!(transcription["usage"]["type"], "duration");
    for (format, start) in
        [("srt", "1\n00:"), ("vtt", "WEBVTT"), ("text", "[1] "), ("verbose_json", "{\"task\"")]
    {
        let message =
            answered(Api::OpenaiTranscriptions, &SuccessReply::Ok, json!({"response_format": format}));
        assert!(bytes(&message).starts_with(start.as_bytes()), "{format}");
    }
    let file = read(Provider::Openai, "POST", "/v1/files", FORM).unwrap();
    let file = value(&provider::reply(&file, &SuccessReply::Ok, &canaries()));
    assert_eq!(
        (&file["filename"], &file["bytes"], &file["purpose"]),
        (&json!("a.wav"), &json!(4), &json!("user_data"))
    );
}

#[test]
fn a_batch_is_new_then_done_or_being_cancelled() {
    let status = |method, path| {
        let asked = read(Provider::Openai, method, path, b"{}").unwrap();
        let batch = value(&provider::reply(&asked, &SuccessReply::Ok, &canaries()));
        (batch["id"].as_str().map(str::to_owned), batch["status"].as_str().map(str::to_owned))
    };
    let is = |id: &str, status: &str| (Some(id.to_owned()), Some(status.to_owned()));
    assert_eq!(status("POST", "/v1/batches"), is("batch_abc123-main-1", "validating"));
    assert_eq!(status("GET", "/v1/batches/batch_7"), is("batch_7", "completed"));
    assert_eq!(status("POST", "/v1/batches/batch_7/cancel"), is("batch_7", "cancelling"));
}

#[test]
fn requests_that_reach_no_model_get_the_providers_own_errors() {
    let shown = [
        (Provider::Openai, "GET", "/v1/files/file-1/nothing", &b""[..]),
        (Provider::Openai, "DELETE", "/v1/files", b""),
        (Provider::Openai, "POST", "/v1/responses", b"{"),
        (Provider::Openai, "POST", "/v1/audio/transcriptions", b"{}"),
        (Provider::Azure, "POST", "/openai/deployments/m/nothing", b"{}"),
        (Provider::Azure, "POST", "/openai/deployments/m/chat/completions", b"{}"),
        (Provider::Azure, "GET", "/openai/deployments/m/chat/completions?api-version=1", b""),
        (Provider::Azure, "POST", "/openai/deployments/m/chat/completions?api-version=1", b"[]"),
    ]
    .map(|(provider, method, path, body)| {
        let message = refused(provider, method, path, body);
        let error = &value(&message)["error"];
        let allow = message.header("allow").map_or(String::new(), |allow| format!(" allow {allow}"));
        format!("{} {} {}{allow}", message.status, error["type"], error["code"])
    });
    insta::assert_snapshot!(shown.join("\n"), @r#"
    404 "invalid_request_error" null
    405 "invalid_request_error" null allow POST, GET
    400 "invalid_request_error" null
    400 "invalid_request_error" null
    404 null "404"
    404 null "404"
    404 null "404"
    400 "invalid_request_error" null
    "#);
}
