//! Removes secrets from responses: provider keys and upstream addresses.

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;

use super::envelope::ErrorMembers;
use crate::proxy::ProxyRoute;

/// The secrets of all routes.
///
/// There may be a thousand routes, and every header of every response is searched. So the search first
/// looks for what every text with a secret contains: the common prefix of the keys, or an authority.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    routes: Arc<[ProxyRoute]>,
    /// The longest common prefix of all keys.
    prefix: String,
    /// Each distinct `127.0.0.1:PORT` of a base URL.
    authorities: Vec<String>,
}

impl Secrets {
    pub(super) fn of(routes: Arc<[ProxyRoute]>) -> Self {
        let keys = || routes.iter().map(|route| route.api_key.as_str()).filter(|key| !key.is_empty());
        let prefix = keys().reduce(common).unwrap_or_default().to_owned();
        let mut authorities: Vec<String> =
            routes.iter().map(|route| authority(&route.base_url).to_owned()).collect();
        authorities.sort_unstable();
        authorities.dedup();
        Self { routes, prefix, authorities }
    }

    /// Replaces every secret in an error.
    pub(super) fn redact(&self, error: &mut ErrorMembers) {
        error.values_mut().for_each(|value| self.redact_value(value));
    }

    fn redact_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.redacted(text) {
                    *text = clean;
                }
            }
            Value::Array(entries) => entries.iter_mut().for_each(|entry| self.redact_value(entry)),
            Value::Object(members) => members.values_mut().for_each(|member| self.redact_value(member)),
            _ => {}
        }
    }

    /// Replaces every secret in a text; borrowed if it contains none.
    pub(super) fn redacted<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        if !self.may_be_in(&text) {
            return text;
        }
        for route in &*self.routes {
            let address = authority(&route.base_url);
            for (secret, shown) in [
                (route.api_key.as_str(), "[key]"),
                (route.base_url.as_str(), "[upstream]"),
                (address, "[upstream]"),
            ] {
                if !secret.is_empty() && text.contains(secret) {
                    text = Cow::Owned(text.replace(secret, shown));
                }
            }
        }
        text
    }

    /// Whether `text` could contain a secret: a cheap check without false negatives.
    fn may_be_in(&self, text: &str) -> bool {
        text.contains(&self.prefix) || self.authorities.iter().any(|authority| text.contains(authority))
    }
}

/// The longest common prefix of both.
fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b);
    same.map_or(&a[..a.len().min(b.len())], |((at, _), _)| &a[..at])
}

/// `127.0.0.1:PORT` of a base URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(base_url: &str, api_key: &str) -> ProxyRoute {
        ProxyRoute {
            model: "m".into(),
            api: crate::scenario::Api::OpenaiChat,
            provider: crate::scenario::Provider::Openai,
            upstream_model: "u".into(),
            base_url: base_url.into(),
            api_key: api_key.into(),
            fallbacks: vec![],
            settings: crate::scenario::ProxySettings::default(),
            group: "g".into(),
            own: serde_json::Value::Null,
        }
    }

    fn secrets(routes: Vec<ProxyRoute>) -> Secrets {
        Secrets::of(routes.into())
    }

    #[test]
    fn secrets_are_replaced_at_every_depth_of_an_error() {
        let body = br#"{"error":{"message":"key sk-secret at 127.0.0.1:9","details":["http://127.0.0.1:9/x/v1/chat"]}}"#;
        let mut error = super::super::envelope::of_body(body, 401);
        secrets(vec![route("http://127.0.0.1:9/x/v1", "sk-secret")]).redact(&mut error);
        assert_eq!(error["message"], "key [key] at [upstream]");
        assert_eq!(error["details"][0], "[upstream]/chat");
    }

    #[test]
    fn each_secret_of_many_routes_is_found() {
        let routes = |keys: &[&str]| {
            let number =
                |(n, key): (usize, &&str)| route(&format!("http://127.0.0.1:{}/x", 4000 + n % 2), key);
            secrets(keys.iter().enumerate().map(number).collect())
        };
        for keys in [
            &["sk-a-1", "sk-a-2", "sk-b"][..],
            &["one", "two"],
            &["sk-ä", "sk-ö"],
            &["same", "same"],
            &["", "key"],
        ] {
            let secrets = routes(keys);
            for key in keys.iter().filter(|key| !key.is_empty()) {
                assert_eq!(secrets.redacted(&format!("<{key}>")), "<[key]>", "{keys:?}");
            }
            for (n, _) in keys.iter().enumerate() {
                let address = format!("at 127.0.0.1:{}", 4000 + n % 2);
                assert_eq!(secrets.redacted(&address), "at [upstream]", "{keys:?}");
            }
        }
        assert!(matches!(routes(&["sk-a", "sk-b"]).redacted("nothing here"), Cow::Borrowed(_)));
        assert!(matches!(secrets(vec![]).redacted("nothing here"), Cow::Borrowed(_)));
    }
}
