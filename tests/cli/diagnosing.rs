//! Errors, corrections and warnings of `upfault check`, and scenarios that use points by meaning, shorter times and
//! expectations about both sides.

use upfault::internals::judge::Verdict;

use super::stage::{Stage, verdict};

const MISTAKEN: &str = "\
titel: Azure and its 429 # with a comment
why: w
matrix: {stream: true, provider: [google]}
upstream:
  # what the log said
  - error: ThrottlingException
proxy: {timeout: 3}
";

#[test]
fn all_errors_of_a_file_are_shown_and_the_mechanical_ones_are_corrected() {
    let stage = Stage::new();
    stage.write("scenarios/a.yaml", MISTAKEN);
    stage.upfault(&["check", "scenarios/a.yaml"]).code(2).err_has(&[
        "unknown key `titel`",
        "did you mean `title`?",
        "`stream: [true]`",
        "did you mean `gemini`?",
        "did you mean `rate_limit`?",
        "`timeout: 3s`",
    ]);
    assert_eq!(stage.read("scenarios/a.yaml"), MISTAKEN, "only --fix changes files");
    // What a word of another vocabulary means, and the unit of the timeout, are decisions.
    let printed = stage.upfault(&["check", "--fix", "scenarios/a.yaml"]).code(2);
    printed.out_has(&["scenarios/a.yaml: corrected in 2 places"]).err_has(&[
        "did you mean `gemini`?",
        "did you mean `rate_limit`?",
        "`3` is not a duration",
    ]);
    let fixed = stage.read("scenarios/a.yaml");
    assert_eq!(fixed, MISTAKEN.replace("titel", "title").replace("stream: true", "stream: [true]"));
    let decided = fixed
        .replace("google", "gemini")
        .replace("ThrottlingException", "rate_limit")
        .replace("timeout: 3", "timeout: 3s");
    stage.write("scenarios/a.yaml", &decided);
    stage.upfault(&["check", "--fix", "scenarios/a.yaml"]).code(0).out_has(&["1 scenario, 1 case: valid"]);
}

#[test]
fn a_warning_has_a_code_that_explain_knows() {
    let stage = Stage::new().scenario(
        "t/early",
        "title: t\nwhy: w\nmatrix: {stream: [true]}\nupstream: [{reply: ok, faults: [{reset: {at: {after_events: 1}}}]}]\nexpect: {ending: failure}\n",
    );
    stage.upfault(&["check", "t"]).code(0).out_has(&[
        "warning: primary, turn 1: `reset after 1 event`, but the first content of openai/chat is in event 2",
        "[events-before-content]",
        "`upfault explain CODE` explains a warning",
        "1 scenario, 1 case: valid",
    ]);
    stage.upfault(&["explain", "events-before-content"]).code(0).out_has(&["`after_content`"]);
    stage.upfault(&["explain", "warnings"]).code(0).out_has(&["fault-after-end ", "no-gateway "]);
    stage
        .upfault(&["explain", "event-before-content"])
        .code(2)
        .err_has(&["did you mean `events-before-content`?"]);
}

#[test]
fn points_by_meaning_break_every_dialect_at_the_same_place() {
    let text = |matrix: &str| {
        format!(
            "title: t\nwhy: w\nmatrix: {{{matrix}, stream: [true]}}\nupstream:\n  - reply: text_and_tool_call\n    \
             faults: [{{error_event: {{error: overloaded, at: inside_tool_call}}}}]\nproxy: {{timeout: 5s}}\nexpect: \
             {{ending: failure}}\n"
        )
    };
    let stage =
        Stage::new().scenario("t/translated", &text("provider: [openai, anthropic, mistral]")).scenario(
            "t/native",
            &text("api: [anthropic/messages, gemini/generate, bedrock/converse, cohere/chat]"),
        );
    let (printed, report) = stage.run(&["t"]);
    printed.code(0);
    assert_eq!(report.cases.len(), 7);
    for case in &report.cases {
        assert_eq!(case.verdict, Verdict::Pass, "{}", case.id);
    }
}

/// An upstream that needs 40 seconds for its first byte, and a timeout of a minute.
const SLOW: &str = "\
title: A first token after 40 seconds is not an error
why: The model was slow and not broken.
matrix: {stream: [false, true]}
speedup: 40
upstream: [{reply: ok, faults: [{delay: {at: before_headers, for: 40s}}]}]
proxy: {timeout: 80s}
expect: {status: 200, first_byte_within: 79s, body: {not_contains: '<html'}}
";

#[test]
fn a_slow_upstream_is_tested_with_shorter_times_and_the_report_says_so() {
    let stage = Stage::new().scenario("t/slow", SLOW);
    let (printed, report) = stage.run(&["t"]);
    printed.code(0).out_has(&["note: 2 cases ran with shorter times than in the file (`speedup`)"]);
    for case in &report.cases {
        assert_eq!((case.verdict, case.speedup), (Verdict::Pass, Some(40)), "{}", case.id);
        assert!((1000.0..2000.0).contains(&case.duration_ms), "{}", case.duration_ms);
    }
    stage.upfault(&["explain", "t/slow"]).code(0).out_has(&["timeout 2s", "speedup 40", "wait   1s"]);
    // The timeout is divided alike.
    let stage = Stage::new().scenario("t/slow", &SLOW.replace("80s", "30s").replace("79s", "29s"));
    let (printed, report) = stage.run(&["t"]);
    printed.code(1).out_has(&["speedup: the times of the file divided by 40"]);
    assert_eq!(verdict(&report, "t/slow").0, Verdict::Fail);
}

#[test]
fn expectations_reach_both_sides_and_what_repeats_a_rule_is_shown_once() {
    let text = "title: t\nwhy: w\nupstream: [{error: rate_limit}]\nproxy: {timeout: 5s}\nexpect:\n  status: 429\n  content_type: application/json\n  headers: {retry-after: {present: true}, set-cookie: null}\n  body: {contains: '{{canary.message}}', not_contains: [Traceback, '<html'], json: {/error/code: rate_limit_exceeded}}\n  requests: [{api: openai/chat, model: gpt-4o-mini, headers: {authorization: {contains: Bearer}}, body: {json: {/messages/0/role: user}}}]\n";
    let stage = Stage::new().scenario("t/both", text);
    stage.upfault(&["run", "t"]).code(0);
    let printed = stage.upfault(&["run", "t", "--proxy", "builtin:rate-limit-as-500"]).code(1);
    printed.out_has(&["expect.status (required): expected 429; see status."]);
    let wrong = text.replace("gpt-4o-mini", "gpt-5").replace("rate_limit_exceeded", "other");
    let stage = Stage::new().scenario("t/both", &wrong);
    stage.upfault(&["run", "t"]).code(1).out_has(&[
        "expect.body",
        "\"other\" at /error/code of the body",
        "expect.requests",
        "the model gpt-5",
        "observed: gpt-4o-mini",
    ]);
}
