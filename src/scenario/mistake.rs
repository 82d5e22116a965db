//! Invalid requests of a caller.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A defect of a request that the proxy itself has to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RequestMistake {
    /// The request has a key that the proxy does not accept.
    WrongKey,
    /// The request names a model that the proxy does not know.
    UnknownModel,
    /// The body is the first half of a valid JSON body.
    BrokenJson,
}

impl RequestMistake {
    /// The mistakes that only a proxy can notice that has keys for its callers, or a list of models.
    pub const CHECKED: [Self; 2] = [Self::WrongKey, Self::UnknownModel];

    /// The name in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongKey => "wrong_key",
            Self::UnknownModel => "unknown_model",
            Self::BrokenJson => "broken_json",
        }
    }
}

impl fmt::Display for RequestMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongKey => "sends a wrong key",
            Self::UnknownModel => "names a model that the proxy does not know",
            Self::BrokenJson => "sends half of its JSON body",
        })
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
    fn a_step_can_have_one_of_three_mistakes() {
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
    fn an_impossible_mistake_is_refused_with_its_position() {
        let error = |text: &str| loaded(text).expect_err("this file is wrong");
        insta::assert_snapshot!(error("matrix: {api: [openai/transcriptions]}\nsteps: [{mistake: broken_json}]"), @"
        error: a request of openai/transcriptions has no JSON body that could be broken
         --> scenarios/x.yaml:5:10
          |
        5 | steps: [{mistake: broken_json}]
          |          ^^^^^^^
          |
          = help: use `wrong_key` or `unknown_model`, or put this API into a separate file
        ");
        insta::assert_snapshot!(error("steps: [{mistake: wrong_key, leave: {at: after_headers}}]"), @"
        error: a caller that leaves does not wait for the response to its mistake
         --> scenarios/x.yaml:4:10
          |
        4 | steps: [{mistake: wrong_key, leave: {at: after_headers}}]
          |          ^^^^^^^
          |
          = help: write two steps: one with `mistake`, one with `leave`
        ");
    }
}
