//! Checks of steps: the deployments that they address, steps that are sent concurrently, callers that leave, and invalid
//! requests.

use std::time::Duration;

use indexmap::IndexMap;

use super::{
    check::{FileChecker, known_deployment},
    diagnostic::Label,
    leave::{Leave, LeavePoint},
    located::Located,
    mistake::RequestMistake,
    model::{Combination, Step, Turn},
    words::Api,
};

/// The members of a request that contain its prompt.
const PROMPTS: [&str; 7] = ["messages", "input", "prompt", "contents", "texts", "query", "response"];

/// Why the requests of a step show no prompt of their own, if they do not.
fn without_own_prompt(step: &Step, matrix: &[Combination]) -> Option<String> {
    if let Some(member) = PROMPTS.iter().find(|member| step.body.contains_key(**member)) {
        return Some(format!("the step sets `{member}`"));
    }
    let has_no_prompt =
        |api: Api| api.method() == "GET" && !api.is_session() || api.is_form() || api == Api::OpenaiBatches;
    let api = matrix.iter().map(|one| one.api).find(|api| has_no_prompt(*api))?;
    Some(format!("a request of {api} has none"))
}

/// Checks that steps address existing deployments, and that the attempts of concurrent steps can be distinguished: by
/// their deployment or by the prompt, which is different in every step.
pub(super) fn addressed(
    check: &mut FileChecker<'_>,
    steps: &[Located<Step>],
    deployments: &IndexMap<String, Vec<Turn>>,
    fallback: &[String],
    matrix: &[Combination],
) {
    for step in steps {
        if let Some(to) = &step.value.to {
            known_deployment(check, &step.range, to, deployments);
        }
    }
    if let Some(first) = steps.first().filter(|step| step.value.together) {
        let place = check.word(&first.range, "together");
        check.error(&place, "the first step has no previous step to be sent together with").help =
            Some("write `together: true` on the later of two steps".to_owned());
    }
    let first = deployments.keys().next().map(String::as_str).unwrap_or_default();
    let chain = |step: &Step| -> Vec<String> {
        match step.to.as_deref().unwrap_or(first) {
            to if to == first && !fallback.is_empty() => fallback.to_vec(),
            to => vec![to.to_owned()],
        }
    };
    for together in steps.chunk_by(|_, next| next.value.together).filter(|group| group.len() > 1) {
        if let Some(step) = together.iter().find(|step| step.value.leave.is_some()) {
            let place = check.word(&step.range, "leave");
            check.error(&place, "a caller cannot leave in a step that is sent together with others").help =
                Some("give it a separate step".to_owned());
        }
        for (i, step) in together.iter().enumerate() {
            let own = chain(&step.value);
            let others = together.iter().take(i);
            let Some(unknown) = without_own_prompt(&step.value, matrix) else { continue };
            let Some((other, shared)) = others
                .filter_map(|other| {
                    let shared = chain(&other.value).into_iter().find(|name| own.contains(name))?;
                    Some((other.range.clone(), shared))
                })
                .next()
            else {
                continue;
            };
            let error =
                check.error(&step.range, format!("two steps that are sent together both use `{shared}`"));
            error.labels.push(Label { range: other, text: "the other is here".into() });
            error.help = Some(format!(
                "only a prompt of its own could distinguish them, and {unknown}: write a deployment for each step, and \
                 name it: `{{to: NAME, together: true}}`"
            ));
        }
    }
}

/// The longest pause before a step.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Checks that no pause makes a case endless.
pub(super) fn pauses(check: &mut FileChecker<'_>, steps: &[Located<Step>]) {
    for step in steps {
        if step.value.pause.is_some_and(|pause| pause > LONGEST_PAUSE) {
            let place = check.word(&step.range, "pause");
            check.error(&place, "a `pause` must not be longer than 1m").help =
                Some("choose a shorter setting of the proxy, so that a shorter pause is enough".to_owned());
        }
    }
}

/// Checks that a caller disconnects only at a point that its responses have.
pub(super) fn leaves(check: &mut FileChecker<'_>, steps: &[Located<Step>], matrix: &[Combination]) {
    for step in steps {
        let Some(Leave { at: LeavePoint::AfterEvents(n), .. }) = step.value.leave else { continue };
        let place = check.word(&step.range, "after_events");
        if n == 0 {
            check.error(&place, "`after_events` must be at least 1").help =
                Some("before the first event there are only the headers: `after_headers`".to_owned());
        }
        if let Some(plain) = matrix.iter().find(|combination| !combination.stream) {
            check
                .error(&place, "the caller waits for events, and not every case of this file is a stream")
                .help = Some(if plain.api.streams() {
                "write `matrix: {stream: [true]}`, or let the caller leave at `before_headers` or `after_headers`"
                        .to_owned()
            } else {
                format!("{} has no stream: use `before_headers` or `after_headers`", plain.api)
            });
        }
    }
}

/// Checks that each `mistake` is possible in every case of the file.
pub(super) fn mistakes(check: &mut FileChecker<'_>, steps: &[Located<Step>], matrix: &[Combination]) {
    for step in steps {
        let Some(mistake) = step.value.mistake else { continue };
        let place = check.word(&step.range, "mistake");
        let without_json = |api: Api| api.method() == "GET" || api.is_form() || api.is_session();
        let first = |wanted: &dyn Fn(Api) -> bool| matrix.iter().map(|one| one.api).find(|api| wanted(*api));
        if mistake == RequestMistake::BrokenJson
            && let Some(api) = first(&without_json)
        {
            check.error(&place, format!("a request of {api} has no JSON body that could be broken")).help =
                Some("use `wrong_key` or `unknown_model`, or put this API into a separate file".to_owned());
        }
        if step.value.leave.is_some() {
            check.error(&place, "a caller that leaves does not wait for the response to its mistake").help =
                Some("write two steps: one with `mistake`, one with `leave`".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_text;

    const HEAD: &str = "title: t\nwhy: w\n";

    fn loaded(text: &str) -> Result<Vec<Step>, String> {
        let scenario = load_text("x", "scenarios/x.yaml", &format!("{HEAD}{text}"));
        scenario.map(|scenario| scenario.steps.clone()).map_err(|errors| errors.render(false))
    }

    #[test]
    fn steps_address_a_deployment_and_may_be_sent_together() {
        let steps = loaded(
            "deployments: {one: [{reply: ok}], two: [{reply: ok}], three: [{reply: ok}]}\n\
             proxy: {fallback: [one, three]}\n\
             steps: [{}, {to: two, together: true}, {to: three}, {to: two}]",
        )
        .unwrap();
        let addressed: Vec<_> = steps.iter().map(|step| (step.to.as_deref(), step.together)).collect();
        assert_eq!(
            addressed,
            [(None, false), (Some("two"), true), (Some("three"), false), (Some("two"), false)]
        );
    }

    #[test]
    fn a_step_may_wait_for_up_to_a_minute() {
        let steps = loaded("upstream: [{reply: ok}]\nsteps: [{}, {pause: 3s}]").unwrap();
        let pauses: Vec<_> = steps.iter().map(|step| step.pause).collect();
        assert_eq!(pauses, [None, Some(Duration::from_secs(3))]);
        insta::assert_snapshot!(loaded("upstream: [{reply: ok}]\nsteps: [{pause: 61s}]").unwrap_err(), @"
        error: a `pause` must not be longer than 1m
         --> scenarios/x.yaml:4:10
          |
        4 | steps: [{pause: 61s}]
          |          ^^^^^
          |
          = help: choose a shorter setting of the proxy, so that a shorter pause is enough
        ");
    }

    #[test]
    fn concurrent_steps_that_share_a_deployment_are_refused_with_their_position() {
        let error = |text: &str| loaded(text).expect_err("this file is wrong");
        assert!(
            loaded("upstream: [{reply: ok}]\nsteps: [{}, {together: true}]").is_ok(),
            "the prompts differ"
        );
        insta::assert_snapshot!(error("upstream: [{reply: ok}]\nsteps: [{}, {together: true, body: {messages: []}}]"), @"
        error: two steps that are sent together both use `primary`
         --> scenarios/x.yaml:4:13
          |
        4 | steps: [{}, {together: true, body: {messages: []}}]
          |         -   ^
          |         |
          |         the other is here
          |
          = help: only a prompt of its own could distinguish them, and the step sets `messages`: write a deployment for each step, and name it: `{to: NAME, together: true}`
        ");
        insta::assert_snapshot!(error("matrix: {api: [openai/models]}\ndeployments: {one: [{reply: ok}], two: [{reply: ok}]}\nproxy: {fallback: [one, two]}\nsteps: [{}, {to: two, together: true}]"), @"
        error: two steps that are sent together both use `two`
         --> scenarios/x.yaml:6:13
          |
        6 | steps: [{}, {to: two, together: true}]
          |         -   ^
          |         |
          |         the other is here
          |
          = help: only a prompt of its own could distinguish them, and a request of openai/models has none: write a deployment for each step, and name it: `{to: NAME, together: true}`
        ");
        insta::assert_snapshot!(error("deployments: {one: [{reply: ok}], two: [{reply: ok}]}\nsteps: [{to: tow}]"), @"
        error: there is no deployment `tow`
         --> scenarios/x.yaml:4:14
          |
        4 | steps: [{to: tow}]
          |              ^^^
          |
          = help: did you mean `two`?
        ");
        insta::assert_snapshot!(error("upstream: [{reply: ok}]\nsteps: [{together: true}]"), @"
        error: the first step has no previous step to be sent together with
         --> scenarios/x.yaml:4:10
          |
        4 | steps: [{together: true}]
          |          ^^^^^^^^
          |
          = help: write `together: true` on the later of two steps
        ");
        insta::assert_snapshot!(error("deployments: {one: [{reply: ok}], two: [{reply: ok}]}\nsteps: [{}, {to: two, together: true, leave: {at: after_headers}}]"), @"
        error: a caller cannot leave in a step that is sent together with others
         --> scenarios/x.yaml:4:39
          |
        4 | steps: [{}, {to: two, together: true, leave: {at: after_headers}}]
          |                                       ^^^^^
          |
          = help: give it a separate step
        ");
    }
}
