//! From what the provider did to a scenario.

use super::{
    error::IncidentError,
    from_evidence::seen,
    recognize,
    redact::redacted,
    repeated::{DraftCall, error, fault},
    scenario_draft::ScenarioDraft,
    upstream_action::{UpstreamAction, is_fault, takes_time},
    wishes::DraftWishes,
};
use crate::{
    provider,
    scenario::{Api, Fault, Provider},
};

/// The scenario for an incident.
///
/// # Errors
///
/// If nothing failed in the evidence, or if wishes contradict each other.
pub(crate) fn draft(action: &UpstreamAction, wishes: &DraftWishes) -> Result<ScenarioDraft, IncidentError> {
    let mut assumed = Vec::new();
    let provider = match action {
        UpstreamAction::Error(error) => {
            assumed.extend(error.assumed.iter().cloned());
            error.provider
        }
        UpstreamAction::Fault(..) => wishes.provider.unwrap_or(Provider::Openai),
        UpstreamAction::Seen(evidence, _) => {
            assumed.extend(evidence.assumed.iter().cloned());
            let (provider, guess) = recognize::provider_of(evidence);
            if wishes.provider.is_none() {
                assumed.extend(guess);
            }
            wishes.provider.unwrap_or(provider)
        }
    };
    let endpoint = match action {
        UpstreamAction::Seen(evidence, _) => recognize::endpoint(evidence),
        _ => None,
    };
    let apis = apis(action, wishes, provider, endpoint.map(|(api, _)| api), &mut assumed);
    let call = DraftCall { provider, api: apis[0], endpoint: endpoint.map(|(api, _)| api), apis: &apis };
    let mut repeated = match action {
        UpstreamAction::Error(named) => {
            let mut repeated = error(&call, named.name, wishes)?;
            repeated.references.insert(0, named.source.clone());
            repeated
        }
        UpstreamAction::Fault(text, source) => {
            check_time(text, wishes)?;
            fault(&call, text, source, wishes)?
        }
        UpstreamAction::Seen(evidence, source) => seen(&call, evidence, source, wishes)?,
    };
    repeated.turn.headers.extend(wishes.headers.clone());
    let in_event = repeated.turn.faults.iter().any(|fault| matches!(fault, Fault::ErrorEvent { .. }));
    if in_event && !wishes.headers.is_empty() {
        return Err(IncidentError::Contradiction {
            problem: "an error event has no headers of its own: those of the response were sent before"
                .to_owned(),
            help: "omit --header, or use `--at before-headers`".to_owned(),
        });
    }
    let streams = match (wishes.stream, repeated.streams.as_slice()) {
        (Some(false), [true]) => {
            return Err(IncidentError::Contradiction {
                problem: "this happens only in a stream".to_owned(),
                help: "omit --plain, or choose a place such as `--at before-headers`".to_owned(),
            });
        }
        (Some(stream), _) => vec![stream],
        (None, streams) => streams.to_vec(),
    };
    // An API without streams has plain calls only.
    let streams = if apis.iter().all(|api| api.streams()) { streams } else { vec![false] };
    let (title, why) = repeated.title;
    assumed.append(&mut repeated.assumed);
    let mut draft = ScenarioDraft {
        slug: repeated.slug,
        assumed,
        // The title can contain words of the evidence.
        title: wishes.title.clone().unwrap_or_else(|| redacted(&title).0),
        why: wishes.why.clone().unwrap_or_else(|| why.to_owned()),
        references: repeated.references,
        provider,
        apis,
        streams,
        turn: repeated.turn,
        timeout: wishes.timeout.or(repeated.timeout),
        retries: wishes.retries,
        speedup: None,
    };
    draft.choose_speedup();
    Ok(draft)
}

/// Refuses a length of time for a fault that has none.
fn check_time(text: &str, wishes: &DraftWishes) -> Result<(), IncidentError> {
    let Some(lasting) = wishes.lasting.filter(|_| is_fault(text) && !takes_time(text)) else { return Ok(()) };
    let time = humantime::format_duration(lasting);
    Err(IncidentError::Contradiction {
        problem: format!("--for {time} does not apply to the fault `{text}`"),
        help: if text.trim() == "hang" {
            format!(
                "a hang never ends; for a silence of {time}, use `--fault stall` if the proxy should give up, or `--fault delay` if it \
                 should wait"
            )
        } else {
            "omit --for; `stall` and `delay` last for a time".to_owned()
        },
    })
}

/// The APIs that callers use: those of the user or of the evidence, or else OpenAI's chat and the provider's own.
fn apis(
    action: &UpstreamAction,
    wishes: &DraftWishes,
    provider: Provider,
    endpoint: Option<Api>,
    assumed: &mut Vec<String>,
) -> Vec<Api> {
    if !wishes.apis.is_empty() {
        return wishes.apis.clone();
    }
    if let UpstreamAction::Seen(evidence, _) = action
        && let Some(api) = evidence.callers_api
    {
        return vec![api];
    }
    if let Some(api) = endpoint.filter(|api| !api.is_chat()) {
        return vec![api];
    }
    let own = provider::own_chat(provider);
    let mut apis = vec![Api::OpenaiChat];
    apis.extend(Some(own).filter(|own| *own != Api::OpenaiChat));
    let names: Vec<&str> = apis.iter().map(|api| api.as_str()).collect();
    match apis.len() {
        1 => assumed.push(format!("callers use {}", names[0])),
        _ => assumed.push(format!("callers use {} (remove the other one)", names.join(" or "))),
    }
    apis
}
