//! The order of the events in a Responses stream: their numbers, and the one event that ends it.

use serde_json::Value;

use crate::{
    dialect::{self, StreamEvent},
    judge::{attempt_outcome, facts::Facts, rule::RuleOutcome},
    observation::{ReceivedFrame, excerpt},
    scenario::Api,
};

/// The events after which a response is over.
const TERMINAL: [&str; 4] =
    ["response.completed", "response.incomplete", "response.failed", "response.cancelled"];

/// The events of the caller's Responses stream, and those of each upstream of the same dialect; `None` if the caller got no
/// such stream.
fn events<'f>(facts: &'f Facts<'_>) -> Option<(&'f [ReceivedFrame], Vec<Vec<String>>)> {
    facts.response.stream().filter(|_| facts.api() == Api::OpenaiResponses)?;
    let own = facts.attempts.iter().filter(|(attempt, _)| attempt.api == Some(Api::OpenaiResponses));
    let sent = own.filter_map(|(attempt, _)| attempt_outcome::frames(&attempt.sent, Api::OpenaiResponses));
    let sent = sent.map(|frames| frames.into_iter().map(|frame| frame.data).collect());
    Some((facts.raw_response()?.body.frames.as_slice(), sent.collect()))
}

/// The type of an event, and its number, if it has one.
fn head(data: &str) -> Option<(String, Option<u64>)> {
    let event = serde_json::from_str::<Value>(data).ok().filter(Value::is_object)?;
    Some((event["type"].as_str().unwrap_or_default().to_owned(), event["sequence_number"].as_u64()))
}

fn is_terminal(data: &str) -> bool {
    head(data).is_some_and(|(kind, _)| TERMINAL.contains(&kind.as_str()))
}

/// Whether each event has a number, and a higher one than the event before. Does not apply if the numbers of the provider
/// do not rise; an event without a number is the provider's if it sent one of the same type without a number.
pub(super) fn sequence_rises(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (frames, sent) = events(facts)?;
    let sent: Vec<Vec<_>> =
        sent.iter().map(|events| events.iter().filter_map(|data| head(data)).collect()).collect();
    if sent.iter().any(|events| !events.iter().filter_map(|(_, number)| *number).is_sorted_by(|a, b| a < b)) {
        return None;
    }
    let mut last: Option<u64> = None;
    for frame in frames {
        let Some((kind, number)) = head(&frame.data) else { continue };
        let rises = number.is_some_and(|number| last.is_none_or(|last| number > last));
        let is_providers =
            number.is_none() && sent.iter().flatten().any(|sent| *sent == (kind.clone(), None));
        if !rises && !is_providers {
            let expected = last.map_or("a sequence_number".to_owned(), |last| {
                format!("a sequence_number above {last}, that of the event before")
            });
            return RuleOutcome::broken(expected, excerpt(&frame.data), Vec::new());
        }
        last = number.or(last);
    }
    last.map(|_| RuleOutcome::Holds)
}

/// Whether at most one event ends the response; more only if the provider itself sent more.
pub(super) fn one_terminal_event(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (frames, sent) = events(facts)?;
    let got = frames.iter().filter(|frame| is_terminal(&frame.data)).filter_map(|frame| head(&frame.data));
    let got: Vec<String> = got.map(|(kind, _)| kind).collect();
    let most =
        sent.iter().map(|data| data.iter().filter(|data| is_terminal(data)).count()).max().unwrap_or(0);
    if got.is_empty() {
        return None;
    }
    RuleOutcome::check(got.len() <= most.max(1), || {
        (format!("one of {}", TERMINAL.join(", ")), got.join(", "))
    })
}

/// Whether `response.failed` follows an error event, unless the provider sent the error without it.
pub(super) fn failed_follows(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let stream = facts.response.stream().filter(|stream| !stream.unending)?;
    let (frames, sent) = events(facts)?;
    let is_error = |name: Option<&str>, data: &str| {
        matches!(dialect::event(Api::OpenaiResponses, name, data), StreamEvent::Error(_))
    };
    let error = frames.iter().find(|frame| is_error(frame.event.as_deref(), &frame.data))?;
    let from_provider = |sent: &Vec<String>| {
        let after = sent.iter().skip_while(|data| **data != error.data);
        after.clone().next().is_some() && !after.into_iter().any(|data| is_terminal(data))
    };
    // A cut connection shows the failure by itself.
    if !stream.complete || sent.iter().any(from_provider) {
        return None;
    }
    let after = frames.iter().skip_while(|frame| !std::ptr::eq(*frame, error));
    RuleOutcome::check(after.into_iter().any(|frame| is_terminal(&frame.data)), || {
        ("the error event, then response.failed".to_owned(), excerpt(&error.data))
    })
}
