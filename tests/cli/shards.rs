//! `--shard`, `upfault merge` and durations files: shards run separately, and their joined report is that of one run.

use std::process::Child;

use upfault::internals::{
    judge::Verdict,
    report::{CaseReport, Report},
};

use super::stage::{LIMIT, PLAIN, Stage};

/// With this defect, the embedded proxy fails the cases of `LIMIT`.
const DEFECT: &str = "builtin:rate-limit-as-500";

/// Six scenarios with two cases each, of which four cases fail with the defect.
fn stage() -> Stage {
    let stage = Stage::new()
        .scenario("t/a", PLAIN)
        .scenario("t/b", LIMIT)
        .scenario("t/c", PLAIN)
        .scenario("t/d", LIMIT)
        .scenario("t/e", PLAIN)
        .scenario("t/f", PLAIN);
    stage.write("upfault.toml", &format!("proxy = \"{DEFECT}\"\nscenarios = [\"scenarios/t\"]\n"));
    stage
}

/// Runs all shards at the same time. Returns the names of their reports.
fn run_shards(stage: &Stage, n: usize, options: &[&str]) -> Vec<String> {
    let start = |k: usize| -> (Child, String) {
        let report = format!("shard-{k}.json");
        let (shard, to) = (format!("{k}/{n}"), format!("json={report}"));
        let args = [&["run", "--shard", &shard, "--report", &to], options].concat();
        let mut command = stage.command(&args);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        (command.spawn().unwrap(), report)
    };
    let started: Vec<_> = (1..=n).map(start).collect();
    started
        .into_iter()
        .map(|(mut child, report)| {
            let code = child.wait().unwrap().code();
            assert!(matches!(code, Some(0 | 1)), "{report}: {code:?}");
            report
        })
        .collect()
}

/// What must be equal in a joined and in an unsharded run.
fn results(report: &Report) -> Vec<(String, Verdict, Vec<String>, Option<String>)> {
    let result = |case: &CaseReport| {
        let rules = case.findings.iter().map(|finding| finding.rule.clone()).collect();
        (case.id.clone(), case.verdict, rules, case.reason.clone())
    };
    report.cases.iter().map(result).collect()
}

fn without_times(text: &str) -> String {
    let is_time = |line: &&str| ["wall ", "Baseline: "].iter().any(|begin| line.starts_with(begin));
    text.lines().filter(|line| !is_time(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn joined_shards_report_the_same_as_one_run() {
    let stage = stage();
    let (unsharded, whole) = stage.run(&["--failure-output", "none"]);
    let unsharded = unsharded.code(1);
    for n in [1, 2, 3, 6] {
        let reports = run_shards(&stage, n, &[]);
        let mut args = vec!["merge", "--report", "json=joined.json", "--failure-output", "none"];
        args.extend(reports.iter().map(String::as_str));
        let joined = stage.upfault(&args).code(1);
        assert_eq!(without_times(&joined.out), without_times(&unsharded.out), "{n} shards");
        let report = Report::read(&stage.path("joined.json")).unwrap();
        assert_eq!(results(&report), results(&whole));
        assert_eq!((report.summary.fail, report.summary.pass), (4, 8));
        assert_eq!(
            (report.selection, report.seed, report.proxy),
            (Default::default(), whole.seed, whole.proxy.clone())
        );
    }
}

#[test]
fn bundled_cases_that_are_compared_with_siblings_have_the_same_findings_in_shards() {
    let stage = Stage::new();
    let options = [
        "--filter",
        "status/* | limits/*",
        "--proxy",
        "builtin:stream-gateway-error-as-500",
        "--allow-inconclusive",
        "50",
    ];
    let (_, whole) = stage.run(&options);
    let compared = |report: &Report| {
        report
            .cases
            .iter()
            .flat_map(|case| &case.findings)
            .filter(|finding| finding.rule.starts_with("sibling."))
            .count()
    };
    assert!(compared(&whole) >= 2, "the defect makes findings that compare siblings");
    let reports = run_shards(&stage, 3, &options);
    let mut args = vec!["merge", "-q", "--report", "json=joined.json"];
    args.extend(reports.iter().map(String::as_str));
    stage.upfault(&args).code(1);
    let joined = Report::read(&stage.path("joined.json")).unwrap();
    let decided = |report: &Report| -> Vec<_> {
        results(report).into_iter().filter(|(_, verdict, ..)| *verdict != Verdict::Inconclusive).collect()
    };
    assert_eq!(decided(&joined), decided(&whole));
}

#[test]
fn reports_that_do_not_fit_together_are_refused() {
    let stage = stage();
    let reports = run_shards(&stage, 3, &[]);
    stage.upfault(&["merge", &reports[0], &reports[2]]).code(2).err_has(&[
        "shard 2/3 is missing",
        "run the shard again: `upfault run --shard 2/3 --report json=PATH`",
    ]);
    stage
        .upfault(&["merge", &reports[0], &reports[1], &reports[2], &reports[1]])
        .code(2)
        .err_has(&["shard 2/3 is in both shard-2.json and shard-2.json"]);
    stage.upfault(&["run", "--shard", "2/3", "--seed", "9", "--report", "json=other.json"]).code(1);
    stage
        .upfault(&["merge", &reports[0], "other.json", &reports[2]])
        .code(2)
        .err_has(&["the seed is 0 in shard-1.json, but 9 in other.json", "help: "]);
    stage.write("not-a-report.json", "{}");
    stage
        .upfault(&["merge", &reports[0], "not-a-report.json"])
        .code(2)
        .err_has(&["not-a-report.json", "help: "]);
    stage.upfault(&["merge", "nothing.json"]).code(2).err_has(&["cannot read the report "]);
    stage.upfault(&["merge"]).code(2).err_has(&["REPORT"]);
}

#[test]
fn shards_are_split_by_the_durations_file_that_a_run_wrote() {
    let stage = stage();
    stage.upfault(&["run", "--report", "durations=durations.json"]).code(1);
    let written = stage.read("durations.json");
    assert!(written.contains("\"t/a[stream]\": "), "{written}");
    // One scenario takes as long as all others together.
    let slow: Vec<String> = ["t/a", "t/b", "t/c", "t/d", "t/e", "t/f"]
        .iter()
        .map(|id| format!("\"{id}\": {0}, \"{id}[stream]\": {0}", if *id == "t/c" { 5000 } else { 1000 }))
        .collect();
    stage.write("durations.json", &format!("{{\"proxy\": \"x\", \"cases\": {{{}}}}}", slow.join(", ")));
    let listed = |options: &[&str]| {
        let printed = stage.upfault(&[&["list"], options].concat()).code(0).out;
        printed.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let alone = ["t/c", "t/c[stream]"];
    assert_eq!(listed(&["--shard", "1/2", "--durations", "durations.json"]), alone);
    let settings = stage.read("upfault.toml");
    stage.write("upfault.toml", &format!("{settings}durations = \"durations.json\"\n"));
    assert_eq!(listed(&["--shard", "1/2"]), alone);
    assert_eq!(listed(&["--shard", "2/2"]).len(), 10);
    stage
        .upfault(&["list", "--shard", "1/2", "--durations", "nothing.json"])
        .code(2)
        .err_has(&["cannot read the durations ", "`upfault run --report durations=PATH` writes such a file"]);
}
