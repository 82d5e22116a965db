//! Whose attempt a plan is made for: from this all that is random in it is drawn.

use std::net::SocketAddr;

use rand::{SeedableRng, rngs::ChaCha8Rng};
use sha2::{Digest, Sha256};

/// Whose attempt a plan is made for.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Where the mock listens.
    pub address: SocketAddr,
    /// Of the case.
    pub token: &'a str,
    /// Of the case.
    pub deployment: &'a str,
    /// The how-manieth at the deployment, from 1.
    pub attempt: u32,
    /// Of the run.
    pub seed: u64,
}

impl Origin<'_> {
    /// The numbers for one fault of a list: the same for the same attempt of the same case under the
    /// same seed, whatever else is going on.
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

    /// A URL at another name, so another origin, that leads to the same deployment of the same mock.
    pub(super) fn elsewhere(&self) -> String {
        format!("http://localhost:{}/{}/{}/elsewhere", self.address.port(), self.token, self.deployment)
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;

    #[test]
    fn numbers_are_the_same_for_the_same_attempt_and_others_for_any_other() {
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
