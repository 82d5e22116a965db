//! How long cases took in an earlier run.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use serde::{Deserialize, Serialize};

use crate::{bundled::DURATIONS, scenario::Case};

/// How many cases of LiteLLM run concurrently while none runs alone, as measured on two cores: docs/performance.md.
const CONCURRENT: f64 = 6.0;

/// How long a case took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct CaseTime {
    /// Milliseconds that it ran together with other cases, over all repetitions.
    pub shared_ms: f64,
    /// Milliseconds that it ran alone, because its result depended on timing.
    pub alone_ms: f64,
}

impl CaseTime {
    /// The microseconds that the case adds to a run.
    fn cost(self) -> u64 {
        let micros = (self.shared_ms / CONCURRENT + self.alone_ms).max(0.0) * 1000.0;
        // A value from a file can be anything; a day is longer than any case takes.
        micros.min(86_400e6) as u64
    }
}

/// What each case adds to a run, in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CaseCosts(HashMap<String, u64>);

impl CaseCosts {
    /// The cost of a case; 0 if it is unknown.
    pub(crate) fn of(&self, id: &str) -> u64 {
        self.0.get(id).copied().unwrap_or(0)
    }

    /// The cost of all cases.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

impl FromIterator<(String, u64)> for CaseCosts {
    fn from_iter<I: IntoIterator<Item = (String, u64)>>(costs: I) -> Self {
        Self(costs.into_iter().collect())
    }
}

/// The durations of the cases of an earlier run, in milliseconds: a file that `--report durations=PATH` writes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Durations {
    /// The proxy that was tested: `litellm 1.102.4`.
    proxy: String,
    /// How long each case ran together with other cases, over all repetitions.
    cases: BTreeMap<String, u64>,
    /// How long cases ran alone, because their results depended on timing. Other cases are left out.
    #[serde(default)]
    alone: BTreeMap<String, u64>,
}

/// Why a durations file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DurationsError {
    /// The file cannot be read.
    #[error("cannot read the durations {}: {source}\nhelp: `upfault run --report durations=PATH` writes such a file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file has another format.
    #[error("{} is not a durations file: {source}\nhelp: `upfault run --report durations=PATH` writes such a file", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The position and the error.
        source: serde_json::Error,
    },
}

/// The durations inside the program, from a run with LiteLLM. They are part of the program, and a test reads them.
static BUNDLED: LazyLock<Durations> = LazyLock::new(|| {
    let text = DURATIONS.get("litellm.json").unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
});

impl Durations {
    /// The durations that come with upfault: those of a run of the bundled scenarios with LiteLLM.
    pub(crate) fn bundled() -> &'static Self {
        &BUNDLED
    }

    /// Collects the durations of a run.
    pub(crate) fn new(proxy: String, cases: impl IntoIterator<Item = (String, CaseTime)>) -> Self {
        let mut durations = Self { proxy, ..Self::default() };
        for (id, time) in cases {
            if time.alone_ms > 0.0 {
                durations.alone.insert(id.clone(), time.alone_ms.round() as u64);
            }
            durations.cases.insert(id, time.shared_ms.round() as u64);
        }
        durations
    }

    /// Reads a file that a run wrote.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or has another format.
    pub(crate) fn read(path: &Path) -> Result<Self, DurationsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| DurationsError::Unreadable { path: path.to_owned(), source })?;
        serde_json::from_str(&text)
            .map_err(|source| DurationsError::Invalid { path: path.to_owned(), source })
    }

    /// Writes the file, with one case per line.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        out.write_all(b"\n")
    }

    /// What each case adds to a run, in microseconds. A case that was not measured costs as much as the median of the
    /// measured cases of its scenario, or if there are none, as the median of all measured cases.
    pub(crate) fn costs(&self, cases: &[Case]) -> CaseCosts {
        let known = |id: &str| -> Option<u64> {
            let shared_ms = *self.cases.get(id)? as f64;
            let alone_ms = self.alone.get(id).copied().unwrap_or(0) as f64;
            Some(CaseTime { shared_ms, alone_ms }.cost())
        };
        let mut by_scenario: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for id in self.cases.keys() {
            let scenario = id.split_once('[').map_or(id.as_str(), |(scenario, _)| scenario);
            by_scenario.entry(scenario).or_default().extend(known(id));
        }
        let of_all = median(by_scenario.values().flatten().copied().collect()).unwrap_or(1);
        let estimated = |case: &Case| {
            by_scenario
                .get(case.scenario.id.as_str())
                .and_then(|known| median(known.clone()))
                .unwrap_or(of_all)
        };
        let cost = |case: &Case| known(&case.id).unwrap_or_else(|| estimated(case));
        cases.iter().map(|case| (case.id.clone(), cost(case))).collect()
    }
}

/// The lower median.
fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scenario::{Library, expand, load_text};

    fn time(shared_ms: f64, alone_ms: f64) -> CaseTime {
        CaseTime { shared_ms, alone_ms }
    }

    fn cases(id: &str) -> Vec<Case> {
        let text = "title: t\nwhy: w\nmatrix: {stream: [false, true]}\nupstream: [{reply: ok}]\n";
        expand(&Arc::new(load_text(id, "f", text).expect("the scenario loads")))
    }

    #[test]
    fn a_file_that_a_run_wrote_is_read_again() {
        let durations = Durations::new(
            "litellm 1.2.3".to_owned(),
            [("a".to_owned(), time(20.4, 0.0)), ("a[stream]".to_owned(), time(31.0, 900.2))],
        );
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("durations.json");
        let mut text = Vec::new();
        durations.write(&mut text).unwrap();
        std::fs::write(&path, &text).unwrap();
        assert_eq!(Durations::read(&path).unwrap(), durations);
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
        {
          "proxy": "litellm 1.2.3",
          "cases": {
            "a": 20,
            "a[stream]": 31
          },
          "alone": {
            "a[stream]": 900
          }
        }
        "#);
    }

    #[test]
    fn another_file_is_an_error_with_a_next_step() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("durations.json");
        let error = Durations::read(&path).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the durations "), "{error}");
        for text in ["", "[]", "{\"proxy\": \"x\", \"cases\": {\"a\": -1}}", "{\"schema\": 1}"] {
            std::fs::write(&path, text).unwrap();
            let error = Durations::read(&path).unwrap_err().to_string();
            assert!(error.contains("is not a durations file: "), "{error}");
            assert!(error.ends_with("`upfault run --report durations=PATH` writes such a file"), "{error}");
        }
    }

    #[test]
    fn a_case_that_was_not_measured_costs_the_median_of_its_scenario_or_of_all() {
        let times = [("a", 1.0), ("b", 6.0), ("b[azure]", 12.0), ("b[gemini]", 18.0), ("c", 2400.0)];
        let durations = Durations::new(
            String::new(),
            times.into_iter().map(|(id, shared)| (id.to_owned(), time(shared, 0.0))),
        );
        let costs = |durations: &Durations, id: &str| -> Vec<u64> {
            let cases = cases(id);
            let costs = durations.costs(&cases);
            cases.iter().map(|case| costs.of(&case.id)).collect()
        };
        assert_eq!(costs(&durations, "b"), [1000, 2000]);
        assert_eq!(costs(&durations, "new"), [2000, 2000]);
        assert_eq!(costs(&Durations::default(), "a"), [1, 1]);
    }

    #[test]
    fn time_alone_costs_more_than_time_together_with_other_cases() {
        assert_eq!(time(CONCURRENT, 0.0).cost(), 1000);
        assert_eq!(time(0.0, 1.0).cost(), 1000);
        assert_eq!(time(f64::MAX, 0.0).cost(), 86_400_000_000);
        assert_eq!(time(f64::NAN, -1.0).cost(), 0);
    }

    #[test]
    fn the_bundled_durations_cover_the_bundled_cases() {
        let durations = Durations::bundled();
        assert!(durations.proxy.starts_with("litellm "), "{}", durations.proxy);
        let cases = Library::bundled().cases();
        let measured = cases.iter().filter(|case| durations.cases.contains_key(&case.id)).count();
        // New cases cost a median until the durations are measured again.
        assert!(measured * 10 > cases.len() * 8, "only {measured} of {} cases were measured", cases.len());
    }
}
