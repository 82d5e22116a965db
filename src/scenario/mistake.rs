//! A caller that asks wrongly.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    file::Located,
    model::{Combination, Step},
    validate::FileChecker,
    words::Api,
};

/// What is wrong with a request, so that the proxy itself has to refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestMistake {
    /// Its key is not the proxy's.
    WrongKey,
    /// It names a model that the proxy does not know.
    UnknownModel,
    /// Its body is the first half of the JSON that it should be.
    BrokenJson,
}

impl fmt::Display for RequestMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongKey => "shows a wrong key",
            Self::UnknownModel => "names a model that the proxy does not know",
            Self::BrokenJson => "sends half of its JSON",
        })
    }
}

/// A mistake has to be possible in every case of the file.
pub(super) fn mistakes(check: &mut FileChecker<'_>, steps: &[Located<Step>], matrix: &[Combination]) {
    for step in steps {
        let Some(mistake) = step.value.mistake else { continue };
        let place = check.word(&step.range, "mistake");
        let without_json = |api: Api| api.method() == "GET" || api.is_form() || api.is_session();
        let first = |wanted: &dyn Fn(Api) -> bool| matrix.iter().map(|one| one.api).find(|api| wanted(*api));
        if mistake == RequestMistake::BrokenJson
            && let Some(api) = first(&without_json)
        {
            check.error(&place, format!("a request of {api} is no JSON that could be broken")).help =
                Some("use `wrong_key` or `unknown_model`, or give this API a file of its own".to_owned());
        }
        if step.value.leave.is_some() {
            check.error(&place, "a caller that leaves does not wait for what its mistake comes to").help =
                Some("write two steps: one with `mistake`, one with `leave`".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_text;

    fn loaded(text: &str) -> Result<Option<RequestMistake>, String> {
        let text = format!("title: t\nwhy: w\nupstream: [{{reply: ok}}]\n{text}");
        let scenario = load_text("x", "scenarios/x.yaml", &text);
        scenario.map(|scenario| scenario.steps[0].mistake).map_err(|errors| errors.render(false))
    }

    #[test]
    fn a_step_may_be_wrong_in_one_of_three_ways() {
        for (word, mistake) in [
            ("wrong_key", RequestMistake::WrongKey),
            ("unknown_model", RequestMistake::UnknownModel),
            ("broken_json", RequestMistake::BrokenJson),
        ] {
            assert_eq!(loaded(&format!("steps: [{{mistake: {word}}}]")), Ok(Some(mistake)));
        }
        assert_eq!(loaded("steps: [{}]"), Ok(None));
    }

    #[test]
    fn a_mistake_that_a_request_cannot_make_is_refused_with_its_place() {
        let error = |text: &str| loaded(text).expect_err("this file is wrong");
        insta::assert_snapshot!(error("matrix: {api: [openai/transcriptions]}\nsteps: [{mistake: broken_json}]"), @"
        error: a request of openai/transcriptions is no JSON that could be broken
         --> scenarios/x.yaml:5:10
          |
        5 | steps: [{mistake: broken_json}]
          |          ^^^^^^^
          |
          = help: use `wrong_key` or `unknown_model`, or give this API a file of its own
        ");
        insta::assert_snapshot!(error("steps: [{mistake: wrong_key, leave: {at: after_headers}}]"), @"
        error: a caller that leaves does not wait for what its mistake comes to
         --> scenarios/x.yaml:4:10
          |
        4 | steps: [{mistake: wrong_key, leave: {at: after_headers}}]
          |          ^^^^^^^
          |
          = help: write two steps: one with `mistake`, one with `leave`
        ");
    }
}
