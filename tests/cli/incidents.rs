//! `upfault new`: from what people have after an incident to a verdict, in two commands.

use std::{fs, path::Path};

use super::stage::Stage;

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/incidents").join(name);
    fs::read_to_string(path).unwrap()
}

/// A stage with the pieces of evidence.
fn stage() -> Stage {
    let stage = Stage::new();
    for name in ["gemini-503.txt", "openai-stream.har", "openai-429.traceback", "litellm-anthropic.log"] {
        stage.write(name, &fixture(name));
    }
    stage
}

/// The commands that the output of `new` ends with.
fn commands(out: &str) -> Vec<&str> {
    out.lines().filter_map(|line| line.strip_prefix("  upfault ")).collect()
}

#[test]
fn an_incident_becomes_a_verdict_with_two_commands_and_eight_lines() {
    for (incident, args, defect) in [
        (
            "Anthropic answered 529 in the middle of a tool call and our proxy said stop",
            &["--error", "anthropic/529", "--at", "inside-tool-call"][..],
            "error-event-swallowed",
        ),
        (
            "Azure gave 429 with Retry-After 27 and our clients hammered it",
            &["--error", "azure/rate_limit", "--header", "retry-after: 27"],
            "retry-after-dropped",
        ),
        (
            "Bedrock throttled in mid converse-stream and the caller got half an answer without an error",
            &["--error", "bedrock/ThrottlingException", "--at", "after-content"],
            "error-event-swallowed",
        ),
        (
            "the first token came after 40 s and the proxy gave a 500 with an HTML body",
            &["--fault", "stall", "--for", "40s"],
            "error-content-type",
        ),
        ("a curl -i paste of a Gemini 503", &["--from-curl", "gemini-503.txt"], "server-error-as-400"),
        ("a HAR of an OpenAI stream that broke", &["--from-har", "openai-stream.har"], "cut-stream-finished"),
    ] {
        let stage = stage();
        let made = stage.upfault(&[&["new"], args].concat()).code(0);
        let [embedded, own] = commands(&made.out)[..] else { panic!("{incident}: {}", made.out) };
        assert!(own.ends_with(" --proxy litellm"), "{own}");
        let id = embedded.strip_prefix("run ").unwrap();
        let text = stage.read(&format!("scenarios/{id}.yaml"));
        let lines = text.lines().filter(|line| !line.starts_with('#')).count();
        assert!(lines <= 8, "{incident}: {lines} lines\n{text}");
        assert!(text.contains("references: ["), "it names its source: {text}");
        let checked = stage.upfault(&["check"]).code(0);
        assert!(!checked.out.contains("warning"), "{}", checked.out);
        stage.upfault(&["run", id]).code(0).out_has(&[" pass"]);
        let defective = format!("builtin:{defect}");
        let judged = stage.upfault(&["run", id, "--proxy", &defective]);
        assert_eq!(judged.code, Some(1), "{incident}: {}{}", judged.out, judged.err);
    }
}

#[test]
fn evidence_is_read_from_files_and_from_standard_input() {
    let stage = stage();
    for (option, file, expected) in [
        ("--from-openai-exception", "openai-429.traceback", "error: token_limit"),
        ("--from-exception", "openai-429.traceback", "error: token_limit"),
        ("--from-litellm-log", "litellm-anthropic.log", "error: overloaded"),
    ] {
        let printed = stage.upfault(&["new", option, file, "--print"]).code(0).out_has(&[
            expected,
            file,
            "# Assumed: ",
        ]);
        assert!(printed.out.starts_with("# Assumed: "), "only the file is printed: {}", printed.out);
        let mut piped = stage.shell(&format!("upfault new {option} - --print < {file}"));
        piped.stdin(std::process::Stdio::null());
        stage.ended(piped).code(0).out_has(&[expected]);
    }
    assert!(!stage.path("scenarios").exists(), "--print writes no file");
}

#[test]
fn an_existing_file_is_replaced_only_if_the_user_wants_it() {
    let stage = Stage::new();
    let args = ["new", "mine/limit", "--error", "rate_limit"];
    stage
        .upfault(&args)
        .code(0)
        .out_has(&["wrote scenarios/mine/limit.yaml, 2 cases:", "upfault run mine/limit --proxy litellm"]);
    stage.write("scenarios/mine/limit.yaml", "mine");
    stage.upfault(&args).code(2).err_has(&["scenarios/mine/limit.yaml already exists", "help: ", "--force"]);
    assert_eq!(stage.read("scenarios/mine/limit.yaml"), "mine");
    stage.upfault(&[&args[..], &["--force"]].concat()).code(0);
    assert!(stage.read("scenarios/mine/limit.yaml").contains("error: rate_limit"));
}

#[test]
fn a_file_can_be_anywhere_and_the_proxy_of_the_project_is_named() {
    let stage = Stage::new();
    stage.upfault(&["new", "cut.yaml", "--fault", "reset", "--stream"]).code(0).out_has(&[
        "wrote cut.yaml, 1 case:",
        "upfault run cut.yaml\n",
        "upfault run cut.yaml --proxy litellm\n",
    ]);
    stage.upfault(&["run", "cut.yaml"]).code(0);
    stage.write("upfault.toml", "proxy = \"builtin\"\n");
    stage
        .upfault(&["new", "x", "--fault", "refuse"])
        .code(0)
        .out_has(&["upfault run x --proxy builtin\n", "upfault run x\n"]);
}

#[test]
fn a_bundled_scenario_is_copied() {
    let stage = Stage::new();
    let text = stage.upfault(&["list", "limits/rate-limit", "--yaml"]).code(0).out;
    stage.upfault(&["new", "mine/limit", "--copy", "limits/rate-limit"]).code(0);
    assert_eq!(stage.read("scenarios/mine/limit.yaml"), text);
    stage
        .upfault(&["new", "--copy", "limits/rate-limit"])
        .code(0)
        .out_has(&["wrote scenarios/limits/rate-limit.yaml"]);
    stage
        .upfault(&["new", "--copy", "limits"])
        .code(2)
        .err_has(&["`limits` names", "help: name one of them"]);
    stage
        .upfault(&["new", "--copy", "limits/rate-limt"])
        .code(2)
        .err_has(&["did you mean `limits/rate-limit`?"]);
}

#[test]
fn mistakes_are_reported_with_a_next_step_and_nothing_is_written() {
    let stage = stage();
    stage.write("empty.txt", "");
    for (args, words) in [
        (&[][..], &["needs to know what happened", "--from-curl"][..]),
        (
            &["--error", "anthropc/overloaded"],
            &["no provider is called `anthropc`", "did you mean `anthropic`?"],
        ),
        (&["--error", "anthropic/overloded"], &["`overloded`", "did you mean `overloaded`?"]),
        (&["--error", "529"], &["providers send `529`", "`anthropic/overloaded`"]),
        (&["--error", "RESOURCE_EXHAUSTED"], &["send `RESOURCE_EXHAUSTED`", "`gemini/rate_limit`"]),
        (&["--error", "anthropic/529", "--provider", "openai"], &["omit --provider"]),
        (&["--fault", "rest"], &["`rest` is not a fault", "did you mean `reset`?", "upfault list --faults"]),
        (&["--fault", "timeout"], &["`timeout` is not a fault", "did you mean `hang`?"]),
        (&["--fault", "tls"], &["`tls` is not a complete fault", "`tls: expired_certificate`"]),
        (&["--fault", "hang", "--for", "40s"], &["a hang never ends", "--fault stall"]),
        (&["--fault", "stall", "--for", "0s"], &["a time of zero has no effect"]),
        (&["--fault", "reset", "--at", "after-bytes:0"], &["after-bytes:N"]),
        (&["--fault", "delay"], &["--for 40s"]),
        (
            &["--error", "internal", "--at", "mid-stream"],
            &["did you mean `after-content`?", "the points are: before-headers"],
        ),
        (&["--error", "internal", "--header", "x"], &["write NAME:VALUE"]),
        (&["--error", "internal", "--fault", "reset"], &["cannot be used with"]),
        (&["--from-curl", "nothing.txt"], &["cannot read nothing.txt", "help: "]),
        (&["--from-curl", "empty.txt"], &["empty.txt: found no HTTP response", "help: "]),
        (&["--from-har", "empty.txt"], &["this is not a HAR file", "help: "]),
        (
            &["--from-har", "gemini-503.txt"],
            &["is the output of `curl -i`", "help: pass it with --from-curl"],
        ),
        (&["--from-curl", "openai-stream.har"], &["is a HAR file", "help: pass it with --from-har"]),
        (
            &["--from-litellm-log", "openai-429.traceback"],
            &["is a traceback", "with --from-openai-exception"],
        ),
        (
            &["--from-har", "openai-stream.har", "--entry", "9"],
            &["none is number 9", "  2  POST /v1/chat/completions 200"],
        ),
        (&["--from-litellm-log", "empty.txt"], &["found no failure of a provider", "help: "]),
        (&["../x", "--error", "internal"], &["`../x` cannot be the name of a scenario", "help: "]),
        (&["a b", "--error", "internal"], &["`a b` cannot be the name"]),
        // What would be written does not load.
        (
            &["--fault", "truncate", "--at", "before-headers"],
            &["nothing was written; these options do not make a valid scenario", "before_headers", "help: "],
        ),
    ] {
        let printed = stage.upfault(&[&["new"], args].concat()).code(2).err_has(words);
        assert_eq!(printed.out, "", "{args:?}");
        assert!(!printed.err.contains(".yaml:"), "no place in a file that does not exist: {}", printed.err);
        assert!(!stage.path("scenarios").exists(), "{args:?}");
    }
}

#[test]
fn what_a_gateway_answered_becomes_a_scenario_of_the_provider() {
    let stage = Stage::new();
    stage.write("litellm-azure-429.txt", &fixture("litellm-azure-429.txt"));
    stage.write("litellm-anthropic.traceback", &fixture("litellm-anthropic.traceback"));
    stage.upfault(&["new", "limit", "--from-curl", "litellm-azure-429.txt"]).code(0).out_has(&[
        "# Assumed: LiteLLM wrote the response",
        "provider: [azure]",
        "headers: {retry-after: \"27\"}",
    ]);
    // A gateway that drops the header fails now.
    stage.upfault(&["run", "limit"]).code(0);
    stage.upfault(&["run", "limit", "--proxy", "builtin:retry-after-dropped"]).code(1);
    stage
        .upfault(&["new", "--from-traceback", "litellm-anthropic.traceback"])
        .code(0)
        .out_has(&["provider: [anthropic]", "upstream: [{error: overloaded}]"]);
}

#[test]
fn the_words_of_people_are_understood() {
    let stage = Stage::new();
    for (args, words) in [
        (
            &["--error", "ThrottlingException"][..],
            &["provider: [bedrock]", "no other one in the catalogue sends `ThrottlingException`"][..],
        ),
        (&["--error", "claude/overloaded_error"], &["provider: [anthropic]", "error: overloaded"]),
        (&["--error", "bedrock/throttled"], &["provider: [bedrock]", "error: rate_limit"]),
        (
            &["--error", "rate limit", "--provider", "azure_openai"],
            &["provider: [azure]", "error: rate_limit"],
        ),
        (&["--fault", "reset", "--provider", "aws"], &["provider: [bedrock]"]),
        (
            &[
                "--error",
                "internal",
                "--api",
                "openai/chat",
                "--api",
                "anthropic/messages",
                "--api",
                "openai/chat",
            ],
            &["api: [openai/chat, anthropic/messages]"],
        ),
    ] {
        let made = stage.upfault(&[&["new", "--print"], args].concat()).code(0).out_has(words);
        let source = made.out.lines().find(|line| line.starts_with("references: ")).unwrap_or_default();
        assert!(source.contains("upfault new --"), "it names the user's words: {}", made.out);
    }
    stage.upfault(&["explain", "529"]).code(2).err_has(&["did you mean `anthropic/overloaded`?"]);
    stage.upfault(&["explain", "claude"]).code(2).err_has(&["did you mean `anthropic`?"]);
    stage.upfault(&["explain", "claude/529"]).code(2).err_has(&["did you mean `anthropic/overloaded`?"]);
    stage
        .upfault(&["new", "--help"])
        .code(0)
        .out_has(&["after-content", "in the middle of the text of a stream"]);
}

#[test]
fn nothing_is_written_if_the_settings_cannot_be_read() {
    let stage = Stage::new();
    stage.write("upfault.toml", "proxi = 1\n");
    stage.upfault(&["new", "x", "--fault", "reset"]).code(2);
    stage.write("upfault.toml", "");
    stage.upfault(&["new", "x", "--fault", "reset"]).code(0).out_has(&["wrote scenarios/x.yaml"]);
}

/// The commands `upfault new …` in the table of docs/incidents.md, and the first scenario after it.
fn documented() -> (Vec<String>, String) {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/incidents.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.split_once("| `upfault new ")?.1.split_once('`'));
    let commands = rows.map(|(command, _)| format!("upfault new {command}")).collect();
    let scenario = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    (commands, scenario.to_owned())
}

#[test]
fn the_commands_of_the_documentation_write_scenarios_that_load() {
    let (commands, scenario) = documented();
    assert!(commands.len() >= 9, "{commands:?}");
    for (n, command) in commands.iter().enumerate() {
        let stage = stage();
        let made = stage.ended(stage.shell(command)).code(0).out_has(&["wrote scenarios/"]);
        stage.upfault(&["check", "scenarios"]).code(0).out_has(&["1 scenario"]);
        if n == 1 {
            let file = made.out.lines().next().and_then(|line| line.split([' ', ',']).nth(1)).unwrap();
            assert_eq!(stage.read(file), scenario, "docs/incidents.md shows the file of its second command");
        }
    }
}
