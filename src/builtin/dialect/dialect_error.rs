//! An error as it is told in one family's form, and its way into another's.

use serde_json::{Map, Value, json};

use super::ErrorForm;
use crate::builtin::envelope;

/// The members of an error object.
pub type ErrorMembers = Map<String, Value>;

/// An error in the words of one family.
#[derive(Debug, Clone, PartialEq)]
pub struct DialectError {
    /// Whose words.
    pub family: ErrorForm,
    /// The members of the error object, `message` among them. Where the family has no object, as
    /// with Ollama, those that one would have.
    pub error: ErrorMembers,
    /// The members beside the error object.
    pub around: ErrorMembers,
}

impl DialectError {
    /// An error with OpenAI's members.
    pub fn openai(error: ErrorMembers) -> Self {
        Self { family: ErrorForm::Openai, error, around: ErrorMembers::new() }
    }

    /// The error of a body: its own, untouched, where it has this family's form; else one whose
    /// message is the short text of the body, in OpenAI's.
    pub fn of_body(family: ErrorForm, body: &[u8], status: u16) -> Self {
        if family != ErrorForm::Openai {
            let own = serde_json::from_slice(body).ok().and_then(|value| Self::of_value(family, &value));
            if let Some(told) = own {
                return told;
            }
        }
        Self::openai(envelope::of_body(body, status))
    }

    /// The error that a JSON value carries in this family's own form.
    pub fn of_value(family: ErrorForm, value: &Value) -> Option<Self> {
        // Google's streams wrap an error in a list.
        let value = match value {
            Value::Array(entries) if family == ErrorForm::Google && entries.len() == 1 => &entries[0],
            other => other,
        };
        let members = value.as_object()?;
        let has_text = |object: &ErrorMembers| object.get("message").is_some_and(Value::is_string);
        let beside = |names: &[&str]| {
            let others = members.iter().filter(|(name, _)| !names.contains(&name.as_str()));
            others.map(|(name, value)| (name.clone(), value.clone())).collect::<ErrorMembers>()
        };
        let (error, around) = match family {
            ErrorForm::Openai => (envelope::of_value(value)?, ErrorMembers::new()),
            ErrorForm::Anthropic => {
                let error = members.get("error")?.as_object().filter(|error| has_text(error))?;
                error.get("type").filter(|kind| kind.is_string())?;
                (error.clone(), beside(&["type", "error"]))
            }
            ErrorForm::Google => {
                let error = members.get("error")?.as_object().filter(|error| has_text(error))?;
                error.get("status").or_else(|| error.get("code")).filter(|value| !value.is_null())?;
                (error.clone(), beside(&["error"]))
            }
            ErrorForm::Aws => {
                let text = members.get("message").or_else(|| members.get("Message"))?;
                text.is_string().then(|| (members.clone(), ErrorMembers::new()))?
            }
            ErrorForm::Cohere => has_text(members).then(|| (members.clone(), ErrorMembers::new()))?,
            ErrorForm::Ollama => {
                let text = members.get("error")?.as_str()?;
                (ErrorMembers::from_iter([("message".to_owned(), json!(text))]), beside(&["error"]))
            }
        };
        Some(Self { family, error, around })
    }

    /// What people read.
    pub fn message(&self) -> &str {
        let text = self.error.get("message").or_else(|| self.error.get("Message"));
        text.and_then(Value::as_str).unwrap_or_default()
    }

    /// The same error in another family's form, for an answer of this status. The text stays, and so
    /// does the provider's word for it, as far as the form has a place and callers do not branch on it.
    pub fn into_family(self, family: ErrorForm, status: u16) -> Self {
        if self.family == family {
            return self;
        }
        let message = self.message().to_owned();
        let text = || ErrorMembers::from_iter([("message".to_owned(), json!(message))]);
        let mut around = ErrorMembers::new();
        let error = match family {
            ErrorForm::Openai => {
                let kind = ["type", "status"].iter().find_map(|name| self.error.get(*name)?.as_str());
                envelope::error(message.clone(), kind.unwrap_or(envelope::UPSTREAM_ERROR), None)
            }
            ErrorForm::Anthropic => {
                let mut error = ErrorMembers::from_iter([("type".to_owned(), json!(family.word(status)))]);
                error.extend(text());
                if let Some(code) = self.error.get("code").filter(|code| code.is_string()) {
                    error.insert("details".into(), json!({ "error_code": code }));
                }
                error
            }
            ErrorForm::Google => {
                let mut error = ErrorMembers::from_iter([("code".to_owned(), json!(status))]);
                error.extend(text());
                error.insert("status".into(), json!(family.word(status)));
                error
            }
            ErrorForm::Aws | ErrorForm::Cohere | ErrorForm::Ollama => text(),
        };
        if let Some(id) = self.around.get("request_id").filter(|_| family == ErrorForm::Anthropic) {
            around.insert("request_id".into(), id.clone());
        }
        Self { family, error, around }
    }

    /// The whole body.
    pub fn body(&self) -> Value {
        let mut members = ErrorMembers::new();
        match self.family {
            ErrorForm::Openai | ErrorForm::Google => {
                members.insert("error".into(), self.error.clone().into());
            }
            ErrorForm::Anthropic => {
                members.insert("type".into(), json!("error"));
                members.insert("error".into(), self.error.clone().into());
            }
            ErrorForm::Ollama => {
                members.insert("error".into(), json!(self.message()));
            }
            ErrorForm::Aws | ErrorForm::Cohere => members = self.error.clone(),
        }
        members.extend(self.around.clone());
        members.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILIES: [(ErrorForm, &str); 6] = [
        (ErrorForm::Openai, r#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#),
        (
            ErrorForm::Anthropic,
            r#"{"type":"error","error":{"details":null,"type":"overloaded_error","message":"m"},"request_id":"req_1"}"#,
        ),
        (
            ErrorForm::Google,
            r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE","details":[{"@type":"x"}]}}"#,
        ),
        (ErrorForm::Aws, r#"{"message":"m","originalStatusCode":500}"#),
        (ErrorForm::Cohere, r#"{"message":"m","id":"i"}"#),
        (ErrorForm::Ollama, r#"{"error":"m","signin_url":"u"}"#),
    ];

    #[test]
    fn a_body_of_the_own_family_comes_out_as_it_went_in() {
        for (family, body) in FAMILIES {
            let told = DialectError::of_body(family, body.as_bytes(), 503);
            assert_eq!((told.body().to_string().as_str(), told.message()), (body, "m"), "{family:?}");
        }
        assert_eq!(
            DialectError::of_body(ErrorForm::Google, br#"[{"error":{"code":1,"message":"m"}}]"#, 500)
                .body()
                .to_string(),
            r#"{"error":{"code":1,"message":"m"}}"#
        );
    }

    #[test]
    fn whatever_came_keeps_its_text_in_every_family() {
        let bodies = FAMILIES.iter().map(|(_, body)| *body).chain(["m", "<html><p>m</p></html>"]);
        for body in bodies {
            for (family, _) in FAMILIES {
                let told = DialectError::of_body(family, body.as_bytes(), 503).into_family(family, 503);
                assert_eq!((told.family, told.message()), (family, "m"), "{family:?} {body}");
            }
        }
    }

    #[test]
    fn an_error_from_elsewhere_gets_the_form_and_the_word_that_callers_know() {
        let told = |family: ErrorForm, status| {
            let error = envelope::error("m".into(), "requests", Some("rate_limit_exceeded"));
            DialectError::openai(error).into_family(family, status).body().to_string()
        };
        insta::assert_snapshot!(told(ErrorForm::Anthropic, 429), @r#"{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"rate_limit_exceeded"}}}"#);
        insta::assert_snapshot!(told(ErrorForm::Google, 504), @r#"{"error":{"code":504,"message":"m","status":"DEADLINE_EXCEEDED"}}"#);
        insta::assert_snapshot!(told(ErrorForm::Aws, 429), @r#"{"message":"m"}"#);
        insta::assert_snapshot!(told(ErrorForm::Ollama, 500), @r#"{"error":"m"}"#);
        let anthropic = DialectError::of_body(ErrorForm::Anthropic, FAMILIES[1].1.as_bytes(), 529);
        insta::assert_snapshot!(anthropic.into_family(ErrorForm::Openai, 529).body(), @r#"{"error":{"message":"m","type":"overloaded_error","param":null,"code":null}}"#);
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic(body in "[\\[\\]{}\":,a-z]{0,40}") {
            for (family, _) in FAMILIES {
                for (into, _) in FAMILIES {
                    DialectError::of_body(family, body.as_bytes(), 500).into_family(into, 500).body();
                }
            }
        }
    }
}
