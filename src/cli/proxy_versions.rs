//! `upfault proxy versions`

use std::collections::BTreeSet;

use super::{context::CliContext, failure::Failure, print};
use crate::{
    proxy::{Definition, Resolution},
    report::{EXIT_OK, plural},
    scenario::ProxyVersion,
    snapshot::bundled_versions,
};

/// Lists the releases that the package index offers: the newest one of each of this many series, with whether it can be
/// installed; without a number every release.
pub(super) fn versions(context: &CliContext, spec: &str, series: Option<usize>) -> Result<u8, Failure> {
    let definition = context.definition(&context.cwd, spec)?;
    let all = definition.releases()?;
    let judged = bundled_versions(&definition.name);
    let listed: Vec<&String> = match series {
        None => all.iter().collect(),
        Some(most) => newest_of_series(&all, most, |release| {
            judged.contains(release) || definition.release() == Some(release)
        }),
    };
    let width = listed.iter().map(|release| release.len()).max().unwrap_or_default();
    print::out(&format!("{}: the package index offers {}\n", definition.name, plural(all.len(), "release")))?;
    if series.is_some() {
        let releases = plural(listed.len(), "release");
        print::note(&format!(
            "asking the package index whether {releases} can be installed; this can take minutes"
        ));
    }
    // Each check waits for the index, so all of them wait at the same time.
    let checked: Vec<Result<Vec<String>, Failure>> = std::thread::scope(|scope| {
        let check = |release| {
            let definition = &definition;
            scope.spawn(move || notes(context, definition, release, series.is_some()))
        };
        let checks: Vec<_> = listed.iter().map(|release| check(release.as_str())).collect();
        // A thread that panics ends the program.
        checks.into_iter().filter_map(|check| check.join().ok()).collect()
    });
    for (release, notes) in listed.into_iter().zip(checked) {
        let mut notes = notes?;
        if judged.contains(release) {
            notes.push("judged: its snapshots are bundled".to_owned());
        }
        if definition.release() == Some(release) {
            notes.push("the default".to_owned());
        }
        print::out(&format!("{}\n", format!("  {release:width$}  {}", notes.join("; ")).trim_end()))?;
    }
    Ok(EXIT_OK)
}

/// What is known about the installation of a release.
fn notes(
    context: &CliContext,
    definition: &Definition,
    release: &str,
    resolve: bool,
) -> Result<Vec<String>, Failure> {
    let one = definition.in_version(release)?;
    let mut notes = Vec::new();
    if resolve {
        notes.extend(described(&one.resolution(&context.cache)?));
    }
    if one.is_installed(&context.cache) {
        notes.push("installed".to_owned());
    }
    Ok(notes)
}

/// The newest release of each of the newest series, and those that are wanted anyway. `all` is sorted, the newest first.
fn newest_of_series(all: &[String], most: usize, is_wanted: impl Fn(&str) -> bool) -> Vec<&String> {
    let mut seen = BTreeSet::new();
    all.iter()
        .filter(|release| {
            let series = ProxyVersion::parse(release).map(|version| version.series());
            let is_new = seen.len() < most && seen.insert(series);
            is_new || is_wanted(release)
        })
        .collect()
}

fn described(resolution: &Resolution) -> Option<String> {
    match resolution {
        Resolution::Complete => Some("can be installed".to_owned()),
        Resolution::WithFallback => Some("can be installed with other requirements than its own".to_owned()),
        Resolution::Impossible(why) => Some(format!("cannot be installed: {why}")),
        Resolution::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_release_of_each_series_is_listed_and_what_is_wanted_anyway() {
        let all = ["2.0.0", "1.10.3", "1.10.2", "1.9.9", "1.9.8", "1.8.0"].map(str::to_owned);
        assert_eq!(newest_of_series(&all, 2, |_| false), ["2.0.0", "1.10.3"]);
        assert_eq!(newest_of_series(&all, 2, |release| release == "1.9.8"), ["2.0.0", "1.10.3", "1.9.8"]);
        assert_eq!(newest_of_series(&all, 9, |_| false), ["2.0.0", "1.10.3", "1.9.9", "1.8.0"]);
    }
}
