//! Whom the steps of a scenario address, and which of them are sent at the same moment.

use indexmap::IndexMap;

use super::{
    diagnostic::Label,
    file::Located,
    model::{Step, Turn},
    validate::{FileChecker, known_deployment},
};

/// Steps address deployments that are there. Of those that are sent together each has deployments of
/// its own: nothing else tells which of them an attempt is made for.
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
        check.error(&place, "there is no step before the first to send it together with").help =
            Some("`together: true` belongs to the later one of two steps".to_owned());
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
            check.error(&place, "a caller cannot leave while others are sent together with it").help =
                Some("give it a step of its own".to_owned());
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
                check.error(&step.range, format!("two steps that are sent together both lead to `{shared}`"));
            error.labels.push(Label { range: other, text: "the other is here".into() });
            error.help = Some(
                "write `deployments` with one for each of them, and name it: `{to: NAME, together: true}`"
                    .to_owned(),
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
        let told: Vec<_> = steps.iter().map(|step| (step.to.as_deref(), step.together)).collect();
        assert_eq!(told, [(None, false), (Some("two"), true), (Some("three"), false), (Some("two"), false)]);
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused_with_its_place() {
        let error = |text: &str| loaded(text).expect_err("this file is wrong");
        insta::assert_snapshot!(error("upstream: [{reply: ok}]\nsteps: [{}, {together: true}]"), @"
        error: two steps that are sent together both lead to `primary`
         --> scenarios/x.yaml:4:13
          |
        4 | steps: [{}, {together: true}]
          |         -   ^
          |         |
          |         the other is here
          |
          = help: write `deployments` with one for each of them, and name it: `{to: NAME, together: true}`
        ");
        insta::assert_snapshot!(error("deployments: {one: [{reply: ok}], two: [{reply: ok}]}\nproxy: {fallback: [one, two]}\nsteps: [{}, {to: two, together: true}]"), @"
        error: two steps that are sent together both lead to `two`
         --> scenarios/x.yaml:5:13
          |
        5 | steps: [{}, {to: two, together: true}]
          |         -   ^
          |         |
          |         the other is here
          |
          = help: write `deployments` with one for each of them, and name it: `{to: NAME, together: true}`
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
        error: there is no step before the first to send it together with
         --> scenarios/x.yaml:4:10
          |
        4 | steps: [{together: true}]
          |          ^^^^^^^^
          |
          = help: `together: true` belongs to the later one of two steps
        ");
        insta::assert_snapshot!(error("deployments: {one: [{reply: ok}], two: [{reply: ok}]}\nsteps: [{}, {to: two, together: true, leave: {at: after_headers}}]"), @"
        error: a caller cannot leave while others are sent together with it
         --> scenarios/x.yaml:4:39
          |
        4 | steps: [{}, {to: two, together: true, leave: {at: after_headers}}]
          |                                       ^^^^^
          |
          = help: give it a step of its own
        ");
    }
}
