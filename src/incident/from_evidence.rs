//! What the provider does in a scenario, by what evidence shows.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{
    clue::SeenBreak,
    error::IncidentError,
    evidence::IncidentEvidence,
    gateway::error_behind,
    literal::literal,
    recognize::catalogue_error,
    redact::redacted,
    repeated::{DraftCall, Repeated, broken, error_event, error_response, turn},
    seen_error::SeenError,
    seen_stream::{self, StreamEnd},
    titles,
    wishes::DraftWishes,
};
use crate::{
    observation::Identity,
    provider::{self, RequestedCall, SourceConfidence},
    scenario::{Api, Combination, ErrorName, Fault, Point, Turn},
    wire::frames::Carrier,
};

/// What evidence shows.
pub(super) fn seen(
    call: &DraftCall<'_>,
    evidence: &IncidentEvidence,
    source: &str,
    wishes: &DraftWishes,
) -> Result<Repeated, IncidentError> {
    let error = SeenError::of(evidence);
    let named = |shown: &str| match shown {
        "" => source.to_owned(),
        shown => format!("{source}: {}", redacted(shown).0),
    };
    let mut repeated = match evidence.status {
        Some(200..300) if !evidence.in_stream => success(call, evidence, wishes)?,
        None if evidence.broken.is_some() || evidence.in_stream && evidence.body.is_empty() => {
            let seen = evidence.broken.unwrap_or(SeenBreak::Closed);
            let usual = if evidence.in_stream { Point::AfterContent } else { Point::BeforeHeaders };
            let place =
                if seen.is_before_a_reply() { Point::BeforeHeaders } else { wishes.at.unwrap_or(usual) };
            let mut repeated = broken(call, seen.fault(place), place, wishes);
            if evidence.in_stream && wishes.at.is_none() {
                repeated.assumed.push("some text had arrived before the stream broke off".to_owned());
            }
            repeated
        }
        _ => seen_error(call, evidence, &error, wishes)?,
    };
    if evidence.broken == Some(SeenBreak::Http2Reset) {
        let assumed = "the connection is HTTP/1.1 and is reset; with HTTP/2 it was a stream";
        repeated.assumed.push(assumed.to_owned());
    }
    let shown = if matches!(evidence.status, Some(200..300)) || evidence.broken.is_some() {
        String::new()
    } else {
        error.shown()
    };
    repeated.references.insert(0, named(&shown));
    if let Some(stream) = evidence.stream.filter(|_| repeated.streams.len() > 1) {
        repeated.streams = vec![stream];
    }
    Ok(repeated)
}

/// An error that evidence shows: that of the catalogue if it is the same, or else a literal response.
fn seen_error(
    call: &DraftCall<'_>,
    evidence: &IncidentEvidence,
    error: &SeenError,
    wishes: &DraftWishes,
) -> Result<Repeated, IncidentError> {
    let found = catalogue_error(call.provider, call.endpoint, error);
    let in_stream = evidence.in_stream || wishes.at.is_some_and(|at| at != Point::BeforeHeaders);
    // An event cannot be literal, and without a body there is nothing to send.
    let is_known = found.is_some_and(|found| found.is_same) && !wishes.literal;
    // A message without its body does not show what was sent.
    let is_partial = error.json.is_none() && (evidence.headers.is_none() || evidence.is_status_guessed);
    match found {
        Some(found) if is_known || in_stream || is_partial && !wishes.literal => {
            let mut repeated = match in_stream {
                true => error_event(call, found.name, wishes.at.unwrap_or(Point::AfterContent)),
                false => error_response(call, found.name),
            };
            if in_stream && wishes.at.is_none() {
                repeated.assumed.push("some text had arrived before the error".to_owned());
            }
            repeated.assumed.push(from_catalogue(call, found.name, found.is_same));
            if !in_stream {
                repeated.turn.headers = other_headers(call, found.name, evidence);
            }
            Ok(repeated)
        }
        _ => literal_response(call, evidence, error),
    }
}

/// What the catalogue adds to what evidence shows.
fn from_catalogue(call: &DraftCall<'_>, name: ErrorName, is_same: bool) -> String {
    let row = provider::catalogue_row(call.provider, name);
    let from = match row.confidence {
        SourceConfidence::Recalled => "from memory".to_owned(),
        _ => row.source.clone(),
    };
    let what = if is_same { "text and headers" } else { "status, type, text and headers" };
    format!("{what} of the error are those of {}/{name} in the catalogue ({from})", call.provider)
}

/// Headers about waiting in which the response differs from that of the catalogue.
fn other_headers(
    call: &DraftCall<'_>,
    name: ErrorName,
    evidence: &IncidentEvidence,
) -> IndexMap<String, Option<String>> {
    if evidence.headers.is_none() {
        return IndexMap::new();
    }
    let canaries = Identity { token: "draft".to_owned() }.canaries("primary", 1);
    let asked = RequestedCall::plain(call.provider, call.asked(), false);
    let usual = provider::error_asking(&asked, name, None, &canaries);
    let mut headers = IndexMap::new();
    for name in ["retry-after", "retry-after-ms", "x-should-retry"] {
        let seen = evidence.header(name);
        // Without `retry-after`, the mock omits `retry-after-ms` too.
        let is_implied = name == "retry-after-ms" && headers.contains_key("retry-after") && seen.is_none();
        if seen != usual.header(name) && !is_implied {
            headers.insert(name.to_owned(), seen.map(str::to_owned));
        }
    }
    headers
}

fn literal_response(
    call: &DraftCall<'_>,
    evidence: &IncidentEvidence,
    error: &SeenError,
) -> Result<Repeated, IncidentError> {
    let Some(status) = error.status.or(error.guessed_status) else {
        if error.shown().is_empty() {
            return Err(IncidentError::Unclear);
        }
        return Err(IncidentError::NothingFailed {
            what: format!("what was found: {}", error.shown()),
            help: "the text contains neither a status nor an error that the catalogue of the provider has; name the provider with \
                   --provider, or the error with --error"
                .to_owned(),
        });
    };
    let cases: Vec<Combination> = call
        .apis
        .iter()
        .map(|api| Combination { api: *api, provider: call.provider, stream: false })
        .collect();
    let found = literal(evidence, status, call.asked(), &cases)?;
    let mut assumed = Vec::new();
    if error.status.is_none() {
        assumed.push(format!("the status was {status}: the evidence only names its exception"));
    }
    if found.redacted > 0 {
        assumed.push("REDACTED replaces keys, addresses or ids".to_owned());
    }
    let words = error.kind.clone().unwrap_or_default();
    Ok(Repeated {
        turn: Turn { headers: found.headers, ..turn(found.reply, Vec::new()) },
        streams: vec![false, true],
        title: titles::of_error(call.name(), status, &words),
        references: Vec::new(),
        assumed,
        slug: format!("{}-{status}", call.provider),
        timeout: None,
    })
}

/// A response with status 200: a stream that failed, or a body that is not a success.
fn success(
    call: &DraftCall<'_>,
    evidence: &IncidentEvidence,
    wishes: &DraftWishes,
) -> Result<Repeated, IncidentError> {
    let endpoint = evidence.form.unwrap_or(call.asked());
    let text = evidence.text();
    if let Some(carrier) = seen_stream::carrier(evidence, endpoint) {
        return stream(call, endpoint, carrier, evidence, wishes);
    }
    if let Some(seen) = evidence.broken {
        let place = wishes.at.unwrap_or(if evidence.body.is_empty() {
            Point::AfterHeaders
        } else {
            Point::BeforeEnd
        });
        let repeated = broken(call, seen.fault(place), place, wishes);
        return Ok(Repeated { streams: vec![false], ..repeated });
    }
    let json = serde_json::from_str::<Value>(&text);
    let malformed = match &json {
        _ if text.trim().is_empty() => json!("empty"),
        Err(_) if text.trim_start().starts_with('<') => json!("html"),
        Err(_) if text.trim_start().starts_with(['{', '[']) => json!("cut_json"),
        Err(_) => json!("not_json"),
        Ok(Value::Null) => json!("null"),
        Ok(body) if !body["error"].is_null() => {
            let name = catalogue_error(
                call.provider,
                Some(call.asked()),
                &SeenError::of(&IncidentEvidence { status: None, ..evidence.clone() }),
            );
            json!({"error": name.map_or(ErrorName::Internal, |found| found.name)})
        }
        Ok(_) => {
            return Err(IncidentError::NothingFailed {
                what: "the response: it has status 200 and a body that is valid JSON".to_owned(),
                help: "if the proxy did something wrong with it, say what the provider did with --error or --fault".to_owned(),
            });
        }
    };
    let fault: Fault = serde_json::from_value(json!({"malform": malformed})).map_err(|error| {
        IncidentError::Contradiction {
            problem: error.to_string(),
            help: "name the fault with --fault".to_owned(),
        }
    })?;
    let mut repeated = broken(call, fault, Point::BeforeHeaders, wishes);
    repeated.title =
        titles::of_error(call.name(), 200, &malformed.as_str().unwrap_or("an error").replace('_', " "));
    repeated.streams = vec![evidence.stream.unwrap_or(false)];
    Ok(repeated)
}

fn stream(
    call: &DraftCall<'_>,
    endpoint: Api,
    carrier: Carrier,
    evidence: &IncidentEvidence,
    wishes: &DraftWishes,
) -> Result<Repeated, IncidentError> {
    let seen = seen_stream::read(endpoint, carrier, &evidence.body, evidence.broken);
    let place = wishes.at.unwrap_or(seen.place);
    let cut = |seen: SeenBreak| broken(call, seen.fault(place), place, wishes);
    let mut repeated = match seen.end {
        StreamEnd::Error(error) => {
            let error = error_behind(*error);
            let found = catalogue_error(call.provider, Some(call.asked()), &error);
            let name = found.map_or(ErrorName::Internal, |found| found.name);
            let mut repeated = error_event(call, name, place);
            repeated.assumed.push(from_catalogue(call, name, found.is_some_and(|found| found.is_same)));
            repeated
        }
        StreamEnd::Broken(seen) => cut(seen),
        StreamEnd::Early => {
            let mut repeated = cut(SeenBreak::Closed);
            repeated
                .assumed
                .push("the connection was closed: the evidence does not say how the stream ended".to_owned());
            repeated
        }
        StreamEnd::WithoutTerminator => broken(call, Fault::DropTerminator, place, wishes),
        StreamEnd::Whole => {
            return Err(IncidentError::NothingFailed {
                what: "the response: the stream is complete".to_owned(),
                help: "if the proxy did something wrong with it, say what the provider did with --error or --fault".to_owned(),
            });
        }
    };
    repeated.streams = vec![true];
    Ok(repeated)
}
