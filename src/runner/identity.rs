//! The identities of cases.

use sha2::{Digest, Sha256};

use crate::{observation::Identity, scenario::Case};

/// The maximum number of looks at a case: one with others, up to two more with others, one alone, and another one
/// alone if it delayed another caller.
pub(super) const LOOKS: usize = 5;

/// The identity of a case: equal for the same seed, different for each case.
pub(crate) fn identity(seed: u64, case: &str) -> Identity {
    let hash = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(case).finalize();
    Identity { token: Identity::letters(&hash[..12]) }
}

/// The identity of a case for a further look (`n` starts at 2), so that the proxy does not recognize the case.
pub(super) fn look_identity(seed: u64, case: &str, n: usize) -> Identity {
    identity(seed, &format!("{case}, look {n}"))
}

/// The number of identities that a case needs.
pub(super) fn looks(case: &Case) -> usize {
    match &case.own {
        _ if case.scenario.proxy.cooldown.is_none() => 1,
        // Every case has the user's cooldown, but hardly any of them starts it.
        Some(_) => 2,
        None => LOOKS,
    }
}
