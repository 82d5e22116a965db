//! Runs the bundled scenarios against the embedded proxy through the library, and prints what each
//! case came to: `cargo run --example embedded`.

#![expect(clippy::print_stdout, reason = "an example that prints its result")]

use std::{path::PathBuf, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use upfault::{
    event::Event,
    judge::Policy,
    runner::{ProxyChoice, RunSettings, run},
    scenario::{expand, load_dir},
    snapshot::{SnapshotStore, WriteMode},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    let library = load_dir(scratch.path(), &[PathBuf::from("limits")])?;
    let settings = RunSettings {
        cases: library.scenarios.iter().flat_map(expand).collect(),
        proxy: ProxyChoice::Builtin(None),
        policy: Policy::default(),
        seed: 0,
        jobs: None,
        strict: false,
        allow_inconclusive: 5,
        store: SnapshotStore::new(scratch.path().join("snapshots"), WriteMode::Never),
        cache: scratch.path().join("cache"),
        work_dir: scratch.path().join("work"),
        listen: None,
        root: scratch.path().to_owned(),
        began: Instant::now(),
    };
    let (events, mut listener) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    // A run can be ended from outside; here, if it should take longer than a minute.
    let deadline = cancel.clone();
    let watchdog = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        deadline.cancel();
    });
    run(settings, &events, &cancel).await?;
    watchdog.abort();
    drop(events);
    while let Some(event) = listener.recv().await {
        if let Event::CaseFinished(case) = event {
            println!("{:12} {}", case.verdict, case.id);
        }
    }
    Ok(())
}
