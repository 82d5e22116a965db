//! The files in `examples/`: their structure, and their shell lines, run here with several workers.

use std::{fs, path::Path, process::Child};

use serde_json::Value;
use upfault::internals::report::Report;

use super::stage::{LIMIT, PLAIN, Stage};

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)).unwrap()
}

/// The documents of a YAML file.
fn documents(name: &str) -> Vec<Value> {
    let text = text(name);
    text.split("\n---\n")
        .map(|part| serde_saphyr::from_str(part).unwrap_or_else(|error| panic!("{name}: {error}")))
        .collect()
}

fn document(name: &str) -> Value {
    let mut all = documents(name);
    assert_eq!(all.len(), 1, "{name}");
    all.remove(0)
}

/// A project with four groups of cases, of which one fails.
fn stage() -> Stage {
    let stage = Stage::new()
        .scenario("t/a", PLAIN)
        .scenario("t/b", LIMIT)
        .scenario("t/c", PLAIN)
        .scenario("t/d", PLAIN);
    stage.write("upfault.toml", "proxy = \"builtin:rate-limit-as-500\"\nscenarios = [\"scenarios/t\"]\n");
    stage
}

/// Runs the shell line of each worker at the same time, each with its variables. All must succeed.
fn work(stage: &Stage, line: &str, workers: Vec<Vec<(&str, String)>>) {
    let start = |variables: Vec<(&str, String)>| -> Child {
        let mut shell = stage.shell(&format!("set -e\n{line}"));
        shell.envs(variables).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        shell.spawn().unwrap()
    };
    let started: Vec<Child> = workers.into_iter().map(start).collect();
    for child in started {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Runs the shell line that joins the reports. The run has findings.
fn join(stage: &Stage, line: &str, variables: Vec<(&str, String)>) -> super::stage::CliOutput {
    let mut shell = stage.shell(&format!("set -e\n{line}"));
    shell.envs(variables);
    stage.ended(shell).code(1)
}

/// Checks that a joined report contains every case, with the findings of a run without shards.
fn is_complete(stage: &Stage, file: &str) {
    let joined = Report::read(&stage.path(file)).unwrap();
    let (_, whole) = stage.run(&[]);
    let verdicts = |report: &Report| -> Vec<_> {
        report.cases.iter().map(|case| (case.id.clone(), case.verdict)).collect()
    };
    assert_eq!(verdicts(&joined), verdicts(&whole));
    assert_eq!((joined.summary.fail, joined.summary.pass), (2, 6));
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|item| item.as_str().expect("a text")).collect()
}

#[test]
fn the_workflow_for_github_runs_and_joins_its_shards() {
    let workflow = document("ci/github-actions.yaml");
    assert!(workflow["on"].is_object() && workflow["permissions"]["contents"] == "read");
    let jobs = workflow["jobs"].as_object().unwrap();
    let steps = |job: &str| jobs[job]["steps"].as_array().unwrap().clone();
    for (name, job) in jobs {
        assert!(job["runs-on"].is_string() && job["timeout-minutes"].is_u64(), "{name}");
        for step in steps(name) {
            let (uses, run) = (step["uses"].as_str(), step["run"].as_str());
            assert!(uses.is_some() != run.is_some(), "a step either uses an action or runs a line: {step}");
            assert!(uses.is_none_or(|uses| uses.contains("/") && uses.contains("@v")), "{step}");
        }
    }
    let shard = &jobs["shard"];
    assert_eq!(shard["strategy"]["fail-fast"], false, "a failing shard must not cancel the others");
    let shards: Vec<u64> =
        shard["strategy"]["matrix"]["shard"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert_eq!(shards, [1, 2, 3, 4]);
    assert_eq!(jobs["upfault"]["needs"], "shard");
    assert_eq!(jobs["upfault"]["if"], "${{ !cancelled() }}", "a missing shard must be reported");
    let named = |job: &str, name: &str| steps(job).into_iter().find(|step| step["name"] == name).unwrap();
    let uploaded = |job: &str| {
        steps(job).iter().any(|step| {
            step["uses"].as_str().is_some_and(|uses| uses.starts_with("actions/upload-artifact@"))
                && step["if"] == "always()"
        })
    };
    assert!(uploaded("shard") && uploaded("upfault"), "artifacts are kept when a job fails");
    let run = named("shard", "Run a shard");
    assert_eq!(run["env"]["SHARD"], "${{ matrix.shard }}");
    assert_eq!(run["env"]["SHARDS"], "${{ strategy.job-total }}");

    let stage = stage();
    let worker = |k: &u64| {
        vec![("SHARD", k.to_string()), ("SHARDS", shards.len().to_string()), ("CI", "true".to_owned())]
    };
    work(&stage, run["run"].as_str().unwrap(), shards.iter().map(worker).collect());
    let joined = join(&stage, named("upfault", "Join the shards")["run"].as_str().unwrap(), Vec::new());
    assert!(joined.out.starts_with("::error file=scenarios/t/b.yaml"), "{}", joined.out);
    work(
        &stage,
        named("upfault", "Write the job summary")["run"].as_str().unwrap(),
        vec![vec![("GITHUB_STEP_SUMMARY", "summary.md".to_owned())]],
    );
    assert!(stage.read("summary.md").contains("8 cases: 6 pass, 2 fail"), "{}", stage.read("summary.md"));
    assert!(stage.read("upfault.xml").contains("<testsuites"));
    is_complete(&stage, "upfault.json");
}

#[test]
fn the_pipeline_for_gitlab_runs_and_joins_its_shards() {
    let pipeline = document("ci/gitlab-ci.yaml");
    assert_eq!(strings(&pipeline["stages"]), ["test", "report"]);
    let (shard, last) = (&pipeline["upfault-shard"], &pipeline["upfault"]);
    assert_eq!(strings(&last["needs"]), ["upfault-shard"]);
    assert_eq!(last["when"], "always", "a missing shard must be reported");
    for job in [shard, last] {
        assert_eq!(job["extends"], ".upfault");
        assert_eq!(job["artifacts"]["when"], "always");
        assert!(strings(&pipeline["stages"]).contains(&job["stage"].as_str().unwrap()));
    }
    assert_eq!(last["artifacts"]["reports"]["junit"], "upfault.xml");
    // GitLab can cache only folders of the project.
    for path in strings(&pipeline[".upfault"]["cache"]["paths"]) {
        assert!(path.starts_with(".upfault-cache/"), "{path}");
    }
    let n = shard["parallel"].as_u64().unwrap();
    let stage = stage();
    let worker = |k| {
        vec![("CI_NODE_INDEX", format!("{k}")), ("CI_NODE_TOTAL", n.to_string()), ("CI", "true".to_owned())]
    };
    work(&stage, &strings(&shard["script"]).join("\n"), (1..=n).map(worker).collect());
    join(&stage, &strings(&last["script"]).join("\n"), Vec::new()).out_has(&["8 cases: 6 pass, 2 fail"]);
    assert!(stage.read("upfault.xml").contains("<testsuites"));
    is_complete(&stage, "upfault.json");
}

/// The pod's template of a Job, after checks that each Job must pass.
fn pod(job: &Value) -> Value {
    assert_eq!((&job["apiVersion"], &job["kind"]), (&"batch/v1".into(), &"Job".into()));
    let name = job["metadata"]["name"].as_str().unwrap();
    assert!(name.len() < 58 && name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
    let pod = job["spec"]["template"]["spec"].clone();
    assert_eq!(pod["restartPolicy"], "Never", "a failed shard must not be started again in the same pod");
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let volumes = pod["volumes"].as_array().unwrap();
    for mount in mounts {
        assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{mount}");
    }
    assert_eq!(strings(&pod["containers"][0]["command"]), ["sh", "-ec"]);
    pod
}

fn variable(pod: &Value, name: &str) -> String {
    let list = pod["containers"][0]["env"].as_array().unwrap();
    let found = list.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} is not set"));
    found["value"].as_str().expect("the value of a variable is a text").to_owned()
}

#[test]
fn the_jobs_for_kubernetes_run_and_join_their_shards() {
    let [claim, job] = &documents("kubernetes/shards.yaml")[..] else { panic!("a volume and a Job") };
    assert_eq!(claim["kind"], "PersistentVolumeClaim");
    assert_eq!(strings(&claim["spec"]["accessModes"]), ["ReadWriteMany"], "pods run on several nodes");
    let shards = pod(job);
    let n = job["spec"]["completions"].as_u64().unwrap();
    assert_eq!(job["spec"]["completionMode"], "Indexed");
    assert_eq!(job["spec"]["parallelism"], n);
    assert_eq!(variable(&shards, "SHARDS"), n.to_string());
    let merge = document("kubernetes/merge.yaml");
    assert_eq!(merge["spec"]["backoffLimit"], 0, "findings are not a reason to try again");
    let last = pod(&merge);
    for pod in [&shards, &last] {
        assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], claim["metadata"]["name"]);
        assert_eq!(pod["containers"][0]["volumeMounts"][0]["mountPath"], variable(pod, "REPORTS"));
    }

    let stage = stage();
    // A report of an earlier run that must not be joined, and one with which the rest would be refused.
    stage.write("reports/shard-2.json", "{}");
    let reports = || ("REPORTS", stage.path("reports").display().to_string());
    let worker = |index| {
        vec![
            ("JOB_COMPLETION_INDEX", format!("{index}")),
            ("SHARDS", n.to_string()),
            ("CI", variable(&shards, "CI")),
            reports(),
        ]
    };
    work(&stage, strings(&shards["containers"][0]["args"])[0], (0..n).map(worker).collect());
    join(&stage, strings(&last["containers"][0]["args"])[0], vec![reports()])
        .out_has(&["8 cases: 6 pass, 2 fail"]);
    assert!(stage.read("reports/upfault.xml").contains("<testsuites"));
    is_complete(&stage, "reports/upfault.json");
}

#[test]
fn a_shard_that_cannot_run_fails_its_job_and_is_missed_by_the_last_one() {
    let pipeline = document("ci/gitlab-ci.yaml");
    let line = strings(&pipeline["upfault-shard"]["script"]).join("\n");
    let stage = stage();
    let variables = |k: u32| vec![("CI_NODE_INDEX", k.to_string()), ("CI_NODE_TOTAL", "2".to_owned())];
    work(&stage, &line, vec![variables(1)]);
    let mut broken = stage.shell(&format!("set -e\n{line}"));
    broken.envs(variables(2)).env("UPFAULT_PROXY", "litelm");
    let code = stage.ended(broken).code;
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    let mut shell = stage.shell(&format!("set -e\n{}", strings(&pipeline["upfault"]["script"]).join("\n")));
    shell.env("CI", "true");
    stage.ended(shell).code(2).err_has(&["shard 2/2 is missing"]);
}

#[test]
fn the_script_for_kubernetes_is_valid_and_names_the_files_and_jobs() {
    let script = text("kubernetes/run.sh");
    for name in ["shards.yaml", "merge.yaml"] {
        let job = documents(&format!("kubernetes/{name}")).pop().unwrap();
        assert!(
            script.contains(name) && script.contains(job["metadata"]["name"].as_str().unwrap()),
            "{name}"
        );
    }
    // A kubectl that plays a cluster in which both Jobs are done and the run has findings.
    let stage = Stage::new();
    stage.write(
        "bin/kubectl",
        "#!/bin/sh\necho \"$*\" >> \"$CALLS\"\ncase \"$*\" in\n*conditions*) echo SuccessCriteriaMet Complete;;\n*exitCode*) echo 1;;\nlogs*) echo the report;;\nesac\n",
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes");
    let line = format!("chmod +x bin/kubectl && PATH=\"$PWD/bin:$PATH\" sh '{}/run.sh'", folder.display());
    let mut shell = stage.shell(&line);
    shell.env("CALLS", stage.path("calls"));
    stage.ended(shell).code(1).out_has(&["the report"]);
    let calls = stage.read("calls");
    let order = [
        "delete job",
        "shards.yaml",
        "get job upfault-shards",
        "merge.yaml",
        "get job upfault-merge",
        "logs",
        "exitCode",
    ];
    let places: Vec<Option<usize>> = order.iter().map(|part| calls.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{calls}");
}
