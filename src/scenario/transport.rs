//! What a scenario's upstreams are reached by: as written, or as its faults need it.

use super::{
    fault::{ConnectionFault, Fault, TlsFault},
    file::{DeploymentsFile, Located, TurnFile},
    validate::FileChecker,
    words::Transport,
};

/// What a fault needs under it, if it needs something.
fn needed(fault: &Fault) -> Option<Transport> {
    match fault {
        Fault::Tls(_) => Some(Transport::Tls),
        Fault::Http2(_) => Some(Transport::Http2),
        _ => None,
    }
}

/// The transport of all deployments, and what is wrong with what was written.
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
            *error = error.clone().also(written.range.clone(), "another one is chosen here");
            error.help = Some("leave `transport` out: the faults decide it then".to_owned());
            needed
        }
        (Some(written), _) => written.value,
        (None, Some((needed, _))) => needed,
        (None, None) => Transport::Plain,
    };
    let http1 = faults.iter().find(|fault| {
        matches!(
            fault.value,
            Fault::Http1(_)
                | Fault::Tls(TlsFault::NoCloseNotify)
                | Fault::Connection(ConnectionFault::ClosedWhenReused)
        )
    });
    if let (Transport::Http2, Some(http1)) = (chosen, http1) {
        let message = format!("`{}` has nothing to strike: these upstreams speak HTTP/2", http1.value.name());
        let error = check.error(&http1.range, message);
        if let Some((_, fault)) = demanding {
            *error = error.clone().also(fault.range.clone(), format!("`{}` is here", fault.value.name()));
        }
        if let Some(written) = written {
            *error = error.clone().also(written.range.clone(), "`transport` is here");
        }
        error.help = Some("give the two a file each".to_owned());
    }
    chosen
}
