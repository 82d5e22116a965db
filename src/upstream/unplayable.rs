//! What the mock cannot do on an operating system.

use crate::{
    platform::OperatingSystem,
    scenario::{ConnectionFault, Fault, Scenario, Turn},
};

/// Returns why the mock cannot play the upstreams of a scenario on an operating system; `None` if it can.
pub(crate) fn unplayable(scenario: &Scenario, system: OperatingSystem) -> Option<String> {
    scenario.deployments.values().flatten().find_map(|turn| unplayable_turn(turn, system))
}

/// Returns why the mock cannot play a turn on an operating system; `None` if it can.
pub(crate) fn unplayable_turn(turn: &Turn, system: OperatingSystem) -> Option<String> {
    let fills_the_queue = turn.faults.contains(&Fault::Connection(ConnectionFault::BacklogFull));
    let because = match system {
        OperatingSystem::Linux => return None,
        OperatingSystem::MacOs => "the shortest queue that it allows is not short enough to be filled",
        OperatingSystem::Windows => "it refuses a connection for which the queue has no room",
        OperatingSystem::Other => "what it does with a full queue is unknown",
    };
    fills_the_queue.then(|| {
        format!(
            "a full queue of connections (`connection: backlog_full`) is not possible on {}: {because}",
            system.as_str()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, fs, path::Path};

    use super::*;
    use crate::scenario::{Library, expand};

    /// The cases that a system skips, as the table of docs/platforms.md lists them.
    fn skipped() -> String {
        let mut table = "| system | skipped cases | reason |\n|---|---|---|\n".to_owned();
        for system in [OperatingSystem::MacOs, OperatingSystem::Windows] {
            for scenario in &Library::bundled().scenarios {
                if let Some(reason) = unplayable(scenario, system) {
                    let ids: Vec<String> =
                        expand(scenario).iter().map(|case| format!("`{}`", case.id)).collect();
                    let _ = writeln!(table, "| {} | {} | {reason} |", system.as_str(), ids.join(", "));
                }
            }
        }
        table
    }

    #[test]
    fn the_table_of_skipped_cases_is_up_to_date() {
        const END: &str = "<!-- end -->";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/platforms.md");
        let text = fs::read_to_string(&path).unwrap();
        let (before, rest) = text.split_once("<!-- skipped:").expect("the place is marked");
        let (mark, rest) = rest.split_once("-->\n").expect("the mark is closed");
        let (_, after) = rest.split_once(END).expect("the end is marked");
        let now = format!("{before}<!-- skipped:{mark}-->\n{}{END}{after}", skipped());
        #[expect(clippy::disallowed_methods, reason = "a test reads its own environment")]
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &now).unwrap();
        }
        assert!(
            fs::read_to_string(&path).unwrap() == now,
            "docs/platforms.md is out of date: run `just docs`"
        );
    }

    #[test]
    fn linux_plays_every_bundled_scenario_and_the_other_systems_skip_only_full_queues() {
        let library = Library::bundled();
        let skips = |system| library.scenarios.iter().filter(|one| unplayable(one, system).is_some()).count();
        assert_eq!(skips(OperatingSystem::Linux), 0);
        for system in [OperatingSystem::MacOs, OperatingSystem::Windows, OperatingSystem::Other] {
            let full = library.scenarios.iter().filter(|one| {
                let faults = one.deployments.values().flatten().flat_map(|turn| &turn.faults);
                faults.into_iter().any(|fault| *fault == Fault::Connection(ConnectionFault::BacklogFull))
            });
            assert_eq!(skips(system), full.count());
            assert!(skips(system) > 0, "a bundled scenario needs a full queue");
        }
    }
}
