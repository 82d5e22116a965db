//! The snapshot files that a run wrote, and the next step.

use std::{collections::BTreeMap, io, path::Path};

use anstyle::Style;

use super::{
    paint::{Painter, safe},
    rerun::Rerun,
    terminal_groups::plural,
};
use crate::{
    event::{AcceptedFile, RunFinished},
    judge::Verdict,
    shell,
};

/// How many files are listed individually.
const FILES: usize = 5;

/// The order in which accepted cases are counted.
const BY_VERDICT: [Verdict; 4] = [Verdict::Pass, Verdict::Changed, Verdict::Known, Verdict::Fail];

/// Lists the files that were written, or counts them if there are many.
pub(super) fn show_written(
    painter: &mut Painter<'_>,
    end: &RunFinished,
    rerun: Option<&Rerun>,
) -> io::Result<()> {
    if let Some(files) = &end.accepted {
        show_accepted(painter, files, end)?;
        show_refused(painter, end, rerun)?;
    }
    if !end.pending.is_empty() {
        painter.raw(&format!("{}:", plural(end.pending.len(), "pending snapshot")))?;
        let shown = if end.pending.len() > FILES { FILES - 1 } else { end.pending.len() };
        for file in &end.pending[..shown] {
            painter.raw(&format!("  {}", safe(file)))?;
        }
        if shown < end.pending.len() {
            painter.raw(&format!("  ... and {} more", end.pending.len() - shown))?;
        }
        let review = rerun.map_or_else(|| "upfault review".to_owned(), Rerun::review);
        painter.raw(&format!("next: `{}` accepts or rejects pending snapshots", safe(&review)))?;
    }
    if end.unkept > 0 {
        let cases = plural(end.unkept, "new or changed case");
        let line = format!("note: {cases} not saved, because this folder is not a project");
        painter.text(0, Style::new(), &line)?;
        painter.text(
            0,
            Style::new(),
            "next: keep a baseline with `upfault init`, --accept or --snapshots DIR",
        )?;
    }
    Ok(())
}

fn show_accepted(painter: &mut Painter<'_>, files: &[AcceptedFile], end: &RunFinished) -> io::Result<()> {
    if end.confirmed > 0 {
        let line = format!(
            "{} without a change: the header now names the version of this run",
            plural(end.confirmed, "snapshot")
        );
        painter.text(0, Style::new(), &line)?;
    }
    if files.is_empty() {
        if end.confirmed == 0 && end.refused.is_empty() {
            painter.text(0, Style::new(), "nothing to accept: no snapshot changed")?;
        }
        return Ok(());
    }
    let cases = || files.iter().flat_map(|file| &file.cases);
    let counts: Vec<String> = BY_VERDICT
        .iter()
        .map(|verdict| (verdict, cases().filter(|case| case.verdict == *verdict).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(verdict, count)| format!("{count} {verdict}"))
        .collect();
    let heading = format!(
        "accepted {} ({}) in {}",
        plural(cases().count(), "case"),
        counts.join(", "),
        plural(files.len(), "snapshot")
    );
    if files.len() > FILES {
        painter.text(0, Style::new(), &safe(&format!("{heading} in {}", common_folder(files))))?;
    } else {
        painter.raw(&format!("{heading}:"))?;
        for file in files {
            painter.raw(&format!("  {}", safe(&file.file)))?;
        }
    }
    let broken: Vec<_> = cases().map(|case| &case.broken).filter(|rules| !rules.is_empty()).collect();
    if broken.is_empty() {
        return painter.text(0, Style::new(), "none of these cases has findings");
    }
    let (cases, have) = (plural(broken.len(), "case"), if broken.len() == 1 { "has" } else { "have" });
    painter.text(0, Style::new(), &format!("{cases} {have} findings, which are accepted now:"))?;
    by_rule(painter, broken.into_iter().flatten().map(String::as_str))
}

/// The cases that `--accept` did not accept, and the command that accepts them.
fn show_refused(painter: &mut Painter<'_>, end: &RunFinished, rerun: Option<&Rerun>) -> io::Result<()> {
    let RunFinished { refused, .. } = end;
    let Some(first) = refused.first() else { return Ok(()) };
    let heading = match refused.len() {
        1 => format!("not accepted: {}, which breaks required rules", first.id),
        n => format!("not accepted: {n} cases that break required rules"),
    };
    painter.text(0, Style::new(), &safe(&format!("{heading}:")))?;
    by_rule(painter, refused.iter().flat_map(|case| &case.rules).map(String::as_str))?;
    if refused.len() > 1 {
        for case in refused.iter().take(FILES) {
            painter.text(2, Style::new().dimmed(), &safe(&case.id))?;
        }
        if refused.len() > FILES {
            painter.text(2, Style::new().dimmed(), &format!("... and {} more", refused.len() - FILES))?;
        }
    }
    match rerun.map(|rerun| rerun.accept_all.as_slice()) {
        None | Some([]) => painter.raw("next: `--accept --force` accepts them too"),
        Some(words) => {
            painter.raw("next: this command accepts them too:")?;
            painter.command(2, "", &words.iter().map(|word| shell::word(word)).collect::<Vec<_>>())
        }
    }
}

/// A line for each rule with the number of its cases.
fn by_rule<'a>(painter: &mut Painter<'_>, broken: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for rule in broken {
        *rules.entry(rule).or_default() += 1;
    }
    let width = rules.keys().map(|rule| rule.chars().count()).max().unwrap_or(0);
    for (rule, cases) in rules {
        painter.raw(&format!("  {:width$}  {}", safe(rule), plural(cases, "case")))?;
    }
    Ok(())
}

/// The innermost folder that contains all of the files.
fn common_folder(files: &[AcceptedFile]) -> String {
    let mut folders = files.iter().map(|file| Path::new(&file.file).parent().unwrap_or(Path::new("")));
    let Some(first) = folders.next() else { return String::new() };
    let common = folders.fold(first, |common, folder| {
        common.ancestors().find(|ancestor| folder.starts_with(ancestor)).unwrap_or(Path::new(""))
    });
    if common.as_os_str().is_empty() { ".".to_owned() } else { common.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AcceptedCase, RefusedCase};

    fn accepted(file: &str, broken: &[&[&str]]) -> AcceptedFile {
        let cases = broken.iter().enumerate().map(|(n, rules)| AcceptedCase {
            id: format!("{file}[{n}]"),
            verdict: if rules.is_empty() { Verdict::Pass } else { Verdict::Changed },
            broken: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        });
        AcceptedFile { file: format!("snapshots/litellm/{file}.snap"), cases: cases.collect() }
    }

    fn shown(end: &RunFinished, rerun: Option<&Rerun>) -> String {
        let mut out = Vec::new();
        show_written(&mut Painter::new(&mut out, false, 80), end, rerun).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn accepting(files: Vec<AcceptedFile>) -> String {
        shown(&RunFinished { accepted: Some(files), ..RunFinished::default() }, None)
    }

    #[test]
    fn accepted_files_are_listed_with_their_cases_and_findings() {
        insta::assert_snapshot!(accepting(vec![]), @"nothing to accept: no snapshot changed");
        insta::assert_snapshot!(accepting(vec![accepted("limits/a", &[&[]])]), @r"
        accepted 1 case (1 pass) in 1 snapshot:
          snapshots/litellm/limits/a.snap
        none of these cases has findings
        ");
        let two: [&[&str]; 2] = [&["status.timeout", "headers.retry-after"], &["status.timeout"]];
        insta::assert_snapshot!(accepting(vec![accepted("limits/a", &two), accepted("b", &[&[]])]), @r"
        accepted 3 cases (1 pass, 2 changed) in 2 snapshots:
          snapshots/litellm/limits/a.snap
          snapshots/litellm/b.snap
        2 cases have findings, which are accepted now:
          headers.retry-after  1 case
          status.timeout       2 cases
        ");
        let many = (0..212).map(|n| accepted(&format!("f{n}/a"), if n == 3 { &two[1..] } else { &[&[]] }));
        insta::assert_snapshot!(accepting(many.collect()), @r"
        accepted 212 cases (211 pass, 1 changed) in 212 snapshots in snapshots/litellm
        1 case has findings, which are accepted now:
          status.timeout  1 case
        ");
    }

    #[test]
    fn cases_that_were_not_accepted_are_listed_with_the_command_that_accepts_them() {
        let refused =
            |n: usize| RefusedCase { id: format!("limits/a[{n}]"), rules: vec!["status.timeout".to_owned()] };
        let end = |count: usize| RunFinished {
            accepted: Some(vec![]),
            refused: (0..count).map(refused).collect(),
            ..RunFinished::default()
        };
        let accept_all = ["upfault", "run", "a b", "--accept", "--force"].map(str::to_owned).to_vec();
        let rerun = Rerun { accept_all, ..Rerun::default() };
        insta::assert_snapshot!(shown(&end(1), Some(&rerun)), @r"
        not accepted: limits/a[0], which breaks required rules:
          status.timeout  1 case
        next: this command accepts them too:
          upfault run 'a b' --accept --force
        ");
        insta::assert_snapshot!(shown(&end(7), None), @r"
        not accepted: 7 cases that break required rules:
          status.timeout  7 cases
          limits/a[0]
          limits/a[1]
          limits/a[2]
          limits/a[3]
          limits/a[4]
          ... and 2 more
        next: `--accept --force` accepts them too
        ");
    }

    #[test]
    fn a_version_without_changes_is_confirmed() {
        let end = RunFinished { accepted: Some(vec![]), confirmed: 480, ..RunFinished::default() };
        insta::assert_snapshot!(shown(&end, None), @"480 snapshots without a change: the header now names the version of this run");
    }

    #[test]
    fn a_run_without_accept_prints_nothing_about_it() {
        assert_eq!(shown(&RunFinished::default(), None), "");
    }

    #[test]
    fn the_review_command_repeats_the_options_of_the_run() {
        let end =
            RunFinished { pending: vec!["my snaps/builtin/a.snap.new".to_owned()], ..RunFinished::default() };
        let project = ["--snapshots".to_owned(), "my snaps".to_owned()].to_vec();
        insta::assert_snapshot!(shown(&end, Some(&Rerun { project, ..Rerun::default() })), @r"
        1 pending snapshot:
          my snaps/builtin/a.snap.new
        next: `upfault review --snapshots 'my snaps'` accepts or rejects pending snapshots
        ");
    }

    #[test]
    fn outside_a_project_a_run_explains_how_to_keep_a_baseline() {
        insta::assert_snapshot!(shown(&RunFinished { unkept: 1002, ..RunFinished::default() }, None), @r"
        note: 1002 new or changed cases not saved, because this folder is not a project
        next: keep a baseline with `upfault init`, --accept or --snapshots DIR
        ");
    }
}
