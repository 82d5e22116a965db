//! What the provider does in a scenario: an error of its catalogue, or a fault.

use std::time::Duration;

use indexmap::IndexMap;

use super::{
    error::IncidentError,
    place::{SpokenPoint, reply_with},
    scenario_draft::{LONGEST_WAIT, shown_time},
    titles::{self, TitleAndReason},
    upstream_action::fault_called,
    wishes::DraftWishes,
};
use crate::{
    provider::{self, SourceConfidence, profile},
    scenario::{
        Api, Combination, ErrorName, Fault, FaultNeed, Http1Fault, Point, Provider, SuccessReply, Turn,
        TurnReply, fault_text,
    },
};

/// What the provider did, before the wishes about the calls are applied.
pub(super) struct Repeated {
    pub(super) turn: Turn,
    /// Whether callers request a stream; both, if it can happen in both.
    pub(super) streams: Vec<bool>,
    pub(super) title: TitleAndReason,
    pub(super) references: Vec<String>,
    pub(super) assumed: Vec<String>,
    pub(super) slug: String,
    pub(super) timeout: Option<Duration>,
}

/// The call that failed.
pub(super) struct DraftCall<'a> {
    pub(super) provider: Provider,
    /// The API of the first case.
    pub(super) api: Api,
    /// The provider's endpoint that the evidence names.
    pub(super) endpoint: Option<Api>,
    pub(super) apis: &'a [Api],
}

impl DraftCall<'_> {
    pub(super) fn name(&self) -> &'static str {
        &profile(self.provider).title
    }

    /// The endpoint of the provider that is asked.
    pub(super) fn asked(&self) -> Api {
        let combination = Combination { api: self.api, provider: self.provider, stream: false };
        let first = || provider::asked_endpoints(combination).first().copied();
        self.endpoint.or_else(first).unwrap_or(self.api)
    }
}

/// An error of the catalogue: as a response, or as an event of a stream that has begun.
pub(super) fn error(
    call: &DraftCall<'_>,
    name: ErrorName,
    wishes: &DraftWishes,
) -> Result<Repeated, IncidentError> {
    let place = wishes.at.unwrap_or(Point::BeforeHeaders);
    let mut repeated = match place == Point::BeforeHeaders {
        true => error_response(call, name),
        false => error_event(call, name, place),
    };
    let row = provider::catalogue_row(call.provider, name);
    match row.confidence {
        SourceConfidence::Recalled => {
            repeated
                .assumed
                .push(format!("the text of {}/{name}: the catalogue has it from memory", call.provider));
        }
        _ => {
            let day =
                provider::last_read(call.provider, row).map(|day| format!(" ({day})")).unwrap_or_default();
            repeated.references.push(format!("{}{day}", row.source));
        }
    }
    Ok(repeated)
}

pub(super) fn error_response(call: &DraftCall<'_>, name: ErrorName) -> Repeated {
    let row = provider::catalogue_row(call.provider, name);
    let mut words = row.kind.clone().unwrap_or_default();
    if name.known() == ErrorName::Quota && !words.contains("quota") {
        name.as_str().clone_into(&mut words);
    }
    Repeated {
        turn: turn(TurnReply::Error(name), Vec::new()),
        streams: vec![false, true],
        title: titles::of_error(call.name(), row.status, &words),
        references: Vec::new(),
        assumed: Vec::new(),
        slug: format!("{}-{name}", call.provider),
        timeout: None,
    }
}

pub(super) fn error_event(call: &DraftCall<'_>, name: ErrorName, place: Point) -> Repeated {
    Repeated {
        turn: turn(
            TurnReply::Reply(reply_with(place)),
            vec![Fault::ErrorEvent { error: name, at: place, form: None }],
        ),
        streams: vec![true],
        title: titles::of_error_event(call.name(), name.as_str(), place),
        references: Vec::new(),
        assumed: Vec::new(),
        slug: format!("{}-{name}-{}", call.provider, SpokenPoint(place)),
        timeout: None,
    }
}

/// A fault that the user names.
pub(super) fn fault(
    call: &DraftCall<'_>,
    text: &str,
    source: &str,
    wishes: &DraftWishes,
) -> Result<Repeated, IncidentError> {
    let usual = if wishes.stream == Some(true) { Point::AfterContent } else { Point::BeforeHeaders };
    let found =
        |place: Point, lasting: Option<Duration>| fault_called(text, place, lasting, ErrorName::Internal);
    let mut place = wishes.at.unwrap_or(usual);
    let Some(mut fault) = found(place, wishes.lasting) else {
        let help = match found(place, Some(LONGEST_WAIT)) {
            Some(_) => "add `--for TIME`, for example `--for 40s`".to_owned(),
            None => "`upfault list --faults` lists all".to_owned(),
        };
        return Err(IncidentError::Contradiction {
            problem: format!("`{text}` is not a complete fault"),
            help,
        });
    };
    let needs_a_body = fault.needs(FaultNeed::BetweenEvents)
        || matches!(fault, Fault::Truncate { .. } | Fault::Http1(Http1Fault::BadChunkSize { .. }));
    if needs_a_body && wishes.at.is_none() {
        place = Point::AfterContent;
        fault = found(place, wishes.lasting).unwrap_or(fault);
    }
    let mut repeated = broken(call, fault, place, wishes);
    repeated.references.push(source.to_owned());
    Ok(repeated)
}

/// A reply with a fault.
pub(super) fn broken(call: &DraftCall<'_>, fault: Fault, place: Point, wishes: &DraftWishes) -> Repeated {
    let has_place = fault.at().is_some();
    let needs_stream = fault.needs(FaultNeed::Events) || (has_place && place.is_of_stream());
    let silence = fault.pause();
    // By these words people mean a silence that is too long. A delay is an answer that is slow.
    let is_too_long = matches!(fault, Fault::Stall { .. } | Fault::Hang { .. });
    let mut assumed = Vec::new();
    let timeout = match (wishes.timeout, silence) {
        (Some(timeout), _) => Some(timeout),
        (None, Some(silence)) if is_too_long => {
            assumed.push(format!("the timeout of the proxy is shorter than {}", shown_time(silence)));
            Some(timeout_below(silence))
        }
        (None, Some(silence)) => {
            assumed.push(format!("the timeout of the proxy is longer than {}", shown_time(silence)));
            Some(silence.saturating_mul(2))
        }
        (None, None) if is_too_long => Some(Duration::from_secs(3)),
        (None, None) => None,
    };
    let gives_up = match (timeout, silence) {
        (Some(timeout), Some(silence)) => timeout < silence,
        _ => is_too_long,
    };
    let name = fault_text(&fault);
    let name = name.split(": {").next().unwrap_or(&name).trim_end_matches('}').to_owned();
    let title_place = if has_place { place } else { Point::BeforeHeaders };
    let title = match gives_up {
        true => titles::of_silence(call.name(), title_place),
        false => titles::of_fault(call.name(), &fault, title_place),
    };
    let reply = if has_place { reply_with(place) } else { SuccessReply::Ok };
    Repeated {
        turn: turn(TurnReply::Reply(reply), vec![fault]),
        streams: if needs_stream { vec![true] } else { vec![false, true] },
        title,
        references: Vec::new(),
        assumed,
        slug: match has_place && place != Point::BeforeHeaders {
            true => format!("{}-{name}-{}", call.provider, SpokenPoint(place)),
            false => format!("{}-{name}", call.provider),
        },
        timeout,
    }
}

/// A timeout of the proxy that is so far below a silence that a proxy which ignores it can be distinguished.
fn timeout_below(silence: Duration) -> Duration {
    let timeout = silence / 3;
    if timeout < Duration::from_secs(1) { timeout } else { Duration::from_secs(timeout.as_secs()) }
}

pub(super) fn turn(answer: TurnReply, faults: Vec<Fault>) -> Turn {
    Turn { answer, headers: IndexMap::new(), faults }
}
