//! Invalid requests.

use super::ClientCall;
use crate::scenario::RequestMistake;

/// A key that no proxy accepts.
const WRONG_KEY: &str = "sk-upfault-not-the-key";

/// A model that no proxy has in its configuration.
const UNKNOWN_MODEL: &str = "upfault-no-such-model";

impl ClientCall {
    /// Returns the request with this mistake, and otherwise unchanged. `model` and `keys` are those of a valid
    /// request.
    #[must_use]
    pub(crate) fn mistaken(mut self, mistake: RequestMistake, model: &str, keys: &[String]) -> Self {
        match mistake {
            RequestMistake::WrongKey => {
                for (_, value) in &mut self.headers {
                    for key in keys.iter().filter(|key| !key.is_empty()) {
                        *value = value.replace(key.as_str(), WRONG_KEY);
                    }
                }
            }
            // In every place: in the path, the query, a routing header, the body.
            RequestMistake::UnknownModel => {
                self.url = self.url.replace(model, UNKNOWN_MODEL);
                for (_, value) in &mut self.headers {
                    *value = value.replace(model, UNKNOWN_MODEL);
                }
                if let Ok(body) = std::str::from_utf8(&self.body) {
                    self.body = body.replace(model, UNKNOWN_MODEL).into_bytes();
                }
            }
            RequestMistake::BrokenJson => self.body.truncate(self.body.len() / 2),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::StepName;

    fn call() -> ClientCall {
        ClientCall {
            step: StepName::Step(1),
            method: http::Method::POST,
            url: "http://127.0.0.1:1/model/upfault-abc-primary/converse".to_owned(),
            headers: vec![
                ("authorization".to_owned(), "Bearer sk-right".to_owned()),
                ("x-model".to_owned(), "upfault-abc-primary".to_owned()),
            ],
            body: br#"{"model":"upfault-abc-primary"}"#.to_vec(),
            carrier: None,
        }
    }

    fn mistaken(mistake: RequestMistake) -> ClientCall {
        call().mistaken(mistake, "upfault-abc-primary", &["sk-right".to_owned(), String::new()])
    }

    #[test]
    fn only_the_mistaken_part_changes() {
        let key = mistaken(RequestMistake::WrongKey);
        assert_eq!(key.headers[0].1, "Bearer sk-upfault-not-the-key");
        assert_eq!((&key.headers[1], &key.url, &key.body), (&call().headers[1], &call().url, &call().body));

        let model = mistaken(RequestMistake::UnknownModel);
        assert_eq!(model.url, "http://127.0.0.1:1/model/upfault-no-such-model/converse");
        assert_eq!(model.headers[1].1, UNKNOWN_MODEL);
        assert_eq!(model.body, br#"{"model":"upfault-no-such-model"}"#);
        assert_eq!(model.headers[0], call().headers[0]);

        let json = mistaken(RequestMistake::BrokenJson);
        assert!(serde_json::from_slice::<serde_json::Value>(&json.body).is_err());
        assert_eq!((json.headers, json.url), (call().headers, call().url));
    }
}
