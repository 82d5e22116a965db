//! Tests of the `upfault` program as a process: arguments, exit codes, files and signals, on loopback only.

#![cfg(unix)]

#[path = "cli/action.rs"]
mod action;
#[path = "cli/adopting.rs"]
mod adopting;
#[path = "cli/attaching.rs"]
mod attaching;
#[path = "cli/catalogue.rs"]
mod catalogue;
#[path = "cli/choices.rs"]
mod choices;
#[path = "cli/commands.rs"]
mod commands;
#[path = "cli/comparing.rs"]
mod comparing;
#[path = "cli/diagnosing.rs"]
mod diagnosing;
#[path = "cli/dying.rs"]
mod dying;
#[path = "cli/examples.rs"]
mod examples;
#[path = "cli/extending.rs"]
mod extending;
#[path = "fake_proxy/mod.rs"]
mod fake_proxy;
#[path = "cli/formatting.rs"]
mod formatting;
#[path = "cli/how_to.rs"]
mod how_to;
#[path = "cli/incidents.rs"]
mod incidents;
#[path = "cli/init.rs"]
mod init;
#[path = "cli/judging.rs"]
mod judging;
#[path = "cli/known.rs"]
mod known;
#[path = "cli/listening.rs"]
mod listening;
#[path = "cli/lying.rs"]
mod lying;
#[path = "cli/machine.rs"]
mod machine;
#[path = "cli/manual.rs"]
mod manual;
#[path = "cli/matrix.rs"]
mod matrix;
#[path = "cli/policies.rs"]
mod policies;
#[path = "cli/project.rs"]
mod project;
#[path = "cli/recording.rs"]
mod recording;
#[path = "cli/report.rs"]
mod report;
#[path = "cli/releases.rs"]
mod releases;
#[path = "cli/repro.rs"]
mod repro;
#[path = "cli/rerun.rs"]
mod rerun;
#[path = "cli/running.rs"]
mod running;
#[path = "cli/serve.rs"]
mod serve;
#[path = "cli/settings.rs"]
mod settings;
#[path = "cli/shards.rs"]
mod shards;
#[path = "cli/siblings.rs"]
mod siblings;
#[path = "cli/side_by_side.rs"]
mod side_by_side;
#[path = "cli/signals.rs"]
mod signals;
#[path = "cli/snapshots.rs"]
mod snapshots;
#[path = "cli/stage.rs"]
mod stage;
#[path = "cli/stopping.rs"]
mod stopping;
#[path = "cli/watching.rs"]
mod watching;
#[path = "architecture/wording.rs"]
mod wording;
#[path = "cli/words.rs"]
mod words;
