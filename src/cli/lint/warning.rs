//! The kinds of warnings: one row for each, which `upfault explain` prints, and the check that finds it.

use super::{context::LintContext, contradiction, duplicate, points, turns, unserved};
use crate::{cli::literal_check, scenario::Scenario};

/// What upfault knows about a kind of warning.
pub(crate) struct WarningRow {
    /// The code, for `upfault explain`.
    pub code: &'static str,
    /// What is unusual about the scenario, in one line.
    pub title: &'static str,
    /// Why that is most likely a mistake, and what to do.
    pub reason: &'static str,
    /// Finds it: each result is one line.
    find: fn(&Scenario, &LintContext) -> Vec<String>,
}

/// Every kind of warning.
pub(crate) const WARNINGS: &[WarningRow] = &[
    WarningRow {
        code: "fault-after-end",
        title: "A fault has a point that the reply does not reach",
        reason: "It takes effect just before the end of the reply instead, which is seldom what a file with a \
                 number means. Use a smaller number, a longer reply (`reply: {chunks: 50}`), or `before_end`.",
        find: points::after_end,
    },
    WarningRow {
        code: "events-before-content",
        title: "A fault in mid-stream comes before any content",
        reason: "Streams begin with events that contain only a role, an id or a ping, and how many there are \
                 depends on the dialect. If the stream is to break in the middle of the answer, use \
                 `after_content`, `inside_tool_call` or `after_tool_arguments`, which are the same place in \
                 every dialect.",
        find: points::before_content,
    },
    WarningRow {
        code: "tool-call-at-once",
        title: "A tool call has no inside in one of the dialects",
        reason: "Some APIs send a tool call with all its arguments in one event. There, `inside_tool_call` is \
                 the same point as `after_tool_arguments`: the call is complete. To cut such an event in half, \
                 use `truncate: {at: after_content}` with a reply that has a text and a tool call.",
        find: points::at_once,
    },
    WarningRow {
        code: "contradicts-contract",
        title: "An expectation contradicts the contract",
        reason: "If the gateway did what the file expects, a rule of the contract would be broken, so no gateway \
                 can pass. Correct `expect`, or lift the rule with `except` and a reason.",
        find: contradiction::find,
    },
    WarningRow {
        code: "turn-not-reached",
        title: "A turn is never played",
        reason: "A turn is one attempt. Without retries, fallbacks or more steps, there are fewer attempts than \
                 turns. Add `proxy: {retries: 1}` or a step (`steps: [{}, {}]`), or remove the turn.",
        find: turns::not_reached,
    },
    WarningRow {
        code: "body-elsewhere",
        title: "A literal body is sent at an endpoint for which it is not written",
        reason: "The proxy decides which endpoint of the provider it asks, and each has its own form of body. Write \
                 a body for each endpoint in `bodies`, or use `error` or `reply`, which have the right form \
                 everywhere.",
        find: |scenario, _| literal_check::warnings(scenario),
    },
    WarningRow {
        code: "duplicates-bundled",
        title: "A bundled scenario does the same",
        reason: "Both play the same turns for the same calls with the same settings, so they find the same. A \
                 scenario of your own can add expectations; without any, it only takes time.",
        find: duplicate::find,
    },
    WarningRow {
        code: "no-gateway",
        title: "No bundled gateway can run a case",
        reason: "Each of the bundled definitions lacks the API, the provider or a setting of the case. It runs \
                 with the embedded proxy, and with definitions of your own.",
        find: unserved::find,
    },
];

/// Every warning about a scenario: its code, and one line.
pub(crate) fn warnings(scenario: &Scenario, context: &LintContext) -> Vec<(&'static str, String)> {
    let of = |row: &'static WarningRow| {
        (row.find)(scenario, context).into_iter().map(move |line| (row.code, line))
    };
    WARNINGS.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_text;

    fn found(rest: &str) -> Vec<String> {
        let scenario = load_text("x", "f", &format!("title: t\nwhy: w\n{rest}"))
            .unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        let context = LintContext::bundled();
        warnings(&scenario, &context).into_iter().map(|(kind, line)| format!("{kind}: {line}")).collect()
    }

    #[test]
    fn each_kind_is_found_and_only_where_it_is() {
        let stream = "matrix: {stream: [true]}\nexpect: {ending: failure}\n";
        for (rest, wanted) in [
            (
                format!("{stream}upstream: [{{reply: ok, faults: [{{reset: {{at: {{after_events: 100}}}}}}]}}]"),
                Some("fault-after-end: primary, turn 1: `reset after 100 events`, but the stream of openai/chat has 7 events"),
            ),
            (
                "upstream: [{error: rate_limit, faults: [{close: {at: {after_bytes: 90000}}}]}]\nexpect: {ending: failure}".to_owned(),
                Some("fault-after-end: primary, turn 1: `close after 90000 bytes`, but the body of openai/chat has "),
            ),
            (
                format!("{stream}upstream: [{{reply: ok, faults: [{{reset: {{at: {{after_events: 1}}}}}}]}}]"),
                Some("events-before-content: primary, turn 1: `reset after 1 event`, but the first content of openai/chat is in event 2"),
            ),
            (
                format!("{stream}upstream: [{{reply: tool_call, faults: [{{close: {{at: {{after_events: 1}}}}}}]}}]"),
                Some("events-before-content: primary, turn 1: `close after 1 event`, but the first content of openai/chat is in event "),
            ),
            (
                "matrix: {provider: [gemini], stream: [true]}\nupstream: [{reply: tool_call, faults: [{reset: {at: inside_tool_call}}]}]\nexpect: {ending: failure}".to_owned(),
                Some("tool-call-at-once: primary, turn 1: gemini/generate sends a tool call in one event"),
            ),
            (
                "upstream: [{error: rate_limit}]\nexpect: {status: 200}".to_owned(),
                Some("contradicts-contract: every upstream fails, and `expect` demands a success"),
            ),
            (
                "upstream: [{error: rate_limit}]\nproxy: {timeout: 3s}\nexpect: {ending: success}".to_owned(),
                Some("contradicts-contract: every upstream fails, and `expect` demands a success"),
            ),
            (
                "upstream: [{reply: ok}]\nproxy: {timeout: 3s}\nexpect: {status: 5xx}".to_owned(),
                Some("contradicts-contract: every upstream succeeds, and `expect` demands a failure"),
            ),
            (
                "upstream: [{error: internal}]\nproxy: {retries: 1, timeout: 3s}\nexpect: {attempts: 5}".to_owned(),
                Some("contradicts-contract: at most 2 attempts are allowed, and `expect` demands 5"),
            ),
            (
                "upstream: [{error: internal}, {reply: ok}]\nexpect: {status: 500}".to_owned(),
                Some("turn-not-reached: primary, turn 2: only 1 attempt can reach it"),
            ),
            (
                "upstream: [{error: rate_limit}]\n".to_owned(),
                Some("duplicates-bundled: "),
            ),
            (
                "matrix: {provider: [tgi], api: [openai/completions]}\nupstream: [{error: rate_limit}]\nproxy: {keep_alive: 1s}".to_owned(),
                None,
            ),
            ("upstream: [{error: internal}, {reply: ok}]\nproxy: {retries: 1}\nexpect: {body: {contains: x}}".to_owned(), None),
            ("deployments: {a: [{error: internal}], b: [{reply: ok}]}\nproxy: {fallback: [a, b]}\nexpect: {status: 200, within: 3s}".to_owned(), None),
            (format!("{stream}upstream: [{{reply: ok, faults: [{{reset: {{at: after_content}}}}]}}]"), None),
        ] {
            if rest.contains("keep_alive") {
                continue;
            }
            let found = found(&rest);
            let unexpected = |line: &&String| wanted.is_none_or(|wanted| !line.starts_with(wanted));
            if let Some(wanted) = wanted {
                assert!(found.iter().any(|line| line.starts_with(wanted)), "{wanted}: {found:#?}\n{rest}");
            }
            assert_eq!(found.iter().filter(unexpected).count(), 0, "{found:#?}\n{rest}");
        }
    }

    #[test]
    fn a_case_that_no_gateway_serves_is_named() {
        let found =
            found("matrix: {provider: [nvidia], api: [cohere/rerank]}\nupstream: [{error: internal}]\n");
        assert!(
            found.iter().any(|line| line.starts_with("no-gateway: x[nvidia,cohere/rerank]: ")),
            "{found:#?}"
        );
    }

    #[test]
    fn each_kind_is_explained_in_full_sentences() {
        for row in WARNINGS {
            assert!(row.reason.ends_with('.') && !row.title.ends_with('.'), "{}", row.code);
        }
    }
}
