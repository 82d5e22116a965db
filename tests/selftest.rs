//! Every fault proves itself, and independent clients make of it what the selftest says that they can.

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

use upfault::{
    selftest::{Exhibit, Proof, Selftest, exhibits, identity, prove},
    upstream::{ArmedCase, Upstream},
};

use client::{Ask, Client};

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
async fn every_fault_does_what_its_name_says() {
    let selftest = prove(exhibits(), 0).await.unwrap();
    let unproven = unproven(&selftest);
    assert!(unproven.is_empty(), "{} not proven:\n  {}", unproven.len(), unproven.join("\n  "));
    assert_eq!((selftest.proven, selftest.unproven), (exhibits().len(), 0));
    assert!(selftest.timing.injected.count > 10 && selftest.timing.bare.count > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_not_true_is_told() {
    let mut wrong: Vec<Exhibit> =
        exhibits().into_iter().filter(|one| one.matches("endings: close")).collect();
    // A FIN where the name says RST: what other tools sell as a reset.
    for exhibit in &mut wrong {
        exhibit.claims = exhibits().into_iter().find(|one| one.matches("endings: reset")).unwrap().claims;
    }
    let selftest = prove(wrong.clone(), 0).await.unwrap();
    assert_eq!((selftest.proven, selftest.unproven), (0, wrong.len()));
    let told: Vec<_> = selftest.exhibits[0].broken().collect();
    assert!(told.contains(&("the connection ends by RST", "it ended by FIN")), "{told:?}");
}

/// A client's exhibits, armed at a mock of its own, with what it is to ask of each.
async fn stage() -> (Upstream, Vec<ArmedCase>, Vec<Ask>) {
    let upstream = Upstream::start().await.unwrap();
    let mut cases = Vec::new();
    let mut asks = Vec::new();
    for (id, exhibit) in exhibits().iter().enumerate() {
        // The selftest's own, so that bodies are the same to the byte.
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
    (upstream, cases, asks)
}

/// What a client makes of every exhibit, against what the selftest says of it.
async fn disagreements(client: &Client, proofs: &[Proof]) -> Vec<String> {
    let (upstream, cases, asks) = stage().await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, upstream.ca_pem().unwrap()).unwrap();
    let got = client.ask(asks, &ca).await;
    drop(cases);
    upstream.shutdown().await;
    let mut problems = Vec::new();
    for (id, proof) in proofs.iter().enumerate() {
        let Some(got) = got.get(&id) else {
            problems.push(format!("{}: {}: it said nothing", client.name(), proof.name));
            continue;
        };
        if let Err(problem) = agreement::check(client.name(), proof, got) {
            problems.push(format!("{}: {}: {}: {problem}", client.name(), proof.family, proof.name));
        }
    }
    problems
}

#[tokio::test(flavor = "multi_thread")]
async fn four_independent_clients_agree_with_the_selftest_where_they_are_installed() {
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
