//! Compares the view with the tables of `tests/sdk/expected/`. Each row contains a response and the reaction of the
//! SDKs to it. Another test compares the released SDKs with the same rows, so the view says what the SDKs do.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use serde_json::{Value, json};

use super::{
    Sdk, SdkOutcome, SdkView,
    outcome::{Retry, RetryReason, Wait},
    sdk_view,
};
use crate::{
    fault::{self, FaultContext, Framing, Origin, Plan, WireAction},
    judge::tests::seen::{
        DONE, ONE, ObservationBuilder, STOP, SideReply, error, events, plain, say, streamed,
    },
    observation::ResponseEnd,
    provider::{RequestedCall, owned_headers},
    scenario::{Api, Library, load_arm},
};

fn table(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/expected").join(name);
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn sdk(name: &str) -> Option<Sdk> {
    Sdk::ALL.into_iter().find(|sdk| sdk.as_str() == name)
}

fn api_of(sdk: Sdk, call: &str) -> Api {
    match (sdk.is_anthropic(), call) {
        (true, _) => Api::AnthropicMessages,
        (false, "responses_stream") => Api::OpenaiResponses,
        (false, _) => Api::OpenaiChat,
    }
}

/// The turn with its placeholders replaced, as in `tests/sdk/cells.py`.
fn expanded(turn: &Value, provider: &str, wire: &Value) -> Value {
    let mut turn = turn.clone();
    let own = wire["own"][provider].clone();
    if turn["headers"] == "$sse" {
        turn["headers"] = wire["sse"].clone();
    }
    if let Some(seconds) =
        turn["headers"]["retry-after"].as_str().and_then(|text| text.strip_prefix("$date+"))
    {
        let seconds: u32 = seconds.parse().unwrap();
        turn["headers"] = json!({
            "date": "Sun, 06 Nov 1994 08:49:00 GMT",
            "retry-after": format!("Sun, 06 Nov 1994 08:49:{seconds:02} GMT"),
        });
    }
    let body = turn["body"].as_str().map(str::to_owned);
    match body.as_deref() {
        Some("$own") => turn["body"] = own,
        Some(text) => {
            if text == "$html" {
                turn["headers"] = json!({"content-type": "text/html"});
            }
            let text = text
                .replace("${good}", wire["good"][provider].as_str().unwrap())
                .replace("${rest}", wire["rest"][provider].as_str().unwrap())
                .replace("${responses}", wire["responses"].as_str().unwrap())
                .replace("$responses", wire["responses"].as_str().unwrap())
                .replace("${own}", &own.to_string())
                .replace("$own", &own.to_string())
                .replace("${html}", wire["html"].as_str().unwrap())
                .replace("$html", wire["html"].as_str().unwrap());
            turn["body"] = text.into();
        }
        None => {}
    }
    turn
}

/// What a caller gets for a turn without a proxy in between. The caller gives up after a silence longer than
/// `patience`.
fn seen(turn: &Value, api: Api, stream: bool, patience: Duration) -> ObservationBuilder {
    let provider = api.native_provider();
    let armed = json!({"provider": provider, "upstream": [turn]}).to_string();
    let wanted = load_arm(&armed, &Library::default()).unwrap();
    let turn = &wanted.deployments["primary"][0];
    let case = if stream { streamed() } else { plain() }.calling(api, provider);
    let canaries = case.observation.arrangement.identity.canaries("primary", 1);
    let asked = RequestedCall::plain(provider, api, stream);
    let address: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let origin = Origin { address, token: "tok", deployment: "primary", attempt: 1, seed: 0 };
    let plan = fault::plan(turn, &FaultContext { asked: &asked, canaries: &canaries, origin });
    got(case, &plan, patience)
}

fn got(case: ObservationBuilder, plan: &Plan, patience: Duration) -> ObservationBuilder {
    let mut head = None;
    let mut body = Vec::new();
    let mut ending = ResponseEnd::Complete;
    for action in &plan.actions {
        match action {
            WireAction::Head(it) => head = Some(it),
            WireAction::Write { bytes, .. } => body.extend_from_slice(bytes),
            WireAction::Reset => ending = ResponseEnd::Reset,
            WireAction::Close => ending = ResponseEnd::Closed,
            WireAction::Hang => ending = ResponseEnd::Deadline,
            WireAction::Wait(time) if *time > patience => {
                ending = ResponseEnd::Deadline;
                break;
            }
            _ => {}
        }
    }
    let Some(head) = head else { return case.received_nothing(ending) };
    let mut headers = owned_headers(&head.headers);
    match head.framing {
        Framing::Length(length) => headers.push(("content-length".to_owned(), length.to_string())),
        _ => headers.push(("transfer-encoding".to_owned(), "chunked".to_owned())),
    }
    case.received_until(SideReply::raw(head.status, headers, body), ending)
}

/// The view as a cell of the tables.
fn written(view: &SdkView) -> String {
    match &view.outcome {
        SdkOutcome::Raises { class, retry } => format!("{class} /{}", retry.attempts.unwrap_or(0)),
        SdkOutcome::Returns => "returns".to_owned(),
        SdkOutcome::NotMeasured { why } => format!("not measured: {why}"),
    }
}

/// The part of a cell that the view contains: class and attempts.
fn cell(text: &str) -> String {
    let (result, attempts) = text.split_once(" /").unwrap_or((text, "1"));
    match result.split_whitespace().next() {
        Some("returns" | "ends") => "returns".to_owned(),
        class => format!("{} /{attempts}", class.unwrap_or_default()),
    }
}

fn view_of(seen: &ObservationBuilder, sdk: Sdk) -> SdkView {
    let steps = sdk_view(&seen.observation);
    steps[0].sdks.iter().find(|view| view.sdk == sdk).unwrap().clone()
}

/// Compares every row of a table with the view. Returns the number of cells.
fn compare(name: &str) -> usize {
    let (table, wire) = (table(name), table("wire.yaml"));
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in table["rows"].as_array().unwrap() {
        let call = row.get("call").unwrap_or(&table["call"]).as_str().unwrap();
        let columns = table["columns"].as_array().unwrap().iter().zip(row["expect"].as_array().unwrap());
        for (column, expected) in columns {
            let (Some(sdk), Some(expected)) = (sdk(column.as_str().unwrap()), expected.as_str()) else {
                continue;
            };
            if expected == "-" {
                continue;
            }
            let api = api_of(sdk, call);
            let provider = api.native_provider().as_str();
            let turn = row.get("turn").unwrap_or_else(|| &row["turns"][provider]);
            let turn = expanded(turn, provider, &wire);
            // The Node SDKs have no timeout between the pieces of a body.
            let patience = row["timeout"]
                .as_u64()
                .filter(|_| sdk.is_python())
                .map_or(Duration::MAX, Duration::from_secs);
            let view = view_of(&seen(&turn, api, call.ends_with("_stream"), patience), sdk);
            count += 1;
            if written(&view) != cell(expected) {
                wrong.push(format!(
                    "{}: {sdk}: {expected}, and the view says {}",
                    row["wire"],
                    written(&view)
                ));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    count
}

#[test]
fn statuses_and_bodies_have_the_measured_outcome() {
    assert!(compare("1-status.yaml") > 250);
}

#[test]
fn streams_have_the_measured_outcome() {
    assert!(compare("2-stream.yaml") > 60);
}

#[test]
fn responses_streams_have_the_measured_outcome() {
    assert!(compare("3-responses.yaml") > 18);
}

#[test]
fn catalogue_errors_have_the_measured_outcome() {
    let table = table("7-catalogue.yaml");
    let mut count = 0;
    for sdk in Sdk::ALL {
        let api = api_of(sdk, "chat");
        let rules = &table["rules"][sdk.as_str()];
        for (name, row) in table["errors"][api.native_provider().as_str()].as_object().unwrap() {
            let status = row.as_u64().or_else(|| row["status"].as_u64()).unwrap();
            let class = format!("{}xx", status / 100);
            let rule = [&row["class"], &rules[status.to_string()], &rules[class]];
            let expected = rule.into_iter().find_map(Value::as_str).unwrap();
            let view = view_of(&seen(&json!({ "error": name }), api, false, Duration::MAX), sdk);
            assert_eq!(written(&view), cell(expected), "{name}: {sdk}");
            count += 1;
        }
    }
    assert_eq!(count, 4 * 17);
}

#[test]
fn the_releases_are_those_of_the_sdks_that_the_tests_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    let python = fs::read_to_string(root.join("requirements.txt")).unwrap();
    let node: Value = serde_json::from_str(&fs::read_to_string(root.join("package.json")).unwrap()).unwrap();
    for (sdk, package) in [(Sdk::OpenaiPython, "openai"), (Sdk::AnthropicPython, "anthropic")] {
        let pinned = format!("{package}=={}", sdk.release());
        let pins = python.lines().filter_map(|line| line.split_whitespace().next());
        assert!(pins.into_iter().any(|pin| pin == pinned), "{pinned}");
    }
    for (sdk, package) in [(Sdk::OpenaiNode, "openai"), (Sdk::AnthropicNode, "@anthropic-ai/sdk")] {
        assert_eq!(node["dependencies"][package], sdk.release(), "{package}");
    }
}

/// How each SDK retries an error with these headers.
fn retries(status: u16, headers: &[(&str, &str)]) -> Vec<Retry> {
    let mut reply = error(status);
    for (name, value) in headers {
        reply = reply.with(name, value);
    }
    let of = |sdk| {
        let seen = plain().calling(api_of(sdk, "chat"), api_of(sdk, "chat").native_provider());
        match view_of(&seen.tried(error(status)).received(reply.clone()), sdk).outcome {
            SdkOutcome::Raises { retry, .. } => retry,
            other => panic!("{sdk}: {other:?}"),
        }
    };
    Sdk::ALL.into_iter().map(of).collect()
}

#[test]
fn a_wait_is_the_requested_one_or_the_sdks_backoff_or_zero_in_openai_node() {
    let waits = |headers: &[(&str, &str)]| -> Vec<_> {
        retries(429, headers).iter().map(|retry| retry.wait).collect()
    };
    assert_eq!(waits(&[]), [Some(Wait::Backoff); 4]);
    assert_eq!(waits(&[("retry-after", "7")]), [Some(Wait::AsRequested); 4]);
    let backoff = Some(Wait::Backoff);
    assert_eq!(waits(&[("retry-after", "0")]), [backoff, Some(Wait::AtOnce), backoff, backoff]);
    // Milliseconds take precedence over seconds.
    assert_eq!(waits(&[("retry-after", "0"), ("retry-after-ms", "100")]), [Some(Wait::AsRequested); 4]);
    assert_eq!(waits(&[("retry-after", "3000000")])[3], backoff, "longer than any timer in Node");
    // The effect of these was not measured.
    assert_eq!(waits(&[("retry-after", "soon")]), [None; 4]);
    assert_eq!(waits(&[("retry-after-ms", "0")]), [None; 4]);
}

#[test]
fn the_reason_for_a_retry_is_reported() {
    let reasons = |status, headers: &[(&str, &str)]| -> Vec<_> {
        retries(status, headers).iter().map(|retry| (retry.retried(), retry.reason)).collect()
    };
    assert_eq!(reasons(400, &[]), [(Some(false), RetryReason::Status); 4]);
    assert_eq!(reasons(400, &[("x-should-retry", "true")]), [(Some(true), RetryReason::XShouldRetry); 4]);
    assert_eq!(reasons(503, &[("x-should-retry", "false")]), [(Some(false), RetryReason::XShouldRetry); 4]);
    let long = reasons(429, &[("retry-after", "121")]);
    assert_eq!(long[0], (Some(false), RetryReason::RetryAfterTooLong));
    assert_eq!(long[1..], [(Some(true), RetryReason::Status); 3]);
    let date = "Sun, 06 Nov 1994 08:54:00 GMT";
    let now = "Sun, 06 Nov 1994 08:49:00 GMT";
    assert_eq!(reasons(429, &[("retry-after", date), ("date", now)])[0], long[0], "a date in five minutes");
    assert_eq!(reasons(429, &[("retry-after", date)])[0], (None, RetryReason::RetryAfterUnclear));
}

/// The SDKs that raise no exception for a failed call.
fn silent(seen: &ObservationBuilder) -> Vec<Sdk> {
    let steps = sdk_view(&seen.observation);
    steps[0].sdks.iter().filter(|view| view.silent).map(|view| view.sdk).collect()
}

#[test]
fn a_failed_call_without_an_exception_is_silent_and_nothing_else_is() {
    let both = [Sdk::OpenaiPython, Sdk::OpenaiNode];
    let failed = || plain().tried(error(500));
    assert_eq!(silent(&failed().received(error(200))), both, "an error with status 200");
    let ok = crate::judge::tests::seen::OK;
    assert_eq!(silent(&failed().received(say(200, ok))), both, "a success that no upstream sent");
    assert_eq!(silent(&failed().received(error(500))), []);
    assert_eq!(silent(&plain().tried(say(200, ok)).received(say(200, ok))), []);

    let failed = || streamed().tried(error(500));
    assert_eq!(silent(&failed().received(events(&[ONE]))), both, "a stream that just ends");
    assert_eq!(silent(&failed().received(events(&[ONE, STOP, DONE]))), both, "one that says it is complete");
    let event = r#"{"error":{"message":"no MSG"}}"#;
    assert_eq!(silent(&failed().received(events(&[ONE, event]))), []);
    let failed = || {
        let seen = streamed().calling(Api::AnthropicMessages, crate::scenario::Provider::Anthropic);
        seen.tried(error(500))
    };
    assert_eq!(silent(&failed().received(events(&[event]))), [Sdk::AnthropicPython, Sdk::AnthropicNode]);
    let good = streamed().tried(events(&[ONE, STOP, DONE])).received(events(&[ONE, STOP, DONE]));
    assert_eq!(silent(&good), []);
    // A provider's refusal with status 200 is a normal response.
    let refused = r#"{"choices":[{"message":{"content":""},"finish_reason":"content_filter"}]}"#;
    assert_eq!(silent(&plain().tried(say(200, "{}")).received(say(200, refused))), []);
}

#[test]
fn unmeasured_behaviour_is_not_guessed() {
    let view_after = |said: SideReply, ending: ResponseEnd| {
        written(&view_of(&plain().tried(error(500)).received_until(said, ending), Sdk::OpenaiPython))
    };
    let ok = crate::judge::tests::seen::OK;
    let unknown = [
        view_after(error(418), ResponseEnd::Complete),
        view_after(error(302), ResponseEnd::Complete),
        view_after(error(206), ResponseEnd::Complete),
        view_after(error(500), ResponseEnd::Closed),
        view_after(say(200, ok), ResponseEnd::Reset),
        view_after(say(200, "[1]"), ResponseEnd::Complete),
        view_after(say(200, "{}"), ResponseEnd::Complete),
        view_after(say(200, "[NaN"), ResponseEnd::Complete),
        view_after(say(200, "no").with("content-type", "text/plain"), ResponseEnd::Complete),
        written(&view_of(&plain().received_nothing(ResponseEnd::Refused), Sdk::OpenaiPython)),
    ];
    for view in unknown {
        assert!(view.starts_with("not measured: "), "{view}");
    }
    let gemini = plain().calling(Api::GeminiGenerate, crate::scenario::Provider::Gemini);
    assert_eq!(sdk_view(&gemini.tried(error(500)).received(error(500)).observation), []);
}
