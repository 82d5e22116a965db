//! Determines the transport of a scenario's upstreams: the specified one, or the one that its faults need.

use super::{
    check::FileChecker,
    fault::{Fault, FaultNeed},
    file::{DeploymentsFile, TurnFile},
    located::Located,
    words::Transport,
};

/// The transport that a fault needs, if any.
fn needed(fault: &Fault) -> Option<Transport> {
    fault.traits().needs.iter().find_map(|need| match need {
        FaultNeed::Tls => Some(Transport::Tls),
        FaultNeed::Http2 => Some(Transport::Http2),
        _ => None,
    })
}

/// Returns the transport of all deployments, and reports faults that contradict the specified one.
pub(super) fn transport(
    check: &mut FileChecker<'_>,
    written: Option<&Located<Transport>>,
    upstream: Option<&Located<Vec<Located<TurnFile>>>>,
    deployments: Option<&DeploymentsFile>,
) -> Transport {
    let lists = upstream.into_iter().chain(deployments.iter().flat_map(|named| named.value.values()));
    let faults: Vec<&Located<Fault>> =
        lists.flat_map(|turns| &turns.value).flat_map(|turn| &turn.value.faults).collect();
    let demanding = faults
        .iter()
        .filter_map(|fault| needed(&fault.value).map(|transport| (transport, *fault)))
        .max_by_key(|(transport, _)| *transport);
    let chosen = match (written, demanding) {
        (Some(written), Some((needed, fault))) if written.value < needed => {
            let message = format!("`{}` needs `transport: {needed}`", fault.value.name());
            let error = check.error(&fault.range, message);
            *error = error.clone().also(written.range.clone(), "a different one is specified here");
            error.help = Some("leave `transport` out: the faults then determine it".to_owned());
            needed
        }
        (Some(written), _) => written.value,
        (None, Some((needed, _))) => needed,
        (None, None) => Transport::Plain,
    };
    let http1 = faults.iter().find(|fault| fault.value.needs(FaultNeed::Http1));
    if let (Transport::Http2, Some(http1)) = (chosen, http1) {
        let message = format!("`{}` has no effect: these upstreams use HTTP/2", http1.value.name());
        let error = check.error(&http1.range, message);
        if let Some((_, fault)) = demanding {
            *error = error.clone().also(fault.range.clone(), format!("`{}` is here", fault.value.name()));
        }
        if let Some(written) = written {
            *error = error.clone().also(written.range.clone(), "`transport` is here");
        }
        error.help = Some("put the two into separate files".to_owned());
    }
    chosen
}
