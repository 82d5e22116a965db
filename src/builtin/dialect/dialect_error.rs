//! An error in one error form, and its conversion to another form.

use serde_json::{Value, json};

use super::ErrorForm;
use crate::builtin::envelope::{self, ErrorMembers};

/// An error in one error form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DialectError {
    /// The form of the error.
    pub form: ErrorForm,
    /// The members of the error object, including `message`. If the form has no error object, as with Ollama,
    /// the members that it would have.
    pub error: ErrorMembers,
    /// The members next to the error object.
    pub around: ErrorMembers,
}

impl DialectError {
    /// An error with OpenAI's members.
    pub(crate) fn openai(error: ErrorMembers) -> Self {
        Self { form: ErrorForm::Openai, error, around: ErrorMembers::new() }
    }

    /// The error of a body: the body's own, unchanged, if it has this form; otherwise one in OpenAI's form
    /// whose message is the shortened text of the body.
    pub(crate) fn of_body(form: ErrorForm, body: &[u8], status: u16) -> Self {
        if form != ErrorForm::Openai {
            let own = serde_json::from_slice(body).ok().and_then(|value| Self::of_value(form, &value));
            if let Some(error) = own {
                return error;
            }
        }
        Self::openai(envelope::of_body(body, status))
    }

    /// The error in a JSON value, if it has this form.
    pub(crate) fn of_value(form: ErrorForm, value: &Value) -> Option<Self> {
        // Google's streams wrap an error in a list.
        let value = match value {
            Value::Array(entries) if form == ErrorForm::Google && entries.len() == 1 => &entries[0],
            other => other,
        };
        let members = value.as_object()?;
        let has_text = |object: &ErrorMembers| object.get("message").is_some_and(Value::is_string);
        let other_members = |names: &[&str]| {
            let others = members.iter().filter(|(name, _)| !names.contains(&name.as_str()));
            others.map(|(name, value)| (name.clone(), value.clone())).collect::<ErrorMembers>()
        };
        let (error, around) = match form {
            ErrorForm::Openai => (envelope::of_value(value)?, ErrorMembers::new()),
            ErrorForm::Anthropic => {
                let error = members.get("error")?.as_object().filter(|error| has_text(error))?;
                error.get("type").filter(|kind| kind.is_string())?;
                (error.clone(), other_members(&["type", "error"]))
            }
            ErrorForm::Google => {
                let error = members.get("error")?.as_object().filter(|error| has_text(error))?;
                error.get("status").or_else(|| error.get("code")).filter(|value| !value.is_null())?;
                (error.clone(), other_members(&["error"]))
            }
            ErrorForm::Aws => {
                let text = members.get("message").or_else(|| members.get("Message"))?;
                text.is_string().then(|| (members.clone(), ErrorMembers::new()))?
            }
            ErrorForm::Cohere => has_text(members).then(|| (members.clone(), ErrorMembers::new()))?,
            ErrorForm::Ollama => {
                let text = members.get("error")?.as_str()?;
                (ErrorMembers::from_iter([("message".to_owned(), json!(text))]), other_members(&["error"]))
            }
        };
        Some(Self { form, error, around })
    }

    /// The text of the error; empty if it has none.
    pub(crate) fn message(&self) -> &str {
        let text = self.error.get("message").or_else(|| self.error.get("Message"));
        text.and_then(Value::as_str).unwrap_or_default()
    }

    /// Converts the error to another form, for a response with this status. Keeps the text. Keeps the
    /// provider's error type or code if the form has a place for it on which callers do not branch.
    pub(crate) fn into_form(self, form: ErrorForm, status: u16) -> Self {
        if self.form == form {
            return self;
        }
        let message = self.message().to_owned();
        let text = || ErrorMembers::from_iter([("message".to_owned(), json!(message))]);
        let mut around = ErrorMembers::new();
        let error = match form {
            ErrorForm::Openai => {
                let kind = ["type", "status"].iter().find_map(|name| self.error.get(*name)?.as_str());
                envelope::error(message.clone(), kind.unwrap_or(envelope::UPSTREAM_ERROR), None)
            }
            ErrorForm::Anthropic => {
                let mut error =
                    ErrorMembers::from_iter([("type".to_owned(), json!(form.error_type(status)))]);
                error.extend(text());
                if let Some(code) = self.error.get("code").filter(|code| code.is_string()) {
                    error.insert("details".into(), json!({ "error_code": code }));
                }
                error
            }
            ErrorForm::Google => {
                let mut error = ErrorMembers::from_iter([("code".to_owned(), json!(status))]);
                error.extend(text());
                error.insert("status".into(), json!(form.error_type(status)));
                error
            }
            ErrorForm::Aws | ErrorForm::Cohere | ErrorForm::Ollama => text(),
        };
        if let Some(id) = self.around.get("request_id").filter(|_| form == ErrorForm::Anthropic) {
            around.insert("request_id".into(), id.clone());
        }
        Self { form, error, around }
    }

    /// The complete response body.
    pub(crate) fn body(&self) -> Value {
        let mut members = ErrorMembers::new();
        match self.form {
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

    const FORMS: [(ErrorForm, &str); 6] = [
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
    fn a_body_in_the_same_form_does_not_change() {
        for (form, body) in FORMS {
            let error = DialectError::of_body(form, body.as_bytes(), 503);
            assert_eq!((error.body().to_string().as_str(), error.message()), (body, "m"), "{form:?}");
        }
        assert_eq!(
            DialectError::of_body(ErrorForm::Google, br#"[{"error":{"code":1,"message":"m"}}]"#, 500)
                .body()
                .to_string(),
            r#"{"error":{"code":1,"message":"m"}}"#
        );
    }

    #[test]
    fn every_body_keeps_its_text_in_every_form() {
        let bodies = FORMS.iter().map(|(_, body)| *body).chain(["m", "<html><p>m</p></html>"]);
        for body in bodies {
            for (form, _) in FORMS {
                let error = DialectError::of_body(form, body.as_bytes(), 503).into_form(form, 503);
                assert_eq!((error.form, error.message()), (form, "m"), "{form:?} {body}");
            }
        }
    }

    #[test]
    fn an_error_in_another_form_gets_the_form_and_the_type_that_callers_expect() {
        let converted = |form: ErrorForm, status| {
            let error = envelope::error("m".into(), "requests", Some("rate_limit_exceeded"));
            DialectError::openai(error).into_form(form, status).body().to_string()
        };
        insta::assert_snapshot!(converted(ErrorForm::Anthropic, 429), @r#"{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"rate_limit_exceeded"}}}"#);
        insta::assert_snapshot!(converted(ErrorForm::Google, 504), @r#"{"error":{"code":504,"message":"m","status":"DEADLINE_EXCEEDED"}}"#);
        insta::assert_snapshot!(converted(ErrorForm::Aws, 429), @r#"{"message":"m"}"#);
        insta::assert_snapshot!(converted(ErrorForm::Ollama, 500), @r#"{"error":"m"}"#);
        let anthropic = DialectError::of_body(ErrorForm::Anthropic, FORMS[1].1.as_bytes(), 529);
        insta::assert_snapshot!(anthropic.into_form(ErrorForm::Openai, 529).body(), @r#"{"error":{"message":"m","type":"overloaded_error","param":null,"code":null}}"#);
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic(body in "[\\[\\]{}\":,a-z]{0,40}") {
            for (form, _) in FORMS {
                for (into, _) in FORMS {
                    DialectError::of_body(form, body.as_bytes(), 500).into_form(into, 500).body();
                }
            }
        }
    }
}
