//! One case to review: how it differs from its accepted snapshot, and whether that is better or worse. Pure.

use std::{fmt, path::PathBuf};

use super::{
    compare::diff,
    format::{FindingLine, SnapshotFile},
    origin::SnapshotOrigin,
};
use crate::scenario::Level;

/// A snapshot that must be accepted or rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingSnapshot {
    /// The pending file.
    pub path: PathBuf,
    /// The accepted file in the same folder, which may not exist.
    pub accepted: PathBuf,
    /// The path below the snapshot folder, without the extension: `litellm/limits/rate-limit`.
    pub name: String,
    /// Whether a bundled snapshot is accepted if there is no accepted file, as in the run.
    pub bundled: bool,
}

/// A case that must be accepted or rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingCase {
    /// The pending file that contains it.
    pub file: PendingSnapshot,
    /// The case's id.
    pub id: String,
    /// The title of its scenario.
    pub title: String,
    /// What recorded the accepted snapshot; `None` if there is none.
    pub accepted_from: Option<SnapshotOrigin>,
    /// What recorded the pending one.
    pub recorded_from: SnapshotOrigin,
    /// The findings that are only in the pending snapshot.
    pub new: Vec<FindingLine>,
    /// The findings that are only in the accepted snapshot.
    pub gone: Vec<FindingLine>,
    /// A unified diff of both blocks in the files.
    pub diff: String,
}

/// Whether a difference is better or worse for callers, by the required rules that the proxy breaks. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ReviewEffect {
    /// A required rule is newly broken, and none is fixed.
    Worse,
    /// Some required rules are newly broken, others are fixed.
    Mixed,
    /// The same required rules are broken.
    Different,
    /// A required rule is fixed, and none is newly broken.
    Better,
}

impl fmt::Display for ReviewEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Worse => "worse",
            Self::Mixed => "better and worse",
            Self::Different => "different",
            Self::Better => "better",
        })
    }
}

impl PendingCase {
    /// The case `id` of a pending file; `None` if it does not differ from the accepted one.
    pub(super) fn new(
        file: &PendingSnapshot,
        id: &str,
        accepted: &SnapshotFile,
        pending: &SnapshotFile,
    ) -> Option<Self> {
        let diff = diff(accepted.render_case(id).trim_end(), pending.render_case(id).trim_end());
        if diff.is_empty() {
            return None;
        }
        let (then, now) = (findings(accepted, id), findings(pending, id));
        let has = |lines: &[FindingLine], line: &FindingLine| {
            lines.iter().any(|other| (&other.rule, &other.policy) == (&line.rule, &line.policy))
        };
        Some(Self {
            file: file.clone(),
            id: id.to_owned(),
            title: pending.description.clone(),
            accepted_from: accepted.case(id).map(|_| accepted.origin.clone()),
            recorded_from: pending.origin.clone(),
            new: now.iter().filter(|line| !has(&then, line)).cloned().collect(),
            gone: then.iter().filter(|line| !has(&now, line)).cloned().collect(),
            diff,
        })
    }

    /// Whether the difference is better or worse for callers.
    pub(crate) fn effect(&self) -> ReviewEffect {
        let required = |lines: &[FindingLine]| lines.iter().any(|line| line.level == Level::Required);
        match (required(&self.new), required(&self.gone)) {
            (true, false) => ReviewEffect::Worse,
            (true, true) => ReviewEffect::Mixed,
            (false, false) => ReviewEffect::Different,
            (false, true) => ReviewEffect::Better,
        }
    }

    /// Whether the findings of a rule differ.
    pub(crate) fn concerns(&self, rule: &str) -> bool {
        self.new.iter().chain(&self.gone).any(|line| line.rule == rule)
    }

    /// What two cases share if their differences have one cause: the same removed and added lines, and the same rules.
    fn cause(&self) -> Vec<&str> {
        let is_edit = |line: &&str| line.starts_with(['+', '-']);
        let is_head = |line: &&str| {
            line.starts_with("+++ ")
                || line.starts_with("--- ")
                || line.starts_with("+== ")
                || line.starts_with("-== ")
        };
        let known = if self.accepted_from.is_some() { "changed" } else { "new" };
        std::iter::once(known)
            .chain(self.diff.lines().filter(is_edit).filter(|line| !is_head(line)))
            .collect()
    }
}

/// The findings of all forms of a case, without duplicates.
fn findings(file: &SnapshotFile, id: &str) -> Vec<FindingLine> {
    let mut lines: Vec<FindingLine> = Vec::new();
    for line in file.forms(id).flat_map(|form| &form.findings) {
        if !lines.iter().any(|other| (&other.rule, &other.policy) == (&line.rule, &line.policy)) {
            lines.push(line.clone());
        }
    }
    lines
}

/// Cases whose differences have one cause, together. The worst come first, and of those the largest groups.
pub(crate) fn by_cause(cases: Vec<PendingCase>) -> Vec<Vec<PendingCase>> {
    let mut groups: Vec<Vec<PendingCase>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for case in cases {
        let cause = case.cause().join("\n");
        let at = *places.entry(cause).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[at].push(case);
    }
    groups.sort_by_key(|group| (group.first().map(PendingCase::effect), std::cmp::Reverse(group.len())));
    groups
}

#[cfg(test)]
mod tests {
    use super::{super::format::CaseSnapshot, *};

    fn line(rule: &str, level: Level) -> FindingLine {
        FindingLine { rule: rule.to_owned(), level, observed: "x".to_owned(), policy: Vec::new() }
    }

    fn file(id: &str, text: &str, findings: &[FindingLine]) -> SnapshotFile {
        let case = CaseSnapshot::from_parts(id, text, findings.to_vec());
        SnapshotFile { cases: vec![case], ..SnapshotFile::default() }
    }

    fn pending(id: &str, accepted: &SnapshotFile, now: &SnapshotFile) -> Option<PendingCase> {
        let place = PendingSnapshot {
            path: "n".into(),
            accepted: "a".into(),
            name: format!("p/{id}"),
            bundled: false,
        };
        PendingCase::new(&place, id, accepted, now)
    }

    #[test]
    fn required_findings_decide_whether_a_change_is_better_or_worse() {
        let required = |rule: &str| line(rule, Level::Required);
        let advice = line("c.c", Level::Recommended);
        for (then, now, expected) in [
            (vec![], vec![required("a.a")], ReviewEffect::Worse),
            (vec![required("a.a")], vec![], ReviewEffect::Better),
            (vec![required("a.a")], vec![required("b.b")], ReviewEffect::Mixed),
            (vec![required("a.a")], vec![required("a.a")], ReviewEffect::Different),
            (vec![], vec![advice], ReviewEffect::Different),
        ] {
            let case = pending("s", &file("s", "1", &then), &file("s", "2", &now)).unwrap();
            assert_eq!(case.effect(), expected, "{then:?} {now:?}");
            assert_eq!(
                case.concerns("a.a"),
                then != now && (then.len() + now.len() > 0) && !case.concerns("c.c")
            );
        }
        assert_eq!(pending("s", &file("s", "1", &[]), &file("s", "1", &[])), None);
    }

    #[test]
    fn equal_changes_are_one_group_and_the_worst_comes_first() {
        let bad = [line("a.a", Level::Required)];
        let change = |id: &str, then: &str, now: &str, findings: &[FindingLine]| {
            pending(id, &file(id, then, &[]), &file(id, now, findings)).unwrap()
        };
        let cases = vec![
            change("a", "same\nstep 1: 429", "same\nstep 1: 500", &[]),
            change("b", "other\nstep 1: 429", "other\nstep 1: 500", &[]),
            change("c", "step 1: 429", "step 1: 500", &bad),
            change("d", "step 1: 429", "step 1: 502", &[]),
            pending("e", &SnapshotFile::default(), &file("e", "step 1: 500", &bad)).unwrap(),
            pending("f", &SnapshotFile::default(), &file("f", "step 1: 500", &bad)).unwrap(),
        ];
        let groups: Vec<Vec<String>> = by_cause(cases)
            .into_iter()
            .map(|group| group.into_iter().map(|case| case.id).collect())
            .collect();
        assert_eq!(groups, [vec!["e", "f"], vec!["c"], vec!["a", "b"], vec!["d"]]);
    }
}
