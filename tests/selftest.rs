//! Verifies every fault, and checks that independent clients observe each fault as the selftest says.

#![cfg(unix)]

#[path = "clients/agreement.rs"]
mod agreement;
#[path = "clients/client.rs"]
mod client;
#[path = "clients/curl.rs"]
mod curl;
#[path = "clients/differences.rs"]
mod differences;
#[path = "clients/hyper.rs"]
mod hyper_client;
#[path = "clients/script.rs"]
mod script;

use std::collections::HashMap;

use upfault::internals::{
    selftest::{Exhibit, FaultLayer, FaultProof, Selftest, exhibits, identity, prove},
    upstream::{ArmedCase, Upstream},
};

use client::{Ask, Client, Got};

fn unproven(selftest: &Selftest) -> Vec<String> {
    let broken = selftest.exhibits.iter().filter(|proof| !proof.proven);
    broken
        .map(|proof| {
            let claims: Vec<String> = proof
                .broken()
                .map(|(claim, instead)| format!("\n      claimed: {claim}\n      seen:    {instead}"))
                .collect();
            format!("{}: {}{}", proof.family, proof.name, claims.concat())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_proven() {
    let selftest = prove(exhibits(), 0).await.unwrap();
    let unproven = unproven(&selftest);
    assert!(unproven.is_empty(), "{} not proven:\n  {}", unproven.len(), unproven.join("\n  "));
    assert_eq!((selftest.proven, selftest.unproven), (exhibits().len(), 0));
    assert!(selftest.timing.injected.count > 10 && selftest.timing.bare.count > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_false_claim_is_reported() {
    let mut wrong: Vec<Exhibit> =
        exhibits().into_iter().filter(|one| one.matches("endings: close")).collect();
    // The exhibits close with FIN, but claim a reset (RST).
    for exhibit in &mut wrong {
        exhibit.claims = exhibits().into_iter().find(|one| one.matches("endings: reset")).unwrap().claims;
    }
    let selftest = prove(wrong.clone(), 0).await.unwrap();
    assert_eq!((selftest.proven, selftest.unproven), (0, wrong.len()));
    let false_claims: Vec<_> = selftest.exhibits[0].broken().collect();
    assert!(
        false_claims.contains(&("the connection ends with RST", "it ended with FIN")),
        "{false_claims:?}"
    );
}

/// Exhibits that are armed on a mock, with the request for each.
struct Stage {
    upstream: Upstream,
    _cases: Vec<ArmedCase>,
    asks: Vec<Ask>,
}

impl Stage {
    /// Arms the exhibits with these indices.
    async fn new(places: &[usize]) -> Self {
        let upstream = Upstream::start().await.unwrap();
        let exhibits = exhibits();
        let mut cases = Vec::new();
        let mut asks = Vec::new();
        for &id in places {
            let exhibit = &exhibits[id];
            // The identity that the selftest uses, so that bodies have the same bytes.
            let identity = identity(id);
            let key = identity.key("main");
            let case = upstream.arm(exhibit.armed(identity, 0)).unwrap();
            asks.push(Ask {
                id,
                url: exhibit.call.url(&case.base_url("main")),
                headers: exhibit.call.headers(&key),
                body: exhibit.call.body(),
            });
            cases.push(case);
        }
        Self { upstream, _cases: cases, asks }
    }

    /// Sends the requests with a client and returns what the client observed.
    async fn ask(self, client: &Client) -> HashMap<usize, Got> {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, self.upstream.ca_pem().unwrap()).unwrap();
        let got = client.ask(self.asks, &ca).await;
        self.upstream.shutdown().await;
        got
    }
}

/// Runs every exhibit with a client and returns the differences from the selftest.
async fn disagreements(client: &Client, proofs: &[FaultProof]) -> Vec<String> {
    // The clients do not open WebSocket sessions.
    let all: Vec<usize> = (0..proofs.len()).filter(|id| proofs[*id].family != FaultLayer::Session).collect();
    let mut got = Stage::new(&all).await.ask(client).await;
    assert_eq!(got.len(), all.len(), "{} has no result for some exhibits", client.name());
    // Two hundred concurrent requests can take longer than the client's timeout. Late ones are repeated separately.
    let late: Vec<usize> = all
        .iter()
        .copied()
        .filter(|id| got[id].timed_out && agreement::check(client.name(), &proofs[*id], &got[id]).is_err())
        .collect();
    if !late.is_empty() {
        got.extend(Stage::new(&late).await.ask(client).await);
    }
    let check = |(id, proof): (usize, &FaultProof)| {
        let problem = agreement::check(client.name(), proof, &got[&id]).err()?;
        Some(format!("{}: {}: {}: {problem}", client.name(), proof.family, proof.name))
    };
    all.into_iter().map(|id| (id, &proofs[id])).filter_map(check).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_installed_independent_clients_agree_with_the_selftest() {
    let selftest = prove(exhibits(), 0).await.unwrap();
    assert_eq!(unproven(&selftest), Vec::<String>::new());
    let clients = client::installed().await;
    let mut problems = Vec::new();
    for client in &clients {
        problems.extend(disagreements(client, &selftest.exhibits).await);
    }
    assert!(problems.is_empty(), "{} disagreements:\n  {}", problems.len(), problems.join("\n  "));
    assert_eq!(differences::idle(&selftest.exhibits), Vec::<String>::new());
}
