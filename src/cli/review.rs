//! `upfault review`

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead, Write},
    path::Path,
};

use super::{
    args::ReviewArgs,
    context::CliContext,
    failure::Failure,
    print,
    project::SNAPSHOTS,
    rerun::project,
    review_group::group_text,
    settings::{Settings, unknown_rule},
};
use crate::{
    report::{EXIT_FINDINGS, EXIT_OK, plural},
    scenario::id_pattern,
    shell,
    snapshot::{PendingCase, PendingSnapshot, by_cause, pending},
};

/// How many files an accepting or rejecting review names.
const NAMED: usize = 20;

/// What to do with pending cases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Decision {
    Accept,
    Reject,
    Skip,
}

/// The user's answer about a group of cases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    /// For this group.
    Once(Decision),
    /// For this group and all that follow.
    Rest(Decision),
    /// Show the cases of the group one by one.
    Each,
}

/// Shows pending cases and asks what to do, or accepts or rejects all if the arguments say so.
pub(super) fn review(context: &CliContext, args: &ReviewArgs) -> Result<u8, Failure> {
    let chosen = match &args.snapshots {
        Some(folder) => Some(context.place(folder)),
        None => Settings::read(context)?.snapshots,
    };
    let bundled = chosen.is_none();
    let root = chosen.unwrap_or_else(|| context.root.join(SNAPSHOTS));
    if let Some((rule, help)) = args.rule.as_ref().and_then(|rule| Some((rule, unknown_rule(rule)?))) {
        return Err(Failure::Usage(format!("unknown rule `{rule}`\nhelp: {help}")));
    }
    let all = pending_cases(&root, bundled)?;
    let total = all.len();
    if total == 0 {
        print::note("no pending snapshots");
        return Ok(EXIT_OK);
    }
    let is_wanted = |case: &PendingCase| {
        let named = args.paths.is_empty() || args.paths.iter().any(|path| names(context, &root, path, case));
        named && args.rule.as_ref().is_none_or(|rule| case.concerns(rule))
    };
    let cases: Vec<PendingCase> = all.into_iter().filter(is_wanted).collect();
    if cases.is_empty() {
        let n = plural(total, "pending case");
        return Err(Failure::Usage(format!(
            "none of the {n} matches\nhelp: `upfault review` without a path and without --rule shows all"
        )));
    }
    let left = match (args.accept, args.reject) {
        (true, _) => settle(&root, &cases, Decision::Accept)?,
        (_, true) => settle(&root, &cases, Decision::Reject)?,
        _ => {
            let mut stdin = io::stdin().lock();
            let mut ask = |question: &str| {
                if context.interactive { read_answer(&mut stdin, question) } else { Ok(None) }
            };
            go_through(context, &root, cases, &mut ask)?
        }
    };
    if left > 0 && !context.interactive {
        let words = ["upfault", "review"].map(str::to_owned).into_iter().chain(args.paths.iter().cloned());
        let rule = args.rule.iter().flat_map(|rule| crate::report::option("--rule", rule));
        let accept = std::iter::once("--accept".to_owned());
        let all: Vec<String> =
            words.chain(rule).chain(accept).chain(project(context, args.snapshots.as_deref())).collect();
        let all = shell::command(&all);
        print::note(&format!("{left} pending; `{all}` accepts all, and with `--reject` instead rejects all"));
    }
    Ok(if left > 0 { EXIT_FINDINGS } else { EXIT_OK })
}

/// All pending cases. Removes pending files whose cases are all accepted meanwhile.
fn pending_cases(root: &Path, bundled: bool) -> Result<Vec<PendingCase>, Failure> {
    let mut all = Vec::new();
    for file in pending(root, bundled)? {
        let cases = file.cases()?;
        if cases.is_empty() {
            file.settle(root, &BTreeSet::new(), &BTreeSet::new())?;
        }
        all.extend(cases);
    }
    Ok(all)
}

/// Whether `path` names a case: by its id, by its scenario or a folder of scenarios, or by a snapshot file or folder.
fn names(context: &CliContext, root: &Path, path: &str, case: &PendingCase) -> bool {
    let on_disk = context.place(path);
    let text = match on_disk.strip_prefix(root) {
        Ok(below) => below.display().to_string(),
        Err(_) => path.trim_start_matches("./").trim_start_matches("scenarios/").to_owned(),
    };
    let endings = [".snap.new", ".snap", ".yaml", ".yml", ".json"];
    let text = endings.iter().find_map(|end| text.strip_suffix(end)).unwrap_or(&text).trim_end_matches('/');
    if text.is_empty() {
        return true;
    }
    let name = &case.file.name;
    let id = name.split_once('/').map_or(name.as_str(), |(_, id)| id);
    let is_below =
        |name: &str| name == text || name.strip_prefix(text).is_some_and(|rest| rest.starts_with('/'));
    // A case id that is also the id of its scenario means the whole scenario, as for `upfault run`.
    is_below(name) || is_below(id) || id_pattern(text).is_ok_and(|pattern| pattern.is_match(&case.id))
}

/// Shows each group of cases and does what `ask` returns; without an answer, skips the group. Returns how many cases are still
/// pending.
fn go_through(
    context: &CliContext,
    root: &Path,
    cases: Vec<PendingCase>,
    ask: &mut dyn FnMut(&str) -> Result<Option<Answer>, Failure>,
) -> Result<usize, Failure> {
    let mut left = 0;
    let mut rest = None;
    let mut groups = by_cause(cases);
    let mut n = 0;
    while n < groups.len() {
        let group = &groups[n];
        let decision = match rest {
            Some(decision) => decision,
            None => {
                let place = format!("{} of {}", n + 1, groups.len());
                print::fitted(&format!("{}\n", group_text(&place, group)), context.width)?;
                match ask(&question(group.len()))?.unwrap_or(Answer::Once(Decision::Skip)) {
                    Answer::Once(decision) => decision,
                    Answer::Rest(decision) => *rest.insert(decision),
                    Answer::Each => {
                        let alone: Vec<Vec<PendingCase>> =
                            group.iter().map(|case| vec![case.clone()]).collect();
                        groups.splice(n..=n, alone);
                        continue;
                    }
                }
            }
        };
        left += settle(root, &groups[n], decision)?;
        n += 1;
    }
    Ok(left)
}

/// Accepts or rejects these cases. Returns how many are still pending.
fn settle(root: &Path, cases: &[PendingCase], decision: Decision) -> Result<usize, Failure> {
    if decision == Decision::Skip {
        return Ok(cases.len());
    }
    let mut files: BTreeMap<&str, (&PendingSnapshot, BTreeSet<&str>)> = BTreeMap::new();
    for case in cases {
        let entry = files.entry(case.file.name.as_str()).or_insert_with(|| (&case.file, BTreeSet::new()));
        entry.1.insert(case.id.as_str());
    }
    let none = BTreeSet::new();
    let word = if decision == Decision::Accept { "accepted" } else { "rejected" };
    let is_short = files.len() <= NAMED;
    for (name, (file, ids)) in &files {
        match decision {
            Decision::Accept => file.settle(root, ids, &none)?,
            _ => file.settle(root, &none, ids)?,
        }
        if is_short {
            print::note(&format!("{word} {name}: {}", plural(ids.len(), "case")));
        }
    }
    if !is_short {
        print::note(&format!(
            "{word} {} in {}",
            plural(cases.len(), "case"),
            plural(files.len(), "snapshot")
        ));
    }
    Ok(0)
}

fn question(cases: usize) -> String {
    match cases {
        1 => "(a)ccept, (r)eject, (s)kip; (A)ccept or (R)eject this and the rest, (q)uit? ".to_owned(),
        n => format!(
            "(a)ccept, (r)eject or (s)kip all {n} like this, or show (e)ach;\n(A)ccept or (R)eject these and the rest, (q)uit? "
        ),
    }
}

/// Asks until the answer is one of those in the question. At the end of the input, skips the rest.
fn read_answer(input: &mut dyn BufRead, question: &str) -> Result<Option<Answer>, Failure> {
    loop {
        let mut err = io::stderr().lock();
        let _ = write!(err, "{question}");
        let _ = err.flush();
        let mut line = String::new();
        let read = input.read_line(&mut line).map_err(Failure::io("cannot read the answer"))?;
        let answer = match line.trim() {
            "a" | "accept" => Answer::Once(Decision::Accept),
            "r" | "reject" => Answer::Once(Decision::Reject),
            "s" | "skip" => Answer::Once(Decision::Skip),
            "A" => Answer::Rest(Decision::Accept),
            "R" => Answer::Rest(Decision::Reject),
            "q" | "quit" => Answer::Rest(Decision::Skip),
            "e" | "each" if question.contains("(e)ach") => Answer::Each,
            _ if read == 0 => Answer::Rest(Decision::Skip),
            _ => continue,
        };
        return Ok(Some(answer));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::snapshot::{CaseSnapshot, SnapshotFile, SnapshotStore, WriteMode};

    /// A snapshot folder in which these cases of the scenario `s/t` are pending: their accepted text is `old`.
    fn stage(cases: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let record = |mode, text: &dyn Fn(&str) -> String| {
            let cases = cases.iter().map(|(id, now)| CaseSnapshot::from_parts(id, &text(now), vec![]));
            let file = SnapshotFile { cases: cases.collect(), ..SnapshotFile::default() };
            let store = SnapshotStore::new(dir.path().join("snapshots/p"), mode).without_bundled();
            store.record("s/t", &file, &BTreeSet::new()).unwrap();
        };
        record(WriteMode::AcceptAll, &|_| "old".to_owned());
        record(WriteMode::Pending, &|now| now.to_owned());
        dir
    }

    /// Goes through the pending cases with these answers. Returns how many are left, and the accepted texts.
    fn reviewed(dir: &tempfile::TempDir, answers: &[Answer]) -> (usize, Vec<String>) {
        let (root, context) = (dir.path().join("snapshots"), CliContext::for_tests(dir.path(), None));
        let mut answers: VecDeque<Answer> = answers.iter().copied().collect();
        let cases = pending_cases(&root, false).unwrap();
        let left = go_through(&context, &root, cases, &mut |_| Ok(answers.pop_front())).unwrap();
        assert!(answers.is_empty(), "every answer was asked for");
        let text = std::fs::read_to_string(root.join("p/s/t.snap")).unwrap();
        let file = SnapshotFile::parse(&text).unwrap();
        (left, file.cases.into_iter().map(|case| case.text).collect())
    }

    const THREE: [(&str, &str); 3] = [("a", "new"), ("b", "new"), ("c", "other")];

    #[test]
    fn one_answer_settles_all_cases_with_the_same_change() {
        let accept = Answer::Once(Decision::Accept);
        let skip = Answer::Once(Decision::Skip);
        assert_eq!(
            reviewed(&stage(&THREE), &[accept, skip]),
            (1, vec!["new".into(), "new".into(), "old".into()])
        );
        let reject = Answer::Once(Decision::Reject);
        assert_eq!(
            reviewed(&stage(&THREE), &[reject, accept]),
            (0, vec!["old".into(), "old".into(), "other".into()])
        );
    }

    #[test]
    fn the_cases_of_a_group_can_be_settled_one_by_one() {
        let answers = [Answer::Each, Answer::Once(Decision::Reject), Answer::Rest(Decision::Accept)];
        assert_eq!(reviewed(&stage(&THREE), &answers), (0, vec!["old".into(), "new".into(), "other".into()]));
    }

    #[test]
    fn quitting_leaves_the_rest_pending() {
        let dir = stage(&THREE);
        assert_eq!(reviewed(&dir, &[Answer::Rest(Decision::Skip)]).0, 3);
        assert_eq!(pending_cases(&dir.path().join("snapshots"), false).unwrap().len(), 3);
    }

    #[test]
    fn an_answer_is_asked_for_until_it_is_one_of_the_choices() {
        let answer = |text: &str, n| read_answer(&mut text.as_bytes(), &question(n)).unwrap().unwrap();
        assert_eq!(answer("x\n\ne\na\n", 1), Answer::Once(Decision::Accept), "one case has no `each`");
        assert_eq!(answer("e\n", 2), Answer::Each);
        assert_eq!(answer("R\n", 2), Answer::Rest(Decision::Reject));
        assert_eq!(answer("", 2), Answer::Rest(Decision::Skip), "the input ended");
    }

    #[test]
    fn a_path_names_cases_by_id_scenario_folder_or_file() {
        let dir = stage(&[("s/t[stream]", "new")]);
        let (root, context) = (dir.path().join("snapshots"), CliContext::for_tests(dir.path(), None));
        let case = pending_cases(&root, false).unwrap().remove(0);
        for (path, expected) in [
            ("s", true),
            ("s/t", true),
            ("s/t[stream]", true),
            ("s/*[stream]", true),
            ("p/s/", true),
            ("scenarios/s/t.yaml", true),
            ("snapshots/p/s/t.snap.new", true),
            ("snapshots/", true),
            ("./s", true),
            ("s/t2", false),
            ("t", false),
            ("q/s", false),
        ] {
            assert_eq!(names(&context, &root, path, &case), expected, "{path}");
        }
    }
}
