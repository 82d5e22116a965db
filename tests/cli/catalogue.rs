//! The catalogue in the program: providers, their errors, faults, rules, defects and bundled scenarios.

use super::stage::Stage;

#[test]
fn a_provider_and_its_errors_are_explained() {
    let stage = Stage::new();
    stage.upfault(&["explain", "anthropic"]).code(0).out_has(&[
        "anthropic: Anthropic\n",
        "anthropic/messages",
        "POST /v1/messages",
        "overloaded",
        "529",
        "overloaded_error (recorded)",
    ]);
    let exact = stage.upfault(&["explain", "anthropic/overloaded"]).code(0).out_has(&[
        "anthropic/overloaded: 529 overloaded_error\n  The provider has no capacity.\n",
        "recorded: vercel/ai tests (last read on 2026-11-22)",
        "HTTP/1.1 529\n",
        "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded ({{canary.message}})\"",
        "event: error\n",
    ]);
    // The name, the status and the type mean the same, in one argument or in two.
    for args in [&["anthropic/529"][..], &["anthropic", "overloaded"], &["anthropic", "overloaded_error"]] {
        assert_eq!(stage.upfault(&[&["explain"], args].concat()).code(0).out, exact.out, "{args:?}");
    }
    stage.upfault(&["explain", "gemini", "429"]).code(0).out_has(&[
        "2 errors of gemini have the status, type or code `429`",
        "rate_limit",
        "token_limit",
    ]);
    stage.upfault(&["explain", "bedrock", "rate_limit", "--api", "openai/chat"]).code(0).out_has(&[
        "At bedrock/converse",
        "x-amzn-errortype: ThrottlingException",
        "exception:throttlingException",
    ]);
}

#[test]
fn scenarios_in_a_folder_with_the_name_of_a_provider_are_still_explained() {
    let stage = Stage::new().scenario("anthropic/overloaded", super::stage::PLAIN);
    stage.upfault(&["explain", "anthropic/overloaded"]).code(0).out_has(&["A plain answer"]);
    stage.upfault(&["explain", "anthropic", "overloaded"]).code(0).out_has(&["HTTP/1.1 529"]);
    stage
        .upfault(&["explain", "anthropic"])
        .code(0)
        .out_has(&["`upfault list anthropic` lists the scenarios in"]);
}

#[test]
fn a_wrong_name_in_the_catalogue_has_a_suggestion() {
    let stage = Stage::new();
    for (args, words) in [
        (&["anthropc"][..], &["did you mean `anthropic`?"][..]),
        (&["anthropic/overloded"], &["did you mean `anthropic/overloaded`?"]),
        (&["anthropic", "overloded"], &["did you mean `overloaded`?", "upfault explain anthropic"]),
        (&["anthropc", "overloaded"], &["did you mean `anthropic`?", "upfault list --providers"]),
        (&["limits/rate-limit", "--api", "openai/chat"], &["--api applies to an error of a provider"]),
    ] {
        stage.upfault(&[&["explain"], args].concat()).code(2).err_has(&["error: ", "help: "]).err_has(words);
    }
}

#[test]
fn the_words_of_scenarios_are_listed_and_searched() {
    let stage = Stage::new();
    for (option, words) in [
        ("--providers", &["azure", "Azure OpenAI", "openai/chat"][..]),
        ("--errors", &["overloaded", "The provider has no capacity (429, 498, 503, 529)"]),
        ("--faults", &["reset: {at}", "tls: expired_certificate", "Reset the connection (TCP RST)."]),
        ("--rules", &["headers.retry-after", "required", "Retry-After reaches the caller"]),
        ("--defects", &["builtin:rate-limit-as-500", "Answers 500 for an upstream 429"]),
    ] {
        stage.upfault(&["list", option]).code(0).out_has(words);
    }
    let found = stage.upfault(&["list", "--faults", "--search", "certificate expired"]).code(0).out;
    assert_eq!(found.lines().filter(|line| line.starts_with("tls: ")).count(), 1, "{found}");
    stage.upfault(&["list", "--faults", "--search", "zzz"]).code(2).err_has(&["contains `zzz`", "help: "]);
    stage.upfault(&["list", "--faults", "--rules"]).code(2).err_has(&["cannot be used with"]);
    stage.upfault(&["list", "--faults", "limits"]).code(2).err_has(&["cannot be used with"]);
}

#[test]
fn cases_are_searched_by_title_and_reason() {
    let stage = Stage::small();
    stage
        .upfault(&["list", "scenarios/t", "--search", "CALLERS wait"])
        .code(0)
        .out_has(&["t/limit  ", "t/limit[stream]"]);
    let found = stage.upfault(&["list", "scenarios/t", "-s", "control"]).code(0).out;
    assert_eq!(found.lines().count(), 2, "the reason of t/plain: {found}");
    stage
        .upfault(&["list", "hammered"])
        .code(2)
        .err_has(&["no scenario at `hammered`", "`upfault list --search hammered`"]);
    stage
        .upfault(&["list", "scenarios/t", "--search", "nothing"])
        .code(2)
        .err_has(&["none of 4 cases contains `nothing`"]);
}

#[test]
fn a_list_for_a_proxy_shows_what_it_would_skip_and_why() {
    let stage = Stage::small();
    let shown = stage.upfault(&["list", "limits", "--proxy", "nginx"]).code(0).err_has(&["nginx would run "]);
    assert!(shown.out.contains("  skipped: nginx "), "{}", shown.out);
    stage
        .upfault(&["list", "scenarios/t", "--proxy", "builtin"])
        .code(0)
        .err_has(&["4 cases: builtin would run 4 and skip 0"]);
    stage.upfault(&["list", "--proxy", "http://127.0.0.1:1"]).code(2).err_has(&["help: name the definition"]);
}

#[test]
fn the_file_of_a_scenario_is_printed_unchanged() {
    let stage = Stage::small();
    assert_eq!(stage.upfault(&["list", "t/limit[stream]", "--yaml"]).code(0).out, super::stage::LIMIT);
    let both = stage.upfault(&["list", "t", "--yaml"]).code(0).out;
    assert!(
        both.starts_with("# scenarios/t/limit.yaml\n") && both.contains("---\n# scenarios/t/plain.yaml\n"),
        "{both}"
    );
}
