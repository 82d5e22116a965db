//! Scenarios from incidents: they load, are short, and say what was assumed.

mod failures;
mod litellm;

use std::{sync::Arc, time::Duration};

use super::{
    DraftWishes, IncidentError, IncidentEvidence, NamedError, UpstreamAction, curl, draft, exception, har,
    litellm_log,
};
use crate::{
    provider::profile,
    scenario::{Api, ErrorName, Fault, Point, Provider, Scenario, load_text},
};

const PLACES: [Point; 6] = [
    Point::BeforeHeaders,
    Point::AfterHeaders,
    Point::AfterContent,
    Point::InsideToolCall,
    Point::AfterToolArguments,
    Point::BeforeEnd,
];

/// The text of a draft, which must load.
#[track_caller]
fn text(action: &UpstreamAction, wishes: &DraftWishes) -> String {
    let draft = draft(action, wishes).unwrap_or_else(|error| panic!("{action:?}: {error}"));
    let text = draft.text();
    loaded(&text);
    assert!(draft.name().starts_with("incidents/"));
    text
}

#[track_caller]
fn loaded(text: &str) -> Arc<Scenario> {
    Arc::new(
        load_text("x", "x.yaml", text).unwrap_or_else(|errors| panic!("{}\n{text}", errors.render(false))),
    )
}

fn fixture(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/incidents").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn seen(evidence: Result<IncidentEvidence, IncidentError>) -> UpstreamAction {
    UpstreamAction::Seen(
        Box::new(evidence.unwrap_or_else(|error| panic!("{error}"))),
        "curl -i (x.txt)".to_owned(),
    )
}

fn by_hand(fault: &str) -> UpstreamAction {
    UpstreamAction::Fault(fault.to_owned(), format!("upfault new --fault {fault}"))
}

fn by_name(provider: Provider, name: ErrorName) -> UpstreamAction {
    let source = format!("upfault new --error {provider}/{name}");
    UpstreamAction::Error(NamedError { provider, name, source, assumed: Vec::new() })
}

fn yaml_lines(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

#[test]
fn every_error_of_every_provider_at_every_place_gives_a_short_scenario_that_loads() {
    for provider in Provider::ALL.iter().copied() {
        for name in profile(provider).errors.keys().copied() {
            for at in PLACES {
                let action = by_name(provider, name);
                let text = text(&action, &DraftWishes { at: Some(at), ..DraftWishes::default() });
                assert!(yaml_lines(&text) <= 8, "{text}");
                let scenario = loaded(&text);
                assert!(scenario.matrix.iter().all(|case| case.provider == provider), "{text}");
            }
        }
    }
}

#[test]
fn every_fault_gives_a_scenario_that_loads() {
    for (fault, lasting) in [
        ("refuse", None),
        ("connection: unresolvable_name", None),
        ("reset_at_once", None),
        ("slow_accept", Some(2)),
        ("tls: expired_certificate", None),
        ("tls: {alert: handshake_failure}", None),
        ("http2: settings_stall", None),
        ("rst_stream", None),
        ("http1: folded_header", None),
        ("bad_chunk_size", None),
        ("truncate", None),
        ("hang", None),
        ("stall", None),
        ("stall", Some(40)),
        ("delay", Some(40)),
        ("latency: {time: {fixed: 2s}}", None),
        ("drip: {bytes_per_second: 500}", None),
        ("split: {bytes: 3}", None),
        ("reset", None),
        ("close", None),
        ("drop_terminator", None),
        ("error_event", None),
        ("ping", None),
        ("content_encoding: gzip_not_sent", None),
        ("content_type: wrong", None),
        ("redirect: 307", None),
        ("malform: html", None),
    ] {
        let wishes = DraftWishes { lasting: lasting.map(Duration::from_secs), ..DraftWishes::default() };
        let text = text(&by_hand(fault), &wishes);
        assert!(yaml_lines(&text) <= 8, "{text}");
    }
    let bedrock = DraftWishes { provider: Some(Provider::Bedrock), ..DraftWishes::default() };
    text(&by_hand("bad_message_crc"), &bedrock);
}

#[test]
fn an_error_inside_a_tool_call_of_anthropic() {
    let action = by_name(Provider::Anthropic, ErrorName::Overloaded);
    insta::assert_snapshot!(text(
        &action,
        &DraftWishes { at: Some(Point::InsideToolCall), ..DraftWishes::default() }
    ));
}

#[test]
fn a_rate_limit_of_azure_with_its_wait() {
    let action = by_name(Provider::Azure, ErrorName::RateLimit);
    let headers = [("retry-after".to_owned(), Some("27".to_owned()))].into();
    insta::assert_snapshot!(text(&action, &DraftWishes { headers, ..DraftWishes::default() }));
}

#[test]
fn a_first_token_that_is_late_is_scaled() {
    let wishes = DraftWishes {
        lasting: Some(Duration::from_secs(40)),
        timeout: Some(Duration::from_secs(30)),
        ..DraftWishes::default()
    };
    let text = text(&by_hand("stall"), &wishes);
    insta::assert_snapshot!(text);
    let scenario = loaded(&text);
    let turn = &scenario.deployments["primary"][0];
    let [Fault::Stall { lasting: Some(lasting), .. }] = turn.faults.as_slice() else { panic!("{text}") };
    assert_eq!(
        (*lasting, scenario.proxy.timeout),
        (Duration::from_secs(5), Duration::from_millis(3750)),
        "a proxy that ignores the timeout is late by more than a second"
    );
}

#[test]
fn the_output_of_curl_with_an_error_of_the_catalogue() {
    insta::assert_snapshot!(text(&seen(curl(&fixture("gemini-503.txt"))), &DraftWishes::default()));
}

#[test]
fn the_same_output_as_a_literal_response() {
    let wishes = DraftWishes { literal: true, ..DraftWishes::default() };
    insta::assert_snapshot!(text(&seen(curl(&fixture("gemini-503.txt"))), &wishes));
}

#[test]
fn a_har_file_with_a_stream_that_broke() {
    insta::assert_snapshot!(text(&seen(har(&fixture("openai-stream.har"), None)), &DraftWishes::default()));
}

#[test]
fn a_traceback_of_openais_sdk() {
    let text = text(&seen(exception(&fixture("openai-429.traceback"))), &DraftWishes::default());
    assert!(!text.contains("AbCdEf"), "ids of accounts are removed: {text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_log_of_litellm() {
    insta::assert_snapshot!(text(
        &seen(litellm_log(&fixture("litellm-anthropic.log"))),
        &DraftWishes::default()
    ));
}

#[test]
fn a_response_that_the_catalogue_does_not_have_is_literal_without_keys() {
    let action = seen(curl(
        "HTTP/1.1 503 Service Unavailable\ncontent-type: text/plain\nretry-after: 30\nx-envoy: a\n\nno healthy upstream for sk-live-0123456789\n",
    ));
    insta::assert_snapshot!(text(&action, &DraftWishes::default()));
}

#[test]
fn a_body_without_a_type_and_a_code_is_not_that_of_the_catalogue() {
    for body in [r#"{"detail":"Not authenticated"}"#, r#"{"error":"unauthorized"}"#, "{}", "[]", "42"] {
        let answer = format!("HTTP/2 401\ncontent-type: application/json\n\n{body}");
        let text = text(&seen(curl(&answer)), &DraftWishes::default());
        assert!(text.contains("status: 401") && !text.contains("error: invalid_api_key"), "{text}");
    }
}

#[test]
fn a_secret_is_removed_wherever_it_is() {
    let padding = "x".repeat(62);
    for body in [
        format!(r#"{{"error":{{"message":"{padding} alice.b.smithson@acme.test is not allowed"}}}}"#),
        format!(r#"{{"error":{{"message":"{padding} AIzaSyDSyDSyDSyDSyDSyDSyDSyDSyDSyD"}}}}"#),
        r#"{"error":{"message":"m","type":"bad AIzaSyDSyDSyDSyDSyDSyDSyDSyDSyDSyD","code":"x"}}"#.to_owned(),
    ] {
        let text = text(&seen(curl(&format!("HTTP/2 418\n\n{body}"))), &DraftWishes::default());
        assert!(!text.contains("AIza") && !text.contains("alice"), "{text}");
    }
    // What is replaced leaves valid JSON.
    let quoted = r#"{"error":{"message":"policy \"arn:aws:iam::123456789012:policy/bob\" denies it"}}"#;
    let action = seen(curl(&format!("HTTP/2 403\n\n{quoted}")));
    let text = text(&action, &DraftWishes { literal: true, ..DraftWishes::default() });
    assert!(
        text.contains("policy \\\"REDACTED\\\" denies it") || text.contains("policy \"REDACTED\" denies it"),
        "{text}"
    );
    loaded(&text);
}

#[test]
fn a_speedup_leaves_every_time_long_enough() {
    let wishes = |lasting: u64, timeout: u64| DraftWishes {
        lasting: Some(Duration::from_secs(lasting)),
        timeout: Some(Duration::from_secs(timeout)),
        ..DraftWishes::default()
    };
    for (lasting, timeout) in [(40, 1), (40, 30), (4000, 3000), (u64::from(u32::MAX), 1)] {
        loaded(&text(&by_hand("stall"), &wishes(lasting, timeout)));
    }
}

#[test]
fn a_retry_after_that_was_not_sent_is_removed() {
    let action = seen(curl(
        "HTTP/2 429\nanthropic-organization-id: x\n\n{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"This request would exceed your organization's rate limit\"}}",
    ));
    let text = text(&action, &DraftWishes::default());
    assert!(text.contains("  - error: rate_limit\n    headers: {retry-after: null}\n"), "{text}");
}

#[test]
fn wishes_that_contradict_each_other_are_refused() {
    let action = by_name(Provider::Openai, ErrorName::Internal);
    let refused = |wishes: DraftWishes| draft(&action, &wishes).unwrap_err().to_string();
    let at = Some(Point::AfterContent);
    assert!(
        refused(DraftWishes { at, stream: Some(false), ..DraftWishes::default() })
            .contains("only in a stream")
    );
    let headers = [("retry-after".to_owned(), None)].into();
    assert!(refused(DraftWishes { at, headers, ..DraftWishes::default() }).contains("no headers of its own"));
    let fault = by_hand("delay");
    assert!(draft(&fault, &DraftWishes::default()).unwrap_err().to_string().contains("--for 40s"));
}

#[test]
fn the_apis_of_the_user_and_of_the_evidence_replace_the_usual_ones() {
    let action = by_name(Provider::Openai, ErrorName::Internal);
    let wishes =
        DraftWishes { apis: vec![Api::AnthropicMessages], stream: Some(true), ..DraftWishes::default() };
    let text_of = text(&action, &wishes);
    assert!(
        text_of.contains("matrix: {provider: [openai], api: [anthropic/messages], stream: [true]}\n"),
        "{text_of}"
    );
    assert!(!text_of.contains("Assumed: callers"), "{text_of}");
    let embeddings = seen(curl("$ curl https://api.openai.com/v1/embeddings\nHTTP/2 500\n\n{}"));
    let text_of = text(&embeddings, &DraftWishes::default());
    assert!(text_of.contains("matrix: {api: [openai/embeddings]}\n"), "{text_of}");
}

#[test]
fn a_time_for_a_fault_without_one_is_refused() {
    let wishes = DraftWishes { lasting: Some(Duration::from_secs(40)), ..DraftWishes::default() };
    let refused = |fault: &str| draft(&by_hand(fault), &wishes).unwrap_err().to_string();
    assert!(refused("hang").contains("a hang never ends; for a silence of 40s, use `--fault stall`"));
    assert!(refused("reset").contains("--for 40s does not apply to the fault `reset`"));
}

#[test]
fn a_quota_is_not_about_waiting() {
    for provider in [Provider::Openai, Provider::Gemini] {
        let text = text(&by_name(provider, ErrorName::Quota), &DraftWishes::default());
        assert!(!text.contains("about waiting") && text.contains("quota"), "{text}");
    }
}
