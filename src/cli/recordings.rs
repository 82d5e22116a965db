//! Warnings about recordings: too old, or played by no run.

use std::{collections::HashSet, time::Duration};

use jiff::{SignedDuration, civil::Date, tz::TimeZone};

use super::{
    args::PathArgs, context::CliContext, failure::Failure, filter::Filter, select, settings::Settings,
};
use crate::scenario::{Library, Scenario, expand, has_scenarios, load_from};

/// The age from which `check` warns of a recording, if the settings say nothing else: providers change their replies.
pub(super) const MAX_AGE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// One line for each recording in `library` that is older than the settings allow.
pub(super) fn old(settings: &Settings, library: &Library) -> Vec<String> {
    let max_age = settings.recording_max_age.unwrap_or(MAX_AGE);
    let today = jiff::Timestamp::now().to_zoned(TimeZone::UTC).date();
    library.scenarios.iter().filter_map(|scenario| old_line(scenario, max_age, today)).collect()
}

fn old_line(scenario: &Scenario, max_age: Duration, today: Date) -> Option<String> {
    let recorded = scenario.recorded?;
    let age = today.duration_since(recorded);
    let days = age.as_hours() / 24;
    (age > SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX)).then(|| {
        format!(
            "{}: warning: recorded on {recorded}, {days} days ago: record it again with `upfault record`, or set \
             `recording_max_age` in upfault.toml",
            scenario.file
        )
    })
}

/// One line for each recording in the project's `scenarios/` that `upfault run` without arguments does not play.
///
/// # Errors
///
/// If a scenario does not load.
pub(super) fn unplayed(context: &CliContext, settings: &Settings) -> Result<Vec<String>, Failure> {
    if !has_scenarios(&context.root) || (settings.scenarios.is_empty() && settings.filter.is_none()) {
        return Ok(Vec::new());
    }
    let filter = settings.filter.as_deref().map(Filter::parse).transpose();
    let filter = filter.map_err(|error| Failure::Usage(error.to_string()))?;
    let (_, cases) = select::named(context, settings, &PathArgs::default())?;
    let chosen: HashSet<&str> = cases.iter().map(|case| case.scenario.file.as_str()).collect();
    let played: HashSet<&str> = cases
        .iter()
        .filter(|case| filter.as_ref().is_none_or(|filter| filter.matches(case)))
        .map(|case| case.scenario.file.as_str())
        .collect();
    let all = load_from(&context.root, &[], &["scenarios".into()]).map_err(Failure::Load)?;
    let recordings = all.scenarios.iter().filter(|scenario| scenario.recorded.is_some());
    let unplayed = recordings.filter(|scenario| !expand(scenario).is_empty());
    let line = |scenario: &std::sync::Arc<Scenario>| {
        let file = scenario.file.as_str();
        let why = match (played.contains(file), chosen.contains(file)) {
            (true, _) => return None,
            (false, true) => "the `filter` in upfault.toml excludes it",
            (false, false) => "`scenarios` in upfault.toml does not include it",
        };
        Some(format!("{file}: warning: no run plays this recording: {why}"))
    };
    Ok(unplayed.filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_text;

    #[test]
    fn a_recording_is_old_after_its_maximum_age() {
        let text = "title: t\nwhy: w\nrecorded: 2026-09-01\nupstream: [{reply: ok}]\n";
        let scenario = load_text("r", "scenarios/r.yaml", text).unwrap();
        let line = |today: &str, days: u64| {
            old_line(&scenario, Duration::from_secs(days * 86_400), today.parse().unwrap())
        };
        assert_eq!(line("2026-11-30", 90), None);
        insta::assert_snapshot!(
            line("2026-12-01", 90).unwrap(),
            @"scenarios/r.yaml: warning: recorded on 2026-09-01, 91 days ago: record it again with `upfault record`, or set `recording_max_age` in upfault.toml"
        );
        assert_eq!(line("2026-12-01", 365), None);
        assert_eq!(line("2026-08-01", 0), None, "a clock may be wrong");
        let plain = load_text("r", "r.yaml", "title: t\nwhy: w\nupstream: [{reply: ok}]\n").unwrap();
        assert_eq!(old_line(&plain, Duration::ZERO, "2026-12-01".parse().unwrap()), None);
    }
}
