//! The attempt that a plan is for, and the source of all random numbers in the plan.

use std::net::SocketAddr;

use rand::{SeedableRng, rngs::ChaCha8Rng};
use sha2::{Digest, Sha256};

/// The attempt that a plan is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// The address that the mock listens on.
    pub address: SocketAddr,
    /// The token of the case.
    pub token: &'a str,
    /// The deployment in the case.
    pub deployment: &'a str,
    /// The 1-based number of the attempt at the deployment.
    pub attempt: u32,
    /// The seed of the run.
    pub seed: u64,
}

impl Origin<'_> {
    /// Returns the random generator for the fault with this index in its list. It depends only on the seed,
    /// the case, the deployment, the attempt and the index.
    pub(super) fn numbers(&self, fault: usize) -> ChaCha8Rng {
        let digest = Sha256::new()
            .chain_update(self.seed.to_le_bytes())
            .chain_update(self.token)
            .chain_update([0])
            .chain_update(self.deployment)
            .chain_update([0])
            .chain_update(self.attempt.to_le_bytes())
            .chain_update((fault as u64).to_le_bytes())
            .finalize();
        ChaCha8Rng::from_seed(digest.into())
    }

    /// Returns a URL with another host name, and so another origin, that leads to the same deployment of the
    /// same mock.
    pub(super) fn elsewhere(&self) -> String {
        format!("http://localhost:{}/{}/{}/elsewhere", self.address.port(), self.token, self.deployment)
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;

    #[test]
    fn each_attempt_has_its_own_reproducible_numbers() {
        let origin = Origin {
            address: ([127, 0, 0, 1], 80).into(),
            token: "abc",
            deployment: "main",
            attempt: 1,
            seed: 1,
        };
        let first = |origin: Origin<'_>, fault| origin.numbers(fault).next_u64();
        assert_eq!(first(origin, 0), first(origin, 0));
        for other in [
            Origin { token: "abcd", deployment: "ain", ..origin },
            Origin { attempt: 2, ..origin },
            Origin { seed: 2, ..origin },
        ] {
            assert_ne!(first(origin, 0), first(other, 0));
        }
        assert_ne!(first(origin, 0), first(origin, 1));
        assert_eq!(origin.elsewhere(), "http://localhost:80/abc/main/elsewhere");
    }
}
