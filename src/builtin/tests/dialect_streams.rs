//! Streams of the honest proxy in every dialect.

use super::{
    dialects::{native, path, request},
    stage::*,
};
use crate::{
    builtin::dialect,
    scenario::Api,
    wire::{
        eventstream,
        frames::{Carrier, decode},
    },
};

/// A stream of each dialect: its content, the frame that finishes it, and the terminator that the proxy must
/// add if the upstream sends none.
pub(super) fn streams() -> Vec<(Api, &'static str, &'static str, &'static str)> {
    vec![
        (
            Api::OpenaiCompletions,
            "data: {\"choices\":[{\"index\":0,\"text\":\"a\",\"finish_reason\":null}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"stop\"}]}\n\n",
            DONE,
        ),
        (
            Api::OpenaiResponses,
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n",
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{}}\n\n",
            "",
        ),
        (
            Api::AnthropicMessages,
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"text\":\"a\"}}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
        (
            Api::GeminiGenerate,
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n",
            "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n",
            "",
        ),
        (
            Api::CohereChat,
            "event: content-delta\ndata: {\"type\":\"content-delta\"}\n\n",
            "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\n",
            DONE,
        ),
        (
            Api::OllamaChat,
            "{\"message\":{\"content\":\"a\"},\"done\":false}\n",
            "{\"message\":{},\"done\":true}\n",
            "",
        ),
    ]
}

fn streamed(api: Api, text: &str, last: Last) -> Script {
    frames(carrier_type(api), &[text.as_bytes()], last)
}

fn carrier_type(api: Api) -> &'static str {
    crate::dialect::carrier(api).content_type()
}

#[tokio::test]
async fn a_successful_stream_passes_byte_for_byte_in_every_dialect() {
    for (api, content, finish, end) in streams() {
        for sent in [[content, finish, end].concat(), [content, finish].concat()] {
            let stage = native(api, [streamed(api, &sent, Last::End)]).start(None).await;
            let got = stage.post(&path(api, true), &request(true)).await;
            assert_eq!((got.status, got.header("content-type")), (200, Some(carrier_type(api))), "{api}");
            assert_eq!((got.text, got.end), ([content, finish, end].concat(), ScriptEnd::Complete), "{api}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_one_error_frame_of_its_dialect() {
    for (api, content, ..) in streams() {
        let garbage = format!("{content}{}", content.replace('{', "{{"));
        for (sent, last) in
            [(content, Last::End), (content, Last::Reset), (content, Last::Hang), (&garbage, Last::End)]
        {
            let timeout_s = if last == Last::Hang { 0.4 } else { 20.0 };
            let setup = Setup { timeout_s, retries: 2, ..native(api, [streamed(api, sent, last)]) };
            let stage = setup.start(None).await;
            let got = stage.post(&path(api, true), &request(true)).await;
            let rest = got.text.strip_prefix(content).unwrap_or_else(|| panic!("{api}: {}", got.text));
            let carrier = Carrier::of(carrier_type(api)).unwrap();
            let frames = decode(carrier, rest.as_bytes());
            assert_eq!((frames.len(), got.end), (1, ScriptEnd::Complete), "{api} {last:?}: {}", got.text);
            assert!(
                matches!(dialect::meaning(api, &frames[0]), dialect::FrameMeaning::Error(_)),
                "{api}: {frames:?}"
            );
            assert_eq!(stage.main.attempts(), 1);
        }
    }
}

#[tokio::test]
async fn an_error_frame_passes_unchanged_and_ends_the_stream() {
    let errors = [
        (
            Api::OpenaiResponses,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"canary\"}}\n\n",
        ),
        (
            Api::AnthropicMessages,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"canary\"}}\n\n",
        ),
        (
            Api::GeminiGenerate,
            "data: {\"error\":{\"code\":503,\"message\":\"canary\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n",
        ),
        (
            Api::CohereChat,
            "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"canary\"}}\n\n",
        ),
        (Api::OllamaChat, "{\"error\":\"canary\"}\n"),
    ];
    for (api, error) in errors {
        let (_, content, finish, end) = *streams().iter().find(|stream| stream.0 == api).unwrap();
        let sent = [content, error, finish, end].concat();
        let stage = native(api, [streamed(api, &sent, Last::End)]).start(None).await;
        let got = stage.post(&path(api, true), &request(true)).await;
        assert_eq!(got.text, [content, error].concat(), "{api}");
        // An error in the first event becomes a status.
        let stage = native(api, [streamed(api, error, Last::End)]).start(None).await;
        let got = stage.post(&path(api, true), &request(true)).await;
        assert!(got.status >= 500 && got.text.contains("canary"), "{api}: {} {}", got.status, got.text);
    }
}

#[tokio::test]
async fn an_anthropic_error_without_an_event_name_gets_the_one_that_sdks_need() {
    let api = Api::AnthropicMessages;
    let (_, content, ..) = streams()[2];
    let data = r#"{"type":"error","error":{"type":"overloaded_error","message":"canary"},"request_id":"r"}"#;
    let sent = format!("{content}data: {data}\n\n");
    let stage = native(api, [streamed(api, &sent, Last::End)]).start(None).await;
    let got = stage.post(&path(api, true), &request(true)).await;
    assert_eq!(got.text, format!("{content}event: error\ndata: {data}\n\n"));
}

fn message(event: &str, payload: &str) -> Vec<u8> {
    let headers = [(":event-type", event), (":message-type", "event")];
    eventstream::encode(&headers, payload.as_bytes()).unwrap().to_vec()
}

#[tokio::test]
async fn an_aws_exception_passes_unchanged_or_becomes_a_status() {
    let api = Api::BedrockConverse;
    let text = message("contentBlockDelta", r#"{"delta":{"text":"a"},"contentBlockIndex":0}"#);
    let headers = [(":exception-type", "throttlingException"), (":message-type", "exception")];
    let exception = eventstream::encode(&headers, br#"{"message":"canary"}"#).unwrap();
    let stage = native(api, [frames(carrier_type(api), &[&text, &exception], Last::End)]).start(None).await;
    let got = stage.post(&path(api, true), "{}").await;
    assert_eq!((got.status, got.bytes), (200, [&text[..], &exception].concat()));
    let stage = native(api, [frames(carrier_type(api), &[&exception], Last::End)]).start(None).await;
    let got = stage.post(&path(api, true), "{}").await;
    assert_eq!((got.status, got.text.as_str()), (429, r#"{"message":"canary"}"#));
    assert_eq!(got.header("x-amzn-errortype"), Some("ThrottlingException"));
}

#[tokio::test]
async fn an_error_without_a_frame_is_sent_in_a_form_that_sdks_read() {
    let error = r#"{"error":{"code":503,"message":"canary","status":"UNAVAILABLE"}}"#;
    let (_, content, ..) = streams()[3];
    let sent = format!("{content}{error}\n");
    let stage =
        native(Api::GeminiGenerate, [streamed(Api::GeminiGenerate, &sent, Last::End)]).start(None).await;
    assert_eq!(stage.post(&path(Api::GeminiGenerate, true), "{}").await.text, sent);

    let (got, _stage) =
        Setup::streamed([events(&[ONE, "{\"error\":{\"message\":\"canary\"}}\n"], Last::End)])
            .run(None)
            .await;
    assert!(
        got.text.starts_with(&format!("{ONE}data: {{\"error\":{{\"message\":\"canary\"")),
        "{}",
        got.text
    );
}

#[tokio::test]
async fn a_list_of_chunks_passes_once_it_is_complete() {
    let list = r#"[{"candidates":[{"content":{}}]},{"candidates":[{"finishReason":"STOP"}]}]"#;
    let stage = native(Api::GeminiGenerate, [json(200, "", list)]).start(None).await;
    let got = stage.post("/v1beta/models/main:streamGenerateContent", "{}").await;
    assert_eq!((got.status, got.text.as_str()), (200, list));
}

#[tokio::test]
async fn aws_messages_pass_byte_for_byte_and_a_cut_one_becomes_an_exception() {
    let api = Api::BedrockConverse;
    let start = message("messageStart", r#"{"role":"assistant"}"#);
    let text = message("contentBlockDelta", r#"{"delta":{"text":"a"},"contentBlockIndex":0}"#);
    let stop = message("messageStop", r#"{"stopReason":"end_turn"}"#);
    let metadata = message("metadata", "{}");
    let all: [&[u8]; 4] = [&start, &text, &stop, &metadata];
    let stage = native(api, [frames(carrier_type(api), &all, Last::End)]).start(None).await;
    let got = stage.post(&path(api, true), "{}").await;
    assert_eq!((got.status, got.bytes), (200, all.concat()));

    let mut bad = stop.clone();
    bad[20] ^= 1;
    for last in [&stop[..stop.len() - 1], &bad] {
        let stage =
            native(api, [frames(carrier_type(api), &[&start, &text, last], Last::End)]).start(None).await;
        let got = stage.post(&path(api, true), "{}").await;
        let good = [start.clone(), text.clone()].concat();
        assert!(got.bytes.starts_with(&good), "{}", got.text);
        let frames = decode(Carrier::Aws, &got.bytes[good.len()..]);
        let names: Vec<_> = frames.iter().filter_map(|frame| frame.event.as_deref()).collect();
        assert_eq!(names, ["exception:modelStreamErrorException"]);
    }
}
