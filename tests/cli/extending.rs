//! What a project adds without code. docs/extending.md is followed line by line.

use std::{collections::BTreeMap, path::Path};

use super::{listening::Listening, stage::Stage};

/// The files and the command lines of the page, in order. The paragraph before a file ends with its name.
fn page() -> Vec<PageStep> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/extending.md")).unwrap();
    let mut steps = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("\n```") {
        let (kind, after) = after.split_once('\n').expect("a block has lines");
        let (block, after) = after.split_once("```").expect("a block has an end");
        if kind == "text" {
            steps.extend(block.lines().map(|line| PageStep::Line(line.to_owned())));
        } else {
            let paragraph = before.trim_end().rsplit("\n\n").next().unwrap();
            let words = paragraph.split('`').skip(1).step_by(2);
            let name = words.filter(|word| word.contains('/')).last();
            steps.push(PageStep::File(name.expect("the block has a file name").to_owned(), block.to_owned()));
        }
        rest = after;
    }
    steps
}

enum PageStep {
    File(String, String),
    Line(String),
}

#[test]
fn the_page_about_extending_works_from_start_to_end() {
    let stage = Stage::new();
    let mut files = Vec::new();
    let mut shown = BTreeMap::new();
    for step in page() {
        match step {
            PageStep::File(name, text) => {
                stage.write(&name, &text);
                files.push(name);
            }
            PageStep::Line(line) => {
                let printed = stage.ended(stage.shell(&line));
                assert_eq!(printed.code, Some(0), "{line}\n{}\n{}", printed.out, printed.err);
                shown.insert(line, printed.out);
            }
        }
    }
    let expected = [
        ".upfault/providers/openai.yaml",
        ".upfault/providers/acme.yaml",
        "scenarios/acme/closed.yaml",
        ".upfault/policies/ours.yaml",
        ".upfault/proxies/relay/proxy.yaml",
        ".upfault/proxies/relay/config.json.j2",
        ".upfault/proxies/relay/relay.py",
    ];
    assert_eq!(files, expected);
    for (line, part) in [
        ("upfault explain openai/billing_on_hold", r#""code":"billing_on_hold""#),
        ("upfault explain openai/billing_on_hold", "  reported: an incident on 12 March\n"),
        ("upfault run incidents", " pass\n"),
        ("upfault list --providers", "\nacme "),
        ("upfault explain acme", "  overloaded                         529 "),
        ("upfault explain acme/maintenance", "\n  x-acme-request: {{canary.request_id}}\n"),
        ("upfault list acme", "acme/closed[acme,stream]"),
        ("upfault run acme", "2 cases: 2 pass\n"),
        (
            "upfault run timeouts/headers-then-nothing --policy ours",
            "policy rfc9110, with timeout = 504 or 408",
        ),
        ("upfault proxy list", "Our gateway: serves 1 API of 1 provider (in .upfault/proxies/relay)\n"),
        ("upfault run limits/rate-limit --proxy relay", "Testing relay: 2 cases"),
        ("upfault run limits/rate-limit --proxy relay", "2 cases: 2 pass\n"),
        // The last of the four.
        ("upfault check", ".upfault/providers/acme.yaml: valid\n.upfault/providers/openai.yaml: valid\n"),
        ("upfault check", ".upfault/policies/ours.yaml: valid, policy rfc9110, with timeout = 504 or 408\n"),
        ("upfault check", "\n.upfault/proxies/relay/proxy.yaml: valid\n"),
    ] {
        let printed = shown.get(line).unwrap_or_else(|| panic!("the page does not run {line}"));
        assert!(printed.contains(part), "no `{part}` in what {line} prints:\n{printed}");
    }
    stage.upfault(&["list", "--errors"]).code(0).out_has(&["An error of this project, like `quota` (429)"]);
    let rows = stage.upfault(&["list", "--catalogue=all"]).code(0).out;
    let own: Vec<&str> =
        rows.lines().filter(|row| row.starts_with("acme ") || row.contains("hold")).collect();
    assert_eq!(
        own,
        [
            "openai  billing_on_hold  429  reported  -  an incident on 12 March",
            "acme  overloaded  529  recalled",
            "acme  maintenance  503  recalled",
        ]
    );
    let schema = stage.upfault(&["schema"]).code(0).out;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    for (kind, name) in [("Provider", "acme"), ("ErrorName", "maintenance"), ("ErrorName", "billing_on_hold")]
    {
        let words = schema["$defs"][kind]["oneOf"].as_array().unwrap();
        assert!(words.iter().any(|word| word["const"] == name), "{name}");
    }
    // From a folder of the project too.
    let mut below = stage.command(&["list", "--filter", "provider:acme"]);
    below.current_dir(stage.path("scenarios/acme"));
    stage.ended(below).code(0).out_has(&["acme/closed[acme]"]);
}

#[test]
fn settings_can_be_in_the_folder_of_the_project() {
    let stage = Stage::small();
    stage.write(".upfault/policies/ours.yaml", "extends: strict\n");
    stage.write("shared/acme.yaml", "like: groq\n");
    stage.write(".upfault/upfault.toml", "policy = \"ours\"\nproviders = [\"shared/acme.yaml\"]\n");
    stage
        .upfault(&["check"])
        .code(0)
        .out_has(&[".upfault/upfault.toml: valid, policy strict\n", "\nshared/acme.yaml: valid\n"]);
    stage.upfault(&["run", "t"]).code(0).out_has(&["policy strict"]);
    stage.upfault(&["explain", "acme"]).code(0).out_has(&["acme: acme\n  like       groq"]);
    // `init` replaces the file where it is.
    stage.upfault(&["init"]).code(2).err_has(&["already contains .upfault/upfault.toml"]);
    stage.upfault(&["init", "--force"]).code(0).out_has(&["wrote .upfault/upfault.toml: "]);
    stage.write("upfault.toml", "");
    stage.upfault(&["run", "t"]).code(2).err_has(&["there are two settings files", "help: keep one of them"]);
    stage.upfault(&["run", "t", "--config", "upfault.toml"]).code(0).out_has(&["policy default"]);
}

#[test]
fn evidence_is_recognized_as_that_of_a_provider_of_the_project() {
    let stage = Stage::new();
    stage.write(
        ".upfault/providers/acme.yaml",
        "like: openai\nheaders: {x-acme-request: \"{{canary.request_id}}\"}\nhosts: [api.acme.example]\n",
    );
    for (head, provider) in [("x-acme-request: r1", "acme"), ("openai-processing-ms: 12", "openai")] {
        let text =
            format!("HTTP/1.1 503 Service Unavailable\ncontent-type: application/json\n{head}\n\n{{}}\n");
        stage.write("seen.txt", &text);
        let written = stage.upfault(&["new", "--from-curl", "seen.txt", "--print"]).code(0).out;
        let is_named = written.contains("provider: [acme]");
        assert_eq!(is_named, provider == "acme", "{head}\n{written}");
    }
    stage.upfault(&["new", "--fault", "hang", "--provider", "acme", "--print"]).code(0).out_has(&["[acme]"]);
    stage
        .upfault(&["new", "--fault", "hang", "--provider", "akme", "--print"])
        .code(2)
        .err_has(&["no provider is called `akme`", "did you mean `acme`?"]);
}

/// The status and the body that a mock sends.
fn answer(serving: &Listening, path: &str) -> (String, String) {
    let answer = serving.post(&format!("{path}/chat/completions"), r#"{"model": "m", "messages": []}"#);
    let text = answer.undated();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[test]
fn mocks_speak_for_the_providers_of_a_project_and_follow_their_files() {
    let stage = Stage::new();
    stage.write(
        ".upfault/providers/acme.yaml",
        "like: openai\nheaders: {x-acme-request: \"{{canary.request_id}}\"}\nerrors:\n  maintenance: {like: unavailable, \
         code: maintenance, message: Acme is being maintained.}\n",
    );
    let mut serving = Listening::start(&stage, &["serve", "--watch"]);
    let (head, body) = answer(&serving, "/acme/maintenance/v1");
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("\r\nx-acme-request: "), "{head}");
    assert!(body.contains("Acme is being maintained.") && body.contains(r#""code":"maintenance""#), "{body}");
    // Another provider sends what the error is like.
    assert!(answer(&serving, "/anthropic/maintenance").0.starts_with("HTTP/1.1"));
    let (head, body) = answer(&serving, "/openai/maintenance/v1");
    assert!(head.starts_with("HTTP/1.1 503") && !body.contains("Acme"), "{body}");
    assert!(answer(&serving, "/acme/ok/v1").0.starts_with("HTTP/1.1 200"));

    let armed = serving.arm(r#"{"provider": "acme", "upstream": [{"error": "maintenance"}]}"#);
    for _ in 0..4 {
        assert!(answer(&serving, &armed).0.starts_with("HTTP/1.1 503"));
    }

    stage.write("shared/acme2.yaml", "like: acme\n");
    stage.write("upfault.toml", "providers = [\"shared/acme2.yaml\"]\n");
    stage
        .upfault(&["list"])
        .code(2)
        .err_has(&["`acme` is not a provider that upfault knows", "shared/acme2.yaml:1:7"]);
    std::fs::remove_file(stage.path("upfault.toml")).unwrap();

    stage.write(
        ".upfault/providers/acme.yaml",
        "like: openai\nerrors:\n  maintenance: {like: unavailable, status: 599, message: Closed.}\n",
    );
    loop {
        serving.line_with("reloaded: ");
        let (head, body) = answer(&serving, "/acme/maintenance/v1");
        if head.starts_with("HTTP/1.1 599") {
            assert!(body.contains("Closed."), "{body}");
            assert!(answer(&serving, &armed).0.starts_with("HTTP/1.1 599"), "{:?}", serving.seen);
            break;
        }
    }
}

#[test]
fn a_run_repeats_every_case_when_a_word_changes_its_meaning() {
    let stage = Stage::small().scenario("t/own", "title: t\nwhy: w\nupstream: [{error: on_hold}]\n");
    let file = ".upfault/providers/openai.yaml";
    stage.write(file, "errors: {on_hold: {like: quota}}\n");
    // Lines of the two outputs can be read in another order, so the test waits for one of each.
    let mut running = Listening::silent(stage.command(&["run", "--watch", "t/own"]));
    running.line_with("1 case: 1 pass");
    stage.write(file, "errors: {on_hold: {like: quota, status: many}}\n");
    running.line_with("found the text \"many\"");
    stage.write(file, "errors: {on_hold: {like: quota, status: 402}}\n");
    running.line_with("files changed: running every case again");
}

#[test]
fn a_project_lists_its_own_proxies_and_runs_them_by_name() {
    let stage = Stage::small();
    stage.fake_in(".upfault/proxies", "honest");
    stage.upfault(&["proxy", "list"]).code(0).out_has(&["(in .upfault/proxies/honest)"]);
    stage.upfault(&["check"]).code(0).out_has(&[".upfault/proxies/honest/proxy.yaml: valid"]);
    stage.upfault(&["run", "t/plain", "--proxy", "honest"]).code(0).out_has(&["2 cases: 2 pass"]);
    stage.fake_in("shared", "exit");
    stage.write("upfault.toml", "proxy = \"shared/exit\"\n");
    stage.write("proxies/nginx/proxy.yaml", "extends: nginx\nname: nginx\nsummary: Our nginx\n");
    stage.upfault(&["proxy", "list"]).code(0).out_has(&["(in shared/exit)", "(in .upfault/proxies/honest)"]);
}

#[test]
fn what_is_wrong_with_a_file_about_a_provider_is_shown_with_its_place() {
    for (name, text, parts) in [
        ("acme", "errors: {}\n", &["`acme` is a new provider", "write `like: openai`"][..]),
        ("opnai", "errors: {}\n", &["did you mean openai?"]),
        ("acme", "like: opena\n", &["acme.yaml:1:7", "did you mean `openai`?"]),
        ("acme", "like: [openai]\n", &["acme.yaml:1:7", "`like` is the name of a provider"]),
        ("openai", "like: openai\n", &["openai.yaml:1:7", "upfault knows openai, so it is like itself"]),
        ("ac-me", "like: openai\n", &["`ac-me` cannot be the name of a provider"]),
        ("acme", "- a\n", &["contains keys with values"]),
        ("acme", "", &["contains keys with values"]),
        ("acme", "like: openai\nlike: groq\n", &["the key `like` is specified twice", "acme.yaml:2:1"]),
        (
            "openai",
            "errors: {on_hold: {status: 429}}\n",
            &["`on_hold` is a new error", "openai.yaml:1:10", "`like: rate_limit`"],
        ),
        (
            "openai",
            "errors: {on_hold: {like: quotas}}\n",
            &["`quotas` is not an error", "openai.yaml:1:26", "did you mean `quota`?"],
        ),
        (
            "openai",
            "errors: {On Hold: {like: quota}}\n",
            &["`On Hold` cannot be the name", "`billing_on_hold`"],
        ),
        ("openai", "errors: {quota: {like: rate_limit}}\n", &["openai.yaml:1:24", "so it is like itself"]),
        (
            "openai",
            "errors:\n  quota:\n    mesage: No.\n    status: many\n",
            // All errors of a file at once.
            &["openai.yaml:3:5", "did you mean `message`?", "openai.yaml:4:13"],
        ),
        ("openai", "errors: {hang: {like: quota}}\n", &["openai.yaml:1:10", "`hang` already has a meaning"]),
        (
            "openai",
            "errors: {quota: {status: 100}}\n",
            &["openai.yaml:1:26", "100 is not the status of a response"],
        ),
        (
            "openai",
            "errors: {quota: {headers: {a b: x}}}\n",
            &["openai.yaml:1:27", "`a b` is not a valid header name"],
        ),
        (
            "openai",
            "headers: {x-a: \"a\\r\\nx-b: 1\"}\n",
            &["openai.yaml:1:10", "the value of `x-a` cannot be sent in a header"],
        ),
        (
            "openai",
            "hosts: [\"https://api.example.com/v1\"]\n",
            &["openai.yaml:1:8", "`https://api.example.com/v1` is not a host name"],
        ),
        ("openai", "status: 429\n", &["openai.yaml:1:1", "unknown key `status`", "possible values: "]),
        ("openai", "errors: {quota: 429}\n", &["openai.yaml:1:17", "expected keys with values"]),
        ("openai", "errors: [quota]\n", &["openai.yaml:1:9", "expected keys with values"]),
        ("openai", "tile: x\n", &["openai.yaml:1:1", "did you mean `title`?"]),
        (
            "openai",
            "routes:\n  - {api: openai/chat}\n",
            &["openai.yaml:2:", "exactly one of `get`, `post` and `delete`"],
        ),
    ] {
        let stage = Stage::small();
        stage.write(&format!(".upfault/providers/{name}.yaml"), text);
        let printed = stage.upfault(&["check"]).code(2);
        for part in parts {
            assert!(printed.err.contains(part), "no `{part}` for {text:?} in\n{}", printed.err);
        }
    }
    let stage = Stage::small();
    stage.write("upfault.toml", "providers = [\"missing.yaml\"]\n");
    stage.upfault(&["list"]).code(2).err_has(&[
        "cannot find the file missing.yaml",
        "upfault.toml:1:14",
        "help: a file about a provider",
    ]);
    stage.write("acme.yaml", "like: openai\n");
    stage.write(".upfault/providers/acme.yaml", "like: openai\n");
    stage.write("upfault.toml", "providers = [\"acme.yaml\"]\n");
    stage.upfault(&["list"]).code(2).err_has(&["there is another file about the provider acme"]);
}

#[test]
fn check_checks_every_file_of_the_project() {
    let stage = Stage::small();
    stage.write(".upfault/providers/acme.yaml", "like: openai\n");
    stage.write(".upfault/providers/README.md", "Ours.\n");
    stage.write(".upfault/providers/old.yaml.bak", "");
    stage.write(".upfault/policy/ours.yaml", "extends: strict\n");
    let file = ".upfault/providers/acme.yaml";
    stage.upfault(&["check", file]).code(0).out_has(&["acme.yaml: valid\n"]);
    stage.upfault(&["check"]).code(0).out_has(&[
        ".upfault/policy: warning: upfault does not read this",
        ".upfault/providers/old.yaml.bak: warning: upfault does not read this",
    ]);
    stage.write(".upfault/policies/a.yaml", "extends: stric\n");
    stage.write(".upfault/policies/b.yaml", "timeot: 504\n");
    stage.upfault(&["check"]).code(2).err_has(&[
        ".upfault/policies/a.yaml:1:10",
        ".upfault/policies/b.yaml:1:1",
        "did you mean `timeout`?",
    ]);
    stage.upfault(&["check", ".upfault/policies/a.yaml"]).code(2).err_has(&["a.yaml:1:10"]);
    std::fs::remove_dir_all(stage.path(".upfault/policies")).unwrap();
    stage.write(".upfault/policies/strict.yaml", "");
    stage.upfault(&["check"]).code(2).err_has(&["has the name of a bundled policy", "`extends: strict`"]);
    stage.upfault(&["run", "t", "--policy", "stric"]).code(2).err_has(&["did you mean `strict`?"]);
}

#[test]
fn failed_cases_with_words_of_the_project_run_again() {
    let stage = Stage::new();
    stage.write(".upfault/providers/acme.yaml", "like: openai\n");
    stage.write(
        "scenarios/acme/limit.yaml",
        "title: t\nwhy: w\nmatrix: {provider: [acme]}\nupstream: [{error: rate_limit}]\nexpect: {status: 418}\n",
    );
    stage.upfault(&["run", "acme", "--report", "json=report.json"]).code(1);
    stage.upfault(&["run", "--rerun-failed", "report.json"]).code(1).out_has(&["1 case: 1 fail"]);
}

#[test]
fn a_broken_file_of_the_project_does_not_prevent_help() {
    let stage = Stage::new();
    stage.write(".upfault/providers/acme.yaml", "like: opnai\n");
    stage.upfault(&["list"]).code(2).err_has(&[".upfault/providers/acme.yaml:1:7", "did you mean `openai`?"]);
    for words in [&["help", "extending"][..], &["completions", "bash"], &["man"]] {
        stage.upfault(words).code(0);
    }
    stage.upfault(&["doctor"]).code(3).out_has(&["BAD: its files about providers do not load"]);
}
