//! Snapshots and checks of the plan of every fault.

use std::{collections::BTreeSet, fmt::Write as _};

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::{ORIGIN, sound::assert_sound};
use crate::{
    fault::{FaultContext, Plan, compile},
    observation::Identity,
    provider::{self, MessageBody, ProviderMessage, RequestedCall},
    scenario::{Api, Fault, Provider, SuccessReply, load_text},
};

/// One of each fault, as written in a scenario file.
const FAULTS: &[&str] = &[
    "refuse",
    "connection: unresolvable_name",
    "connection: never_accepted",
    "connection: backlog_full",
    "connection: accepted_silent",
    "connection: accepted_closed",
    "connection: reset_at_once",
    "connection: {slow_accept: 1s}",
    "connection: closed_when_reused",
    "tls: expired_certificate",
    "tls: wrong_name",
    "tls: self_signed",
    "tls: unknown_ca",
    "tls: handshake_stall",
    "tls: {alert: handshake_failure}",
    "tls: no_close_notify",
    "http2: settings_stall",
    "http2: flow_control_stall",
    "http2: {rst_stream: {code: cancel, at: {after_events: 1}}}",
    "http2: {goaway: {code: no_error, at: before_headers}}",
    "http1: garbage_status_line",
    "http1: {unknown_status: 799}",
    "http1: {interim: 103}",
    "http1: {oversized_header: 9000}",
    "http1: folded_header",
    "http1: duplicated_header",
    "http1: conflicting_content_length",
    "http1: short_content_length",
    "http1: long_content_length",
    "http1: chunked_not_sent",
    "http1: unknown_transfer_encoding",
    "http1: {bad_chunk_size: {at: {after_events: 1}}}",
    "http1: missing_last_chunk",
    "http1: trailing_bytes",
    "http1: body_on_204",
    "http1: body_on_304",
    "hang: {at: after_headers}",
    "stall: {at: {after_events: 1}, for: 1s}",
    "stall: {at: {after_bytes: 20}}",
    "delay: {at: before_headers, for: 1s}",
    "latency: {time: {fixed: 1s}}",
    "latency: {before: first_byte, time: {uniform: {from: 1s, to: 2s}}}",
    "latency: {before: end, time: {normal: {mean: 1s, deviation: 100ms}}}",
    "latency: {before: each_event, time: {list: [1s, 2s]}}",
    "drip: {bytes_per_second: 1000}",
    "split: {bytes: 60}",
    "split_characters",
    "reset: {at: {after_events: 1}}",
    "close: {at: before_end}",
    "close_frame: {code: 1011, at: {after_events: 1}}",
    "truncate: {at: {after_events: 1}}",
    "drop_terminator",
    "duplicate_terminator",
    "error_event: {error: overloaded, at: {after_events: 1}}",
    "unknown_event: {at: {after_events: 1}}",
    "comment: {at: {after_events: 1}}",
    "ping: {at: after_headers}",
    "crlf",
    "multi_line_data",
    "event_stream: {bad_prelude_crc: {at: {after_events: 1}}}",
    "event_stream: {bad_message_crc: {at: {after_events: 1}}}",
    "event_stream: {unknown_message: {at: {after_events: 1}}}",
    "content_encoding: gzip",
    "content_encoding: deflate",
    "content_encoding: br",
    "content_encoding: zstd",
    "content_encoding: gzip_not_sent",
    "content_encoding: double_gzip",
    "content_encoding: cut_gzip",
    "content_type: wrong",
    "content_type: wrong_charset",
    "content_type: missing",
    "redirect: 307",
    "malform: not_json",
    "malform: empty",
    "malform: 'null'",
    "malform: html",
    "malform: cut_json",
    "malform: {error: quota}",
    "malform: invalid_utf8",
    "malform: byte_order_mark",
    "malform: {deep_nesting: 5}",
    "malform: {very_large: 70000}",
];

/// Returns all of these faults, loaded.
pub(super) fn faults() -> Vec<Fault> {
    FAULTS
        .iter()
        .map(|fault| {
            loaded(provider(&[fault]), &[fault]).unwrap_or_else(|errors| panic!("{errors}")).remove(0)
        })
        .collect()
}

/// Loads the faults as a turn of a stream from this provider.
fn loaded(provider: Provider, faults: &[&str]) -> Result<Vec<Fault>, String> {
    let list = faults
        .iter()
        .map(|fault| if fault.contains(": ") { format!("{{{fault}}}") } else { (*fault).to_owned() });
    let matrix = match faults.iter().any(|fault| fault.starts_with("close_frame")) {
        true => format!("api: [openai/realtime], provider: [{provider}]"),
        false => format!("provider: [{provider}], stream: [true]"),
    };
    let text = format!(
        "title: t\nwhy: w\nmatrix: {{{matrix}}}\nupstream: [{{reply: ok, faults: [{}]}}]\n",
        list.collect::<Vec<_>>().join(", ")
    );
    let scenario = load_text("x", "f", &text).map_err(|errors| errors.to_string())?;
    Ok(scenario.deployments["primary"][0].faults.clone())
}

/// Returns a provider whose streams have the format that the faults need.
fn provider(faults: &[&str]) -> Provider {
    let aws = faults.iter().any(|fault| fault.starts_with("event_stream"));
    if aws { Provider::Bedrock } else { Provider::Openai }
}

fn is_session(faults: &[Fault]) -> bool {
    faults.iter().any(|fault| matches!(fault, Fault::CloseFrame(_)))
}

/// Returns a session of three events.
fn short_session() -> ProviderMessage {
    let frame = |data: &str| crate::wire::websocket::text(data);
    ProviderMessage {
        status: 101,
        headers: vec![("upgrade".into(), "websocket".into())],
        body: MessageBody::Session {
            opening: vec![frame("{\"n\":1}")],
            awaited: "response.create",
            events: vec![frame("{\"n\":2}")],
            last: frame("{\"n\":3}"),
        },
    }
}

/// Returns a short stream of two events.
fn short(provider: Provider, faults: &[Fault]) -> ProviderMessage {
    if is_session(faults) {
        return short_session();
    }
    let canary = Identity { token: "abc".into() }.canaries("main", 1).content;
    let data = [format!("{{\"n\":1,\"text\":\"\u{e9} {canary}\"}}"), "{\"n\":2,\"text\":\"b\"}".to_owned()];
    let (kind, frame): (_, fn(&str) -> Bytes) = match provider {
        Provider::Bedrock => ("application/vnd.amazon.eventstream", |data| {
            crate::wire::eventstream::encode(&[(":event-type", "e")], data.as_bytes()).unwrap()
        }),
        _ => ("text/event-stream", |data| format!("data: {data}\n\n").into()),
    };
    ProviderMessage {
        status: 200,
        headers: vec![("content-type".into(), kind.into())],
        body: MessageBody::Events {
            events: data.iter().map(|data| frame(data)).collect(),
            terminator: Some(frame("[DONE]")),
        },
    }
}

fn compiled(provider: Provider, stream: bool, message: Option<ProviderMessage>, faults: &[Fault]) -> Plan {
    let canaries = Identity { token: "abc".into() }.canaries("main", 1);
    let api = match provider {
        _ if is_session(faults) => Api::OpenaiRealtime,
        Provider::Bedrock => Api::BedrockConverse,
        _ => Api::OpenaiChat,
    };
    let asked = RequestedCall::plain(provider, api, stream && api.streams());
    let message = message.unwrap_or_else(|| provider::reply(&asked, &SuccessReply::NonAscii, &canaries));
    compile(message, faults, &FaultContext { asked: &asked, canaries: &canaries, origin: ORIGIN })
}

#[test]
fn every_fault_makes_the_plan_that_it_is_called_after() {
    let mut text = String::new();
    for fault in FAULTS {
        let provider = provider(&[fault]);
        let faults = loaded(provider, &[fault]).unwrap_or_else(|errors| panic!("{errors}"));
        let plan = compiled(provider, true, Some(short(provider, &faults)), &faults);
        assert_sound(&plan);
        let doubtful = if plan.doubtful { " (doubtful)" } else { "" };
        let _ = writeln!(text, "{fault}\n  {}{doubtful}", faults[0]);
        for line in plan.to_string().lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_fault_is_in_the_list() {
    let schema = serde_json::to_value(schemars::schema_for!(Fault)).unwrap();
    let mut words = BTreeSet::new();
    let mut variants = |schema: &Value| {
        for variant in schema["oneOf"].as_array().or(schema["anyOf"].as_array()).into_iter().flatten() {
            words.extend(variant["const"].as_str().map(str::to_owned));
            words.extend(
                variant["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned),
            );
            words.extend(
                variant["properties"].as_object().into_iter().flat_map(|members| members.keys().cloned()),
            );
        }
    };
    variants(&schema);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        if name.ends_with("Fault")
            || matches!(name.as_str(), "MalformedBody" | "LatencyShape" | "LatencyPlace")
        {
            variants(definition);
        }
    }
    assert!(words.len() > 60, "only {words:?}");
    let listed: BTreeSet<&str> = FAULTS
        .iter()
        .flat_map(|fault| fault.split(|letter: char| !letter.is_alphanumeric() && letter != '_'))
        .collect();
    words.retain(|word| !listed.contains(word.as_str()));
    assert_eq!(words, BTreeSet::new());
}

/// Any two faults that load together produce a plan that the mock can perform, whether the request asks for a
/// stream or not.
#[test]
fn every_pair_that_loads_makes_a_sound_plan() {
    let mut sound = 0;
    for first in FAULTS {
        for second in FAULTS {
            let provider = provider(&[first, second]);
            let Ok(faults) = loaded(provider, &[first, second]) else { continue };
            sound += 1;
            for plan in [
                compiled(provider, true, Some(short(provider, &faults)), &faults),
                compiled(provider, true, None, &faults),
                compiled(provider, false, None, &faults),
            ] {
                assert_sound(&plan);
            }
        }
    }
    assert!(sound > 500, "only {sound} pairs load");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Each list grows with every candidate that still loads, so it contains as many faults as can be
    /// combined.
    #[test]
    fn every_list_that_loads_makes_a_sound_plan(candidates in proptest::collection::vec(0..FAULTS.len(), 12)) {
        let mut list: Vec<&str> = Vec::new();
        for candidate in candidates {
            list.push(FAULTS[candidate]);
            if loaded(provider(&list), &list).is_err() {
                list.pop();
            }
        }
        let provider = provider(&list);
        let faults = loaded(provider, &list).unwrap();
        for stream in [true, false] {
            assert_sound(&compiled(provider, stream, None, &faults));
        }
    }
}

/// A proxy that waits for the end of a reply gets it, or the connection ends. Only faults that mean silence
/// leave it waiting.
#[test]
fn only_faults_that_mean_silence_hang() {
    for fault in
        FAULTS.iter().filter(|fault| !fault.starts_with("hang") && !fault.contains("{after_bytes: 20}}"))
    {
        let provider = provider(&[fault]);
        let faults = loaded(provider, &[fault]).unwrap();
        for stream in [false, true] {
            let plan = compiled(provider, stream, None, &faults);
            assert_ne!(plan.actions.last(), Some(&crate::fault::WireAction::Hang), "{fault}");
        }
    }
}
