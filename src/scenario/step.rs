//! Checks the deployments that steps address, and the steps that are sent concurrently.

use indexmap::IndexMap;

use super::{
    diagnostic::Label,
    file::Located,
    model::{Step, Turn},
    validate::{FileChecker, known_deployment},
};

/// Checks that steps address existing deployments, and that concurrent steps use different deployments:
/// nothing else shows which step an attempt belongs to.
pub(super) fn addressed(
    check: &mut FileChecker<'_>,
    steps: &[Located<Step>],
    deployments: &IndexMap<String, Vec<Turn>>,
    fallback: &[String],
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
            error.help = Some(
                "write a deployment for each step, and name it: `{to: NAME, together: true}`".to_owned(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Step, load_text};

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
    fn concurrent_steps_that_share_a_deployment_are_refused_with_their_position() {
        let error = |text: &str| loaded(text).expect_err("this file is wrong");
        insta::assert_snapshot!(error("upstream: [{reply: ok}]\nsteps: [{}, {together: true}]"), @"
        error: two steps that are sent together both use `primary`
         --> scenarios/x.yaml:4:13
          |
        4 | steps: [{}, {together: true}]
          |         -   ^
          |         |
          |         the other is here
          |
          = help: write a deployment for each step, and name it: `{to: NAME, together: true}`
        ");
        insta::assert_snapshot!(error("deployments: {one: [{reply: ok}], two: [{reply: ok}]}\nproxy: {fallback: [one, two]}\nsteps: [{}, {to: two, together: true}]"), @"
        error: two steps that are sent together both use `two`
         --> scenarios/x.yaml:5:13
          |
        5 | steps: [{}, {to: two, together: true}]
          |         -   ^
          |         |
          |         the other is here
          |
          = help: write a deployment for each step, and name it: `{to: NAME, together: true}`
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
