//! The text of streams.

use super::*;

#[test]
fn a_stream_is_shown_by_its_shape() {
    let mut observation = sample();
    let token = observation.attempts[0].canaries.content.clone();
    let role = r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
    let (left, right) = token.split_at(6);
    let piece = |text: &str| {
        format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#)
    };
    make_stream(
        &mut observation,
        &[
            (None, role),
            (None, &piece(left)),
            (None, &piece(right)),
            (
                None,
                r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":2,"prompt_tokens":1}}"#,
            ),
            (None, r#"{"error":{"message":"boom 0.5s","code":500}}"#),
            (None, "[DONE]"),
            (Some("ping"), "{}"),
            (Some("mystery"), ""),
            (None, r#"{"hello":1}"#),
            (None, "{cut"),
        ],
    );
    answer_mut(&mut observation).ending = ResponseEnd::Reset;
    insta::assert_snapshot!(normalise(&observation), @r#"
    step 1: 200
      content-type: text/event-stream
      stream:
        1 event without content
        2 content events: "<canary content primary#1>"
        finish_reason: stop
        usage: prompt_tokens, total_tokens
        error event:
          {
            "error": {
              "code": 500,
              "message": "boom <duration>"
            }
          }
        [DONE]
        1 mystery event
        unknown event: {"hello":1}
        event that is not JSON: "{cut"
      ending: connection reset (RST)
    attempts:
      primary: 1 (finished)
    "#);
}

#[test]
fn events_with_names_keep_them() {
    let mut observation = sample();
    make_stream(
        &mut observation,
        &[
            (Some("message_start"), r#"{"type":"message_start","message":{"id":"msg_1"}}"#),
            (
                Some("content_block_delta"),
                r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}"#,
            ),
            (
                Some("content_block_delta"),
                r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"b"}}"#,
            ),
            (
                Some("error"),
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_9"}"#,
            ),
        ],
    );
    insta::assert_snapshot!(normalise(&observation), @r#"
    step 1: 200
      content-type: text/event-stream
      stream:
        1 message_start event
        2 content events: "ab"
        error event (event: error):
          {
            "error": {
              "message": "Overloaded",
              "type": "overloaded_error"
            },
            "request_id": "<own id>",
            "type": "error"
          }
      ending: complete
    attempts:
      primary: 1 (finished)
    "#);
}

/// The lines for a stream of these events (name and data).
fn shape_of(events: &[(Option<&str>, &str)]) -> String {
    let mut observation = sample();
    make_stream(&mut observation, events);
    let text = normalise(&observation);
    let lines = text.lines().skip_while(|line| *line != "  stream:").skip(1);
    let lines: Vec<&str> = lines.map_while(|line| line.strip_prefix("    ")).collect();
    lines.join("\n")
}

#[test]
fn a_responses_stream_shows_its_content_and_how_it_failed() {
    insta::assert_snapshot!(shape_of(&[
        (Some("response.created"), r#"{"type":"response.created","response":{"id":"resp_1"}}"#),
        (Some("response.output_text.delta"), r#"{"type":"response.output_text.delta","delta":"a"}"#),
        (Some("response.output_text.delta"), r#"{"type":"response.output_text.delta","delta":"b"}"#),
        (Some("response.output_text.done"), r#"{"type":"response.output_text.done","text":"ab"}"#),
        (Some("error"), r#"{"type":"error","code":"c","message":"no","param":null}"#),
        (Some("response.failed"), r#"{"type":"response.failed","response":{"id":"resp_1","created_at":5,"error":{"code":"c","message":"no"}}}"#),
        (Some("response.completed"), r#"{"type":"response.completed","response":{"usage":{"input_tokens":1}}}"#),
    ]), @r#"
    1 response.created event
    2 content events: "ab"
    1 response.output_text.done event
    error event (event: error):
      {
        "code": "c",
        "message": "no",
        "param": null,
        "type": "error"
      }
    error event (event: response.failed):
      {
        "response": {
          "created_at": "<time>",
          "error": {
            "code": "c",
            "message": "no"
          },
          "id": "<own id>"
        },
        "type": "response.failed"
      }
    1 response.completed event
    usage: input_tokens
    "#);
}

#[test]
fn streams_of_the_other_dialects_have_the_same_shape() {
    let aws = |name: &str, data: &str| shape_of(&[(Some(name), data)]);
    insta::assert_snapshot!(shape_of(&[
        (Some("messageStart"), r#"{"role":"assistant"}"#),
        (Some("contentBlockDelta"), r#"{"delta":{"text":"a"},"p":"ab"}"#),
        (Some("contentBlockDelta"), r#"{"delta":{"text":"b"},"p":"abc"}"#),
        (Some("messageStop"), r#"{"stopReason":"end_turn"}"#),
        (Some("metadata"), r#"{"usage":{"outputTokens":1,"inputTokens":1},"metrics":{"latencyMs":1}}"#),
        (Some("exception:throttlingException"), r#"{"message":"slow"}"#),
        (Some("error:InternalError"), "it broke"),
    ]), @r#"
    1 messageStart event
    2 content events: "ab"
    1 messageStop event
    finish_reason: end_turn
    1 metadata event
    usage: inputTokens, outputTokens
    error event (event: exception:throttlingException):
      {
        "message": "slow"
      }
    error event (event: error:InternalError):
      "it broke"
    "#);
    insta::assert_snapshot!(
        aws("chunk", r#"{"bytes":"eyJ0eXBlIjoiZXJyb3IiLCJlcnJvciI6eyJtZXNzYWdlIjoibm8ifX0=","p":"ab"}"#), @r#"
    error event:
      {
        "error": {
          "message": "no"
        },
        "type": "error"
      }
    "#);
    insta::assert_snapshot!(shape_of(&[
        (None, r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"totalTokenCount":1}}"#),
        (None, r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":2}}"#),
        (None, r#"{"error":{"code":503,"message":"no","status":"UNAVAILABLE"}}"#),
    ]), @r#"
    2 content events: "ab"
    finish_reason: STOP
    usage: totalTokenCount
    error event:
      {
        "error": {
          "code": 503,
          "message": "no",
          "status": "UNAVAILABLE"
        }
      }
    "#);
    insta::assert_snapshot!(shape_of(&[
        (Some("message-start"), r#"{"type":"message-start","delta":{"message":{"role":"assistant","content":[]}}}"#),
        (Some("content-delta"), r#"{"type":"content-delta","delta":{"message":{"content":{"text":"a"}}}}"#),
        (Some("message-end"), r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{}}}}"#),
        (Some("message-end"), r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"no"}}"#),
    ]), @r#"
    1 message-start event
    1 content event: "a"
    1 message-end event
    finish_reason: COMPLETE
    usage: tokens
    error event (event: message-end):
      {
        "delta": {
          "error": "no",
          "finish_reason": "ERROR"
        },
        "type": "message-end"
      }
    "#);
    insta::assert_snapshot!(shape_of(&[
        (None, r#"{"message":{"role":"assistant","content":"a"},"done":false}"#),
        (None, r#"{"response":"b","done":false}"#),
        (None, r#"{"message":{"content":""},"done":true,"done_reason":"stop","eval_count":2,"total_duration":7}"#),
        (None, r#"{"error":"no"}"#),
    ]), @r#"
    2 content events: "ab"
    finish_reason: stop
    usage: eval_count, prompt_eval_count
    error event:
      {
        "error": "no"
      }
    "#);
}

#[test]
fn an_array_of_chunks_is_a_stream_and_audio_is_shown_by_its_size() {
    let lines = |kind: &str, text: &str| {
        let mut observation = sample();
        let answer = answer_mut(&mut observation);
        (answer.status, answer.headers) = (200, pairs(&[("content-type", kind)]));
        answer.body = body(text);
        normalise(&observation)
    };
    let chunk = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#;
    insta::assert_snapshot!(lines("application/json", &format!("[{chunk},{chunk}]")), @r#"
    step 1: 200
      content-type: application/json
      stream in one array:
        1 content event: "a"
        finish_reason: STOP
        1 content event: "a"
        finish_reason: STOP
      ending: complete
    attempts:
      primary: 1 (finished)
    "#);
    insta::assert_snapshot!(lines("audio/mpeg", "ID3\0\u{fffd}"), @"
    step 1: 200
      content-type: audio/mpeg
      body: <7 bytes of audio/mpeg>
      ending: complete
    attempts:
      primary: 1 (finished)
    ");
    insta::assert_snapshot!(
        lines("application/json", r#"{"data":[{"embedding":[0.5,1]}],"usage":{"total_tokens":1}}"#), @"
    step 1: 200
      content-type: application/json
      embeddings: 1 of 2 numbers
      usage: total_tokens
      ending: complete
    attempts:
      primary: 1 (finished)
    ");
}
