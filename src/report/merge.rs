//! Joins the reports of shards to the report of the run that they are parts of.

use std::path::{Path, PathBuf};

use super::{
    exit::ALLOWED_INCONCLUSIVE,
    json::{Report, ReportError, SkippedCases},
    rerun::Rerun,
};
use crate::{
    event::{Event, RunFinished, RunStarted},
    judge::Policy,
    shard::{RunSelection, ShardReport},
};

/// The heads of the reports of all shards, in the order of the shards. They fit together.
pub(crate) struct ShardHeads(Vec<ShardHead>);

/// A report without its cases.
struct ShardHead {
    file: PathBuf,
    shard: ShardReport,
    head: Report<SkippedCases>,
}

/// Why reports cannot be joined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    /// A file is not a report.
    #[error(transparent)]
    Unreadable(#[from] ReportError),
    /// The report is not that of a shard.
    #[error(
        "{} is not the report of a shard\nhelp: `upfault run --shard K/N --report json=PATH` writes one; the report of a \
         complete run needs no merge",
        file.display()
    )]
    NotAShard {
        /// The report.
        file: PathBuf,
    },
    /// Two reports are from runs that differ.
    #[error("the shards are not parts of one run: {what} is {} in {}, but {} in {}\nhelp: {help}", values[0], files[0].display(), values[1], files[1].display())]
    Different {
        /// What differs.
        what: &'static str,
        /// Its values.
        values: [String; 2],
        /// The reports.
        files: [PathBuf; 2],
        /// The next step.
        help: &'static str,
    },
    /// A shard is there twice.
    #[error(
        "shard {shard} is in both {} and {}\nhelp: pass one report for each shard; one of them may be left from an \
         earlier run",
        files[0].display(), files[1].display()
    )]
    Doubled {
        /// The shard.
        shard: String,
        /// The reports.
        files: [PathBuf; 2],
    },
    /// Shards are missing.
    #[error(
        "{}\nhelp: its job may have failed before it wrote a report: read its log, or run the shard again: `{again}`",
        missing_shards(missing)
    )]
    Missing {
        /// The shards.
        missing: Vec<String>,
        /// The command that runs the first of them.
        again: String,
    },
    /// The reports have fewer or more cases than the run.
    #[error(
        "the shards have {found} of {planned} cases\nhelp: the reports were changed; run the shards again"
    )]
    Incomplete {
        /// The number of cases in the reports.
        found: usize,
        /// The number of cases of the run.
        planned: usize,
    },
}

fn missing_shards(missing: &[String]) -> String {
    match missing {
        [one] => format!("shard {one} is missing"),
        several => format!("shards {} are missing", several.join(", ")),
    }
}

impl ShardHeads {
    /// Reads the heads of the reports in `files`, which are relative to `folder`.
    ///
    /// # Errors
    ///
    /// If a file is not the report of a shard, or the reports are not exactly the shards of one run.
    pub(crate) fn read(folder: &Path, files: &[PathBuf]) -> Result<Self, MergeError> {
        let heads = files.iter().map(|file| Ok((file.clone(), Report::read_head(&folder.join(file))?)));
        Self::new(heads.collect::<Result<_, ReportError>>()?)
    }

    /// Checks that the reports are exactly the shards of one run.
    fn new(heads: Vec<(PathBuf, Report<SkippedCases>)>) -> Result<Self, MergeError> {
        let mut all: Vec<ShardHead> = Vec::new();
        for (file, head) in heads {
            let Some(shard) = head.selection.shard.clone() else {
                return Err(MergeError::NotAShard { file });
            };
            all.push(ShardHead { file, shard, head });
        }
        if let Some((first, others)) = all.split_first() {
            others.iter().try_for_each(|other| same_run(first, other))?;
        }
        all.sort_by_key(|one| one.shard.k);
        for pair in all.windows(2) {
            if pair[0].shard.k == pair[1].shard.k {
                let files = [pair[0].file.clone(), pair[1].file.clone()];
                return Err(MergeError::Doubled { shard: pair[0].shard.to_string(), files });
            }
        }
        let heads = Self(all);
        heads.complete()?;
        Ok(heads)
    }

    fn complete(&self) -> Result<(), MergeError> {
        let Some(ShardHead { shard: ShardReport { n, cases, .. }, head, .. }) = self.0.first() else {
            return Ok(());
        };
        let is_there = |k: &usize| self.0.iter().any(|one| one.shard.k == *k);
        let missing: Vec<String> = (1..=*n).filter(|k| !is_there(k)).map(|k| format!("{k}/{n}")).collect();
        if let Some(first) = missing.first() {
            let rerun = head.rerun.clone().unwrap_or_default();
            let again = rerun.of_shard(head.selection.filter.as_deref(), first);
            return Err(MergeError::Missing { missing, again });
        }
        let summaries = || self.0.iter().map(|one| &one.head.summary);
        let stopped = summaries().any(|summary| summary.interrupted || summary.fail_fast.is_some());
        let found = summaries().map(super::Summary::cases).sum();
        if found != *cases && !stopped {
            return Err(MergeError::Incomplete { found, planned: *cases });
        }
        Ok(())
    }

    /// The options for commands that run a case again.
    pub(crate) fn rerun(&self) -> Option<Rerun> {
        self.0.first().and_then(|one| one.head.rerun.clone())
    }

    /// The shards whose proxy stopped serving and was not restarted, as `2/4`.
    pub(crate) fn gave_up(&self) -> Vec<String> {
        self.0.iter().filter(|one| one.head.summary.gave_up).map(|one| one.shard.to_string()).collect()
    }

    /// The reports in the order of the shards.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|one| one.file.as_path())
    }

    /// The events of the joined run before those of its cases.
    pub(crate) fn begin(&self) -> Vec<Event> {
        let Some(ShardHead { head, shard, .. }) = self.0.first() else { return Vec::new() };
        let policy = head.judged_by.clone().or_else(|| Policy::named(&head.policy)).unwrap_or_default();
        let started = RunStarted {
            cases: shard.cases,
            proxy: head.proxy.name.clone(),
            proxy_version: head.proxy.version.clone(),
            proxy_mode: head.proxy.mode.clone(),
            seed: head.seed,
            policy: Box::new(policy),
            strict: head.strict,
            allow_inconclusive: head.allow_inconclusive.unwrap_or(ALLOWED_INCONCLUSIVE),
            baseline: None,
            selection: RunSelection { shard: None, ..head.selection.clone() },
        };
        let startups = self.0.iter().filter_map(|one| one.head.summary.proxy_start_ms);
        let ready = startups
            .reduce(f64::max)
            .map(|startup_ms| Event::ProxyReady { instances: self.0.len(), startup_ms });
        std::iter::once(Event::RunStarted(started)).chain(ready).collect()
    }

    /// The last event of the joined run. Its times are those of the slowest shard, because shards run at the same time.
    pub(crate) fn end(&self) -> Event {
        let mut end = RunFinished::default();
        for ShardHead { head, .. } in &self.0 {
            let summary = &head.summary;
            end.interrupted |= summary.interrupted;
            end.fail_fast = end.fail_fast.max(summary.fail_fast);
            end.gave_up |= summary.gave_up;
            end.wall_ms = end.wall_ms.max(summary.wall_ms);
            end.total_ms = end.total_ms.max(summary.total_ms);
            end.times.add_shard(&summary.times);
            end.log_leaks.extend(head.log_leaks.iter().cloned());
            end.stops.extend(head.stops.iter().cloned());
        }
        Event::RunFinished(end)
    }
}

/// Checks that two reports are from the same split of the same run.
fn same_run(first: &ShardHead, other: &ShardHead) -> Result<(), MergeError> {
    const ONE_RUN: &str = "pass only the reports of one run; one of them may be left from an earlier run";
    const SAME_OPTIONS: &str = "run all shards with the same options and the same upfault.toml";
    let filter = |one: &ShardHead| match &one.head.selection.filter {
        Some(filter) => format!("`{filter}`"),
        None => "missing".to_owned(),
    };
    let inconclusive =
        |one: &ShardHead| format!("{:?}", one.head.allow_inconclusive.unwrap_or(ALLOWED_INCONCLUSIVE));
    let policy = |one: &ShardHead| match &one.head.judged_by {
        Some(policy) => serde_json::to_string(policy).unwrap_or_default(),
        None => one.head.policy.clone(),
    };
    let facts: [(&'static str, [String; 2], &'static str); 9] = [
        ("the number of shards", [first, other].map(|one| one.shard.n.to_string()), ONE_RUN),
        (
            "the proxy",
            [first, other].map(|one| one.head.proxy.to_string()),
            "run all shards with the same version of the proxy",
        ),
        (
            "the version of upfault",
            [first, other].map(|one| one.head.upfault.clone()),
            "run all shards with the same version of upfault",
        ),
        ("the seed", [first, other].map(|one| one.head.seed.to_string()), SAME_OPTIONS),
        ("the policy", [first, other].map(|one| one.head.policy.clone()), SAME_OPTIONS),
        ("strict", [first, other].map(|one| one.head.strict.to_string()), SAME_OPTIONS),
        ("the number of allowed inconclusive cases", [first, other].map(inconclusive), SAME_OPTIONS),
        ("the filter", [first, other].map(filter), SAME_OPTIONS),
        (
            "the number of cases",
            [first, other].map(|one| one.shard.cases.to_string()),
            "run all shards with the same scenario files",
        ),
    ];
    let files = || [first.file.clone(), other.file.clone()];
    if let Some((what, values, help)) = facts.into_iter().find(|(_, values, _)| values[0] != values[1]) {
        return Err(MergeError::Different { what, values, files: files(), help });
    }
    // Nothing above names these differences.
    let hidden = [
        (
            "the split into shards",
            [first, other].map(|one| one.shard.split.clone()),
            "run all shards with the same scenario files and the same durations file",
        ),
        ("a reason or a name in the policy", [first, other].map(policy), SAME_OPTIONS),
    ];
    match hidden.into_iter().find(|(_, values, _)| values[0] != values[1]) {
        Some((what, _, help)) => {
            let values = ["one".to_owned(), "another".to_owned()];
            Err(MergeError::Different { what, values, files: files(), help })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
