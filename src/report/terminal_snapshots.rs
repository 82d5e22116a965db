//! The snapshot files that a run wrote, and the next step.

use std::{collections::BTreeMap, io, path::Path};

use anstyle::Style;

use super::{
    paint::{Painter, safe},
    rerun::Rerun,
    terminal_groups::plural,
};
use crate::event::{AcceptedFile, RunFinished};

/// How many files are listed individually.
const FILES: usize = 5;

/// Lists the files that were written, or counts them if there are many.
pub(super) fn show_written(
    painter: &mut Painter<'_>,
    end: &RunFinished,
    rerun: Option<&Rerun>,
) -> io::Result<()> {
    if let Some(files) = &end.accepted {
        show_accepted(painter, files)?;
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
            "next: keep a baseline with --accept, --snapshots DIR or an upfault.toml",
        )?;
    }
    Ok(())
}

fn show_accepted(painter: &mut Painter<'_>, files: &[AcceptedFile]) -> io::Result<()> {
    if files.is_empty() {
        return painter.text(0, Style::new(), "nothing to accept: no snapshot changed");
    }
    let heading = plural(files.len(), "accepted snapshot");
    if files.len() > FILES {
        painter.raw(&format!("{heading} in {}", safe(&common_folder(files))))?;
    } else {
        painter.raw(&format!("{heading}:"))?;
        for file in files {
            painter.raw(&format!("  {}", safe(&file.file)))?;
        }
    }
    let broken: Vec<_> = files.iter().flat_map(|file| &file.broken).collect();
    if broken.is_empty() {
        return painter.text(0, Style::new(), "none of their cases has findings");
    }
    let (cases, have) = (plural(broken.len(), "case"), if broken.len() == 1 { "has" } else { "have" });
    painter.text(0, Style::new(), &format!("{cases} {have} findings, which are accepted now:"))?;
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for rule in broken.into_iter().flatten() {
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

    fn accepted(file: &str, broken: &[&[&str]]) -> AcceptedFile {
        let rules = |rules: &&[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect();
        AcceptedFile {
            file: format!("snapshots/litellm/{file}.snap"),
            broken: broken.iter().map(rules).collect(),
        }
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
    fn accepted_files_are_listed_with_their_findings() {
        insta::assert_snapshot!(accepting(vec![]), @"nothing to accept: no snapshot changed");
        insta::assert_snapshot!(accepting(vec![accepted("limits/a", &[])]), @r"
        1 accepted snapshot:
          snapshots/litellm/limits/a.snap
        none of their cases has findings
        ");
        let two: [&[&str]; 2] = [&["status.timeout", "headers.retry-after"], &["status.timeout"]];
        insta::assert_snapshot!(accepting(vec![accepted("limits/a", &two), accepted("b", &[])]), @r"
        2 accepted snapshots:
          snapshots/litellm/limits/a.snap
          snapshots/litellm/b.snap
        2 cases have findings, which are accepted now:
          headers.retry-after  1 case
          status.timeout       2 cases
        ");
        let many = (0..212).map(|n| accepted(&format!("f{n}/a"), if n == 3 { &two[1..] } else { &[] }));
        insta::assert_snapshot!(accepting(many.collect()), @r"
        212 accepted snapshots in snapshots/litellm
        1 case has findings, which are accepted now:
          status.timeout  1 case
        ");
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
        next: keep a baseline with --accept, --snapshots DIR or an upfault.toml
        ");
    }
}
