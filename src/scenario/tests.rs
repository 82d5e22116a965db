mod faults;
mod meaning;
mod mistakes;
mod mutations;
mod sessions;

use super::*;

fn errors(text: &str) -> String {
    load_text("x", "scenarios/x.yaml", text).expect_err("this file is wrong").render(false)
}

const HEAD: &str = "title: t\nwhy: w\n";

#[test]
fn a_misspelt_error_name_shows_the_line_and_a_suggestion() {
    insta::assert_snapshot!(errors(&format!("{HEAD}upstream:\n  - error: rate_limt\n")), @"
    error: unknown name `rate_limt`
     --> scenarios/x.yaml:4:12
      |
    4 |   - error: rate_limt
      |            ^^^^^^^^^
      |
      = help: did you mean `rate_limit`?
    ");
}

#[test]
fn an_unknown_key_shows_the_line_and_a_suggestion() {
    insta::assert_snapshot!(errors(&format!("{HEAD}upstram:\n  - reply: ok\n")), @"
    error: unknown key `upstram`
     --> scenarios/x.yaml:3:1
      |
    3 | upstram:
      | ^^^^^^^
      |
      = help: did you mean `upstream`?
    ");
}

#[test]
fn a_duplicate_key_is_an_error() {
    insta::assert_snapshot!(errors(&format!("{HEAD}title: again\nupstream: [{{reply: ok}}]\n")), @"
    error: the key `title` is specified twice
     --> scenarios/x.yaml:3:1
      |
    3 | title: again
      | ^^^^^
      |
      = help: keep one of them
    ");
}

#[test]
fn a_wrong_type_is_an_error() {
    insta::assert_snapshot!(errors(&format!("{HEAD}upstream: [{{reply: ok}}]\nproxy: {{retries: many}}\n")), @r#"
    error: found the text "many", expected a whole number, 0 or more
     --> scenarios/x.yaml:4:18
      |
    4 | proxy: {retries: many}
      |                  ^^^^
      |
      = help: write for example `retries: 1`
    "#);
}

#[test]
fn a_step_cannot_put_an_object_into_a_form_nor_anything_into_a_get() {
    let text = |api: &str, body: &str| {
        format!("{HEAD}matrix: {{api: [{api}]}}\nupstream: [{{reply: ok}}]\nsteps:\n  - body: {body}\n")
    };
    insta::assert_snapshot!(errors(&text("openai/transcriptions", "{language: en, hints: {a: 1}}")), @"
    error: `hints` cannot be a field of openai/transcriptions's form
     --> scenarios/x.yaml:6:26
      |
    6 |   - body: {language: en, hints: {a: 1}}
      |                          ^^^^^
      |
      = help: a field is a text, a number or a boolean; `null` removes a field
    ");
    insta::assert_snapshot!(errors(&text("openai/models", "{limit: 3}")), @"
    error: a request of openai/models has no body
     --> scenarios/x.yaml:6:12
      |
    6 |   - body: {limit: 3}
      |            ^^^^^
      |
      = help: leave `body` out, or put this API into a separate file
    ");
    assert!(load_text("x", "f", &text("openai/files", "{purpose: fine-tune, model: null}")).is_ok());
}

#[test]
fn a_duration_without_a_unit_is_an_error() {
    insta::assert_snapshot!(errors(&format!("{HEAD}upstream: [{{reply: ok}}]\nproxy: {{timeout: 2}}\n")), @"
    error: `2` is not a duration
     --> scenarios/x.yaml:4:18
      |
    4 | proxy: {timeout: 2}
      |                  ^
      |
      = help: write `timeout: 2s` for seconds, or `timeout: 2ms` for milliseconds
    ");
}

#[test]
fn a_missing_key_is_an_error() {
    insta::assert_snapshot!(errors("title: t\nupstream: [{reply: ok}]\n"), @r#"
    error: the key `why` is missing
     --> scenarios/x.yaml:1:1
      |
    1 | title: t
      | ^
      |
      = help: add it, for example `why: "SDKs wait as long as it says"`
    "#);
}

#[test]
fn two_faults_that_end_a_response_are_shown_with_both_positions() {
    let text = format!(
        "{HEAD}upstream:\n  - reply: ok\n    faults:\n      - reset: {{at: before_headers}}\n      - hang: {{at: after_headers}}\n"
    );
    insta::assert_snapshot!(errors(&text), @"
    error: `hang` never happens: the fault before it ends the response
     --> scenarios/x.yaml:7:9
      |
    6 |       - reset: {at: before_headers}
      |         - `reset` is here
    7 |       - hang: {at: after_headers}
      |         ^
      |
      = help: a list may contain one fault that ends the response, as its last
    ");
}

#[test]
fn bodies_for_endpoints_need_a_status_and_no_other_body() {
    for (turn, message) in [
        ("{reply: ok, bodies: {openai/chat: {}}}", "`bodies` needs `status`"),
        ("{status: 200, body: {}, bodies: {openai/chat: {}}}", "either `body` or `bodies`, not both"),
        ("{status: 204, bodies: {openai/chat: {}}}", "needs a status whose replies have a body"),
        ("{status: 200, bodies: {openai/chat: null}}", "`bodies` has no body"),
        ("{status: 200, bodies: {openai/chats: {}}}", "did you mean `openai/chat`?"),
        ("{status: 200, bodies: {openai/chat: '{{canary.text}}'}}", "unknown canary `text`"),
    ] {
        let printed = errors(&format!("{HEAD}upstream: [{turn}]\n"));
        assert!(printed.contains(message) && printed.contains("scenarios/x.yaml:3:"), "{printed}");
    }
}

#[test]
fn a_point_in_a_stream_needs_a_stream() {
    let text =
        format!("{HEAD}upstream:\n  - reply: ok\n    faults: [{{close: {{at: {{after_events: 1}}}}}}]\n");
    insta::assert_snapshot!(errors(&text), @"
    error: `close` needs the events of a stream, and not every case of this file is a stream
     --> scenarios/x.yaml:5:14
      |
    5 |     faults: [{close: {at: {after_events: 1}}}]
      |              ^
      |
      = help: write `matrix: {stream: [true]}`, or a point such as `after_bytes`
    ");
}

#[test]
fn a_stream_is_not_suggested_for_an_api_that_has_none() {
    let text = format!("{HEAD}matrix: {{api: [openai/speech]}}\nupstream: [{{faults: [drop_terminator]}}]\n");
    insta::assert_snapshot!(errors(&text), @"
    error: `drop_terminator` needs the events of a stream, and not every case of this file is a stream
     --> scenarios/x.yaml:4:22
      |
    4 | upstream: [{faults: [drop_terminator]}]
      |                      ^^^^^^^^^^^^^^^
      |
      = help: openai/speech has no stream: use the fault in a scenario without it
    ");
}

#[test]
fn all_errors_of_a_file_are_reported_at_once() {
    let text = format!("{HEAD}upstream: []\nproxy: {{retries: 99, fallback: [primary, bakup]}}\nsteps: []\n");
    insta::assert_snapshot!(errors(&text), @"
    error: an upstream without a turn would never answer
     --> scenarios/x.yaml:3:11
      |
    3 | upstream: []
      |           ^
      |
      = help: write at least one, for example `- reply: ok`; the last turn repeats

    error: `retries` must not be more than 10
     --> scenarios/x.yaml:4:9
      |
    4 | proxy: {retries: 99, fallback: [primary, bakup]}
      |         ^^^^^^^

    error: there is no deployment `bakup`
     --> scenarios/x.yaml:4:42
      |
    4 | proxy: {retries: 99, fallback: [primary, bakup]}
      |                                          ^^^^^
      |
      = help: the deployments are: primary

    error: `steps` is empty
     --> scenarios/x.yaml:5:8
      |
    5 | steps: []
      |        ^
      |
      = help: leave `steps` out for one plain request, or write `steps: [{}]`
    ");
}

#[test]
fn invalid_yaml_shows_its_position() {
    insta::assert_snapshot!(errors("title: [unclosed\nwhy: w\n"), @"
    error: this `[` is not closed
     --> scenarios/x.yaml:1:8
      |
    1 | title: [unclosed
      |        ^
      |
      = help: add `]`
    ");
}

#[test]
fn defaults_are_left_out_of_case_ids() {
    let text = format!("{HEAD}matrix: {{stream: [false, true]}}\nupstream: [{{reply: ok}}]\n");
    let scenario = std::sync::Arc::new(load_text("limits/a", "f", &text).expect("the file is right"));
    let ids: Vec<String> = expand(&scenario).into_iter().map(|case| case.id).collect();
    assert_eq!(ids, ["limits/a", "limits/a[stream]"]);
}

#[test]
fn every_form_of_the_format_loads() {
    let text = r#"
title: t
why: w
level: recommended
tags: [a]
references: [RFC 9110]
matrix: {provider: [openai], api: [openai/chat], stream: [true]}
deployments:
  primary:
    - error: rate_limit
      headers: {retry-after: "7", x-should-retry: null}
    - status: 418
      body: {error: {message: "{{canary.message}}", code: 7}}
    - status: 200
      bodies: {openai/chat: {choices: []}, openai/responses: "data: {{canary.content}}", anthropic/messages: null}
    - reply: {chunks: 50}
      faults:
        - delay: {at: before_headers, for: 10ms}
        - drip: {bytes_per_second: 100}
        - error_event: {error: internal, at: {after_events: 2}}
    - reply: tool_call
      faults: [{malform: {error: quota}}]
    - reply: non_ascii
      faults: [{latency: {before: each_event, time: {normal: {mean: 10ms, deviation: 2ms}}}}, split_characters, drop_terminator]
  backup: [{reply: ok}]
  gone: [{faults: [refuse]}]
transport: tls
proxy: {timeout: 2s, retries: 1, fallback: [primary, backup, gone], cooldown: {after: 1, for: 5s}}
steps: [{body: {max_tokens: 5, stream_options: null}, headers: {x: y}}, {}]
expect: {status: [408, 5xx], attempts: {primary: 1, backup: 0}, ending: failure, error: {code: a}, headers: {retry-after: null}, within: 4s}
except: {status.mirrored: because}
"#;
    let scenario = load_text("x", "f", text).expect("the file is right");
    assert_eq!(scenario.deployments["primary"].len(), 6);
    assert_eq!(scenario.steps.len(), 2);
    assert!(scenario.expect.status.expect("given").contains(504));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "`just schema` sets a variable to update the file")]
fn the_schema_in_the_repository_is_up_to_date() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/scenario.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, schema()).expect("the folder is ours");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == schema(), "schema/scenario.schema.json is stale: run `just schema`");
}

#[test]
fn the_schema_accepts_what_the_loader_accepts() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    for scenario in
        load_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")), &[]).expect("ours load").scenarios
    {
        let text =
            std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&scenario.file))
                .expect("it was just loaded");
        let value: serde_json::Value = serde_saphyr::from_str(&text).expect("it was just parsed");
        if let Err(error) = validator.validate(&value) {
            panic!("{}: {error}", scenario.file);
        };
    }
}

#[test]
fn settings_that_contradict_pass_through_or_keep_alive_are_reported() {
    let reported = errors(&format!(
        "{HEAD}upstream: [{{reply: ok}}]\nproxy: {{pass_through: true, retries: 1, keep_alive: 10ms}}\n"
    ));
    let heads: Vec<&str> = reported.lines().filter(|line| line.starts_with("error: ")).collect();
    insta::assert_snapshot!(heads.join("\n"), @"
    error: `keep_alive` must be between 50ms and 1m
    error: `retries` and `pass_through` exclude each other
    error: `keep_alive` and `pass_through` exclude each other
    error: `keep_alive` needs a stream in every case of the file
    ");
    assert!(reported.contains("--> scenarios/x.yaml:4:29"), "{reported}");
    let good = "matrix: {stream: [true]}\nupstream: [{reply: ok}]\nproxy: {keep_alive: 300ms}\n";
    assert!(load_text("x", "scenarios/x.yaml", &format!("{HEAD}{good}")).is_ok());
}

#[test]
fn chosen_scenarios_are_loaded_and_can_be_named() {
    let root = tempfile::tempdir().unwrap();
    let text = "title: T\nwhy: W\nupstream: [{reply: ok}]\n";
    for file in ["llm/cut.yaml", "scenarios/own.yaml"] {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let ids = |chosen: &[&str], paths: &[&str]| -> Vec<String> {
        let [chosen, paths] = [chosen, paths].map(|list| list.iter().map(Into::into).collect::<Vec<_>>());
        let library = load_from(root.path(), &chosen, &paths).unwrap();
        library.scenarios.iter().map(|scenario| scenario.id.clone()).collect()
    };
    assert_eq!(ids(&["llm"], &[]), ["cut"]);
    assert_eq!(ids(&["llm", "limits/rate-limit"], &[]), ["cut", "limits/rate-limit"]);
    // A scenario that was not chosen can still be requested by name.
    assert_eq!(ids(&["llm"], &["own", "cut"]), ["cut", "own"]);
    assert!(load_from(root.path(), &[], &["cut".into()]).is_err());
}
