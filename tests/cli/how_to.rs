//! The how-to pages of the manual: a reader who follows one runs its commands in this order. No test installs a gateway, so
//! the embedded proxy and its defects take the places of the versions that a page names.

use std::{collections::VecDeque, fs, path::Path};

use super::stage::{LIMIT, PLAIN, Stage};

/// What a page says, and what is run in its place. The first that matches applies.
const SUBSTITUTES: [(&str, &str); 6] = [
    // Ends streams that the provider cut as if they were complete, as LiteLLM 1.90.7 does.
    ("litellm@1.90.7", "builtin:cut-stream-finished"),
    ("litellm@1.102.4", "builtin"),
    ("litellm@1.108.7", "builtin:retry-after-dropped"),
    ("litellm ", "builtin "),
    ("./my-gateway", "./honest"),
    ("./proxies/ours", "builtin:retry-after-dropped"),
];

/// A page, with the commands that the test has not reached yet.
struct FollowedPage {
    name: &'static str,
    commands: VecDeque<String>,
    stage: Stage,
}

/// The command lines of upfault in the fenced blocks of a page, without prompts and explanations.
fn commands_of(text: &str) -> VecDeque<String> {
    let (mut commands, mut fenced) = (VecDeque::new(), false);
    for line in text.lines() {
        let command = line.trim_start().trim_start_matches("$ ");
        if command.starts_with("```") {
            fenced = !fenced;
        } else if fenced && command.starts_with("upfault ") {
            // What follows after several spaces explains the command.
            commands.push_back(command.split("  ").next().unwrap().to_owned());
        }
    }
    commands
}

impl FollowedPage {
    fn new(name: &'static str, stage: Stage) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        let text = fs::read_to_string(path).unwrap();
        Self { name, commands: commands_of(&text), stage }
    }

    /// Runs the next command of the page, which must be this one. Returns what it prints.
    #[track_caller]
    fn runs(&mut self, command: &str, code: i32) -> String {
        self.is_next(command);
        let mut line = format!("{command} ");
        for (named, instead) in SUBSTITUTES {
            line = line.replace(named, instead);
        }
        let printed = self.stage.ended(self.stage.shell(&line));
        assert_eq!(printed.code, Some(code), "{}: {line}\n{}\n{}", self.name, printed.out, printed.err);
        printed.out + &printed.err
    }

    /// Says why the next command of the page, which must be this one, cannot be run here.
    #[track_caller]
    fn skips(&mut self, command: &str, reason: &str) {
        self.is_next(command);
        assert!(!reason.is_empty());
    }

    #[track_caller]
    fn is_next(&mut self, command: &str) {
        let next = self.commands.pop_front();
        assert_eq!(next.as_deref(), Some(command), "docs/{}: the test does not follow the page", self.name);
    }

    #[track_caller]
    fn ends(self) {
        assert!(self.commands.is_empty(), "docs/{}: not followed: {:?}", self.name, self.commands);
    }
}

/// A project with a few scenarios, which are its whole suite.
fn project() -> Stage {
    let cut = "\
title: A cut stream does not look finished
why: No client retries what looks complete.
matrix: {stream: [true]}
upstream: [{reply: {chunks: 20}, faults: [{reset: {at: after_content}}]}]
proxy: {timeout: 5s}
";
    let closed = cut.replace("reset", "close");
    let stage = Stage::new()
        .scenario("limits/rate-limit", LIMIT)
        .scenario("healthy/plain", PLAIN)
        .scenario("stream/cut", cut)
        .scenario("stream/closed", &closed);
    stage.write("upfault.toml", "scenarios = [\"scenarios\"]\n");
    stage
}

#[test]
fn the_page_on_incidents() {
    let stage = Stage::new();
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/incidents.md")).unwrap();
    let scenario = page.split("```yaml\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    stage.write("scenarios/incidents/closed-in-mid-answer.yaml", scenario);
    let mut page = FollowedPage::new("incidents.md", stage);
    assert!(page.runs("upfault check scenarios/incidents", 0).contains("1 scenario, 1 case: valid"));
    assert!(page.runs("upfault explain incidents/closed-in-mid-answer", 0).contains("close"));
    page.runs("upfault run incidents", 0);
    let failed = page.runs("upfault run incidents --proxy litellm@1.90.7", 1);
    assert!(failed.contains("stream.no-forged-success"), "{failed}");
    page.runs("upfault run incidents --proxy litellm@1.102.4", 0);
    page.runs("upfault run incidents --proxy litellm@1.102.4 --accept --force", 0);
    page.runs(
        "upfault repro 'incidents/closed-in-mid-answer[anthropic/messages,stream]' --proxy litellm@1.90.7 --out bug.md",
        1,
    );
    assert!(page.stage.read("bug.md").contains("stream.no-forged-success"));
    page.ends();
}

#[test]
fn the_page_on_ci() {
    let stage = project();
    let mut page = FollowedPage::new("ci.md", stage);
    page.runs("upfault run --proxy litellm --report json=upfault.json", 0);
    fs::remove_file(page.stage.path("upfault.toml")).unwrap();
    page.runs("upfault init --proxy litellm@1.102.4", 0);
    let settings = page.stage.read("upfault.toml");
    page.stage.write("upfault.toml", &format!("scenarios = [\"scenarios\"]\n{settings}"));
    page.runs("upfault run", 0);
    page.runs("upfault run --shard 1/4 --report json=shard-1.json", 0);
    for shard in 2..=4 {
        let (part, report) = (format!("{shard}/4"), format!("json=shard-{shard}.json"));
        page.stage.upfault(&["run", "--shard", &part, "--report", &report]).code(0);
    }
    page.runs("upfault merge shard-*.json --report junit=upfault.xml", 0);
    assert!(page.stage.read("upfault.xml").contains("<testsuite"));
    page.ends();
}

#[test]
fn the_page_on_upgrades() {
    let stage = project();
    let mut page = FollowedPage::new("upgrades.md", stage);
    let compared = page.runs("upfault compare litellm@1.90.7 litellm@1.102.4", 0);
    assert!(compared.contains("BETTER"), "{compared}");
    for (proxy, report) in [("builtin:retry-after-dropped", "old.json"), ("builtin", "new.json")] {
        let report = format!("json-full={report}");
        page.stage.upfault(&["run", "--proxy", proxy, "--report", &report]);
    }
    page.runs("upfault compare old.json new.json --filter 'case:limits/rate-limit[stream]'", 0);
    let ladder = page.runs("upfault compare litellm@1.90.7 litellm@1.102.4 litellm@1.108.7", 1);
    assert!(ladder.contains("headers.retry-after"), "{ladder}");
    let modes = "the embedded proxy has no modes";
    page.skips("upfault compare litellm@1.108.7 litellm@1.108.7,LITELLM_RUST=1", modes);
    page.skips("upfault compare litellm@1.108.7 litellm@1.108.7,overlay.yaml", modes);
    page.runs("upfault compare old.json new.json --policy strict", 0);
    page.runs("upfault explain new.json --policy litellm-docs", 0);
    page.ends();
}

#[test]
fn the_page_on_baselines() {
    let stage = project();
    fs::remove_file(stage.path("upfault.toml")).unwrap();
    let mut page = FollowedPage::new("baselines.md", stage);
    page.runs("upfault init --proxy litellm", 0);
    let settings = page.stage.read("upfault.toml");
    page.stage.write("upfault.toml", &format!("scenarios = [\"scenarios\"]\n{settings}"));
    page.runs("upfault run --accept --force", 0);
    // Something has to be pending.
    let failing = LIMIT.replace("\"7\"", "\"8\"");
    page.stage.write("scenarios/limits/rate-limit.yaml", &failing);
    page.stage.upfault(&["run"]).code(1);
    page.runs("upfault review limits stream/cut", 1);
    // The embedded proxy broke no rule: what is pending is another value of the header.
    let found = page.runs("upfault review --rule headers.retry-after", 2);
    assert!(found.contains("none of the 2 pending cases matches"), "{found}");
    page.runs("upfault review limits --accept", 0);
    page.stage.upfault(&["run"]).code(0);
    page.ends();
}

#[test]
fn the_page_on_policies() {
    let stage = project();
    let policy = "[policy]\nextends = \"strict\"\n";
    stage.write("upfault.toml", &format!("{}{policy}", stage.read("upfault.toml")));
    stage.write("ours.yaml", "name: ours\nextends: rfc9110\n");
    let mut page = FollowedPage::new("policies.md", stage);
    page.runs("upfault run --proxy litellm --report json-full=report.json", 0);
    page.runs("upfault explain report.json", 0);
    page.runs("upfault explain report.json --policy rfc9110", 0);
    page.runs("upfault explain report.json --policy ours.yaml", 0);
    page.runs("upfault explain report.json --policy upfault.toml", 0);
    page.runs("upfault explain report.json --policy strict --report json=strict.json", 0);
    page.ends();
}

#[test]
fn the_page_on_your_own_gateway() {
    let stage = project().fake("honest");
    stage.write(
        "config.yaml",
        "model_list: [{model_name: m, litellm_params: {model: openai/gpt-4o, api_key: k}}]\n",
    );
    let mut page = FollowedPage::new("own-gateway.md", stage);
    page.runs("upfault proxy list", 0);
    page.skips("upfault proxy doctor litellm", "its result depends on the programs of this machine");
    page.runs("upfault run --proxy litellm --quick", 0);
    page.runs("upfault run --proxy litellm", 0);
    page.runs("upfault adopt config.yaml --dry-run", 0);
    page.skips("upfault adopt config.yaml", "it starts LiteLLM");
    page.skips(
        "upfault proxy render litellm --to attach",
        "the test of the page on attaching follows it with a fake proxy",
    );
    page.skips("upfault run --proxy http://127.0.0.1:4000 --rendered attach", "the same");
    page.runs("upfault proxy show nginx", 0);
    page.runs("upfault check ./my-gateway", 0);
    page.runs("upfault proxy doctor ./my-gateway", 0);
    // The suite of this project has no bundled scenario.
    page.is_next("upfault run --proxy ./my-gateway --filter smoke/success");
    page.stage.upfault(&["run", "--proxy", "./honest", "--filter", "limits/rate-limit"]).code(0);
    page.runs("upfault run --proxy ./my-gateway --quick", 0);
    page.runs("upfault run --proxy ./my-gateway", 0);
    page.ends();
}

#[test]
fn the_page_on_several_gateways() {
    let mut page = FollowedPage::new("matrix.md", project());
    page.commands.iter_mut().for_each(|line| *line = line.replace(" nginx ", " "));
    page.runs(
        "upfault matrix litellm ./proxies/ours --report html=gateways.html --report markdown=gateways.md",
        0,
    );
    assert!(page.stage.read("gateways.md").contains("headers.retry-after"));
    page.ends();
}

#[test]
fn the_page_on_proxy_definitions() {
    let mut page = FollowedPage::new("proxies.md", project().fake("honest"));
    page.runs("upfault check ./my-gateway", 0);
    page.runs("upfault proxy doctor ./my-gateway", 0);
    page.runs("upfault run --proxy ./my-gateway --filter 'limits/*'", 0);
    page.ends();
}

#[test]
fn the_page_on_the_selftest() {
    let mut page = FollowedPage::new("selftest.md", Stage::new());
    page.skips("upfault selftest", "tests/selftest.rs runs all exhibits");
    page.runs("upfault selftest --filter reset", 0);
    page.skips("upfault selftest --verbose", "tests/selftest.rs runs all exhibits");
    page.skips("upfault selftest --report json=PATH", "tests/selftest.rs runs all exhibits");
    page.ends();
}

/// The other pages with commands, and what runs their commands.
const ELSEWHERE: [(&str, &str); 10] = [
    ("adopt.md", "tests/cli/adopting.rs, with a fake LiteLLM"),
    ("attach.md", "tests/cli/attaching.rs, with a fake proxy"),
    ("extending.md", "tests/cli/extending.rs, from start to end"),
    ("gateway-findings.md", "its commands need these gateways"),
    ("gateways.md", "it is generated; its command needs all gateways"),
    ("litellm.md", "its commands need LiteLLM"),
    ("record.md", "tests/cli/recording.rs, with a mock in place of the provider"),
    ("releases.md", "tests/cli/releases.rs, with a fake package index"),
    ("serve.md", "tests/cli/serve.rs, because the server runs until it is stopped"),
    ("tutorial.md", "tests/cli/manual.rs"),
];

#[test]
fn every_page_with_commands_is_followed_by_a_test() {
    let here = include_str!("how_to.rs");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut missing = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_followed = here.contains(&format!("FollowedPage::new(\"{name}\""));
        let is_elsewhere = ELSEWHERE.iter().any(|(page, _)| *page == name);
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(&name)).unwrap();
        let has_commands = !commands_of(&text).is_empty();
        if has_commands && !is_followed && !is_elsewhere {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "follow these pages in tests/cli/how_to.rs: {missing:?}");
}
