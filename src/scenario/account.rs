//! The provider account that the API keys belong to: its limits, and the requests that it refuses.

use std::{collections::HashSet, fmt, ops::RangeInclusive};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check::FileChecker, located::Located};

/// The provider account that the API keys belong to. A key that is left out is not limited and not checked.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, schemars(rename = "Account"))]
pub(crate) struct AccountFile {
    /// Requests per minute that each API key may make, 1 to 1,000,000,000; the allowance refills continuously.
    /// Default: unlimited.
    pub requests_per_minute: Option<Located<u64>>,
    /// Tokens per minute that each API key may use, 1 to 1,000,000,000: the prompt's tokens plus the requested
    /// output tokens. Default: unlimited.
    pub tokens_per_minute: Option<Located<u64>>,
    /// The API keys that the provider accepts. Default: any key is accepted.
    pub keys: Option<Located<Keys>>,
    /// The models that exist; a request for another one gets the provider's model-not-found error.
    /// Default: every model exists.
    pub models: Option<Located<Vec<String>>>,
    /// The longest request in tokens, 1 to 1,000,000,000: the prompt's tokens plus the requested output tokens.
    /// Default: unlimited.
    pub context_window: Option<Located<u64>>,
    /// The amount that each API key may spend, in US dollars, 0 to 1,000,000; a million tokens cost ten dollars.
    /// Default: unlimited.
    pub spend_limit: Option<Located<f64>>,
}

/// The API keys that the provider knows. Every other key is unknown to it and refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// The state of the deployment's own key, the one that the proxy is configured with. Default: `valid`.
    pub own: KeyState,
    /// Further keys that are valid. Default: none.
    pub valid: Vec<String>,
    /// Keys that were valid and have been revoked. Default: none.
    pub revoked: Vec<String>,
}

/// The state of an API key at the provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// The provider accepts the key.
    #[default]
    Valid,
    /// The provider accepted the key once and has revoked it.
    Revoked,
    /// The provider never issued the key.
    Unknown,
}

/// The provider account that the API keys belong to, after validation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// For each key, at least 1; `None` is unlimited.
    pub requests_per_minute: Option<u64>,
    /// For each key, at least 1; `None` is unlimited.
    pub tokens_per_minute: Option<u64>,
    /// `None`: any key is accepted.
    pub keys: Option<Keys>,
    /// `None`: every model exists.
    pub models: Option<Vec<String>>,
    /// In tokens, at least 1; `None` is unlimited.
    pub context_window: Option<u64>,
    /// For each key, in millionths of a US dollar; `None` is unlimited.
    pub spend_limit_micros: Option<u64>,
}

impl Account {
    /// The account as in a scenario file.
    pub(super) fn to_file(&self) -> serde_json::Value {
        let Self { requests_per_minute, tokens_per_minute, keys, models, context_window, spend_limit_micros } =
            self;
        let mut file = serde_json::json!({
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
            "keys": keys,
            "models": models,
            "context_window": context_window,
            "spend_limit": spend_limit_micros.map(|micros| micros as f64 / 1e6),
        });
        if let Some(members) = file.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        file
    }
}

/// `2 requests a minute, models m`: lists only the limits and checks that are set.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut add = |given: Option<String>| parts.extend(given);
        add(self.requests_per_minute.map(|n| format!("{n} requests a minute")));
        add(self.tokens_per_minute.map(|n| format!("{n} tokens a minute")));
        add(self.context_window.map(|n| format!("{n} tokens a request")));
        add(self.spend_limit_micros.map(|n| format!("${} to spend", n as f64 / 1e6)));
        add(self.models.as_ref().map(|models| format!("models {}", models.join(" "))));
        add(self.keys.as_ref().map(|keys| match keys.own {
            KeyState::Valid => "keys are checked".to_owned(),
            KeyState::Revoked => "the deployment's key is revoked".to_owned(),
            KeyState::Unknown => "the deployment's key is unknown".to_owned(),
        }));
        if parts.is_empty() { f.write_str("without limits") } else { f.write_str(&parts.join(", ")) }
    }
}

/// The upper bound exceeds every provider's limit and is small enough for exact arithmetic.
const COUNT: RangeInclusive<u64> = 1..=1_000_000_000;

/// Validates an account file and reports its errors to `check`.
pub(super) fn account(check: &mut FileChecker<'_>, file: &Located<AccountFile>) -> Account {
    let AccountFile { requests_per_minute, tokens_per_minute, keys, models, context_window, spend_limit } =
        &file.value;
    for (name, given) in [
        ("requests_per_minute", requests_per_minute),
        ("tokens_per_minute", tokens_per_minute),
        ("context_window", context_window),
    ] {
        if let Some(Located { value, range }) = given
            && !COUNT.contains(value)
        {
            check
                .error(range, format!("`{name}` must be between {} and {}", COUNT.start(), COUNT.end()))
                .help = Some("leave it out for no limit".to_owned());
        }
    }
    if let Some(Located { value, range }) = spend_limit
        && !(0.0..=1e6).contains(value)
    {
        check.error(range, "`spend_limit` must be between 0 and 1000000 dollars");
    }
    if let Some(Located { value, range }) = models
        && value.is_empty()
    {
        check.error(range, "`models` is empty: every request would be refused").help =
            Some("leave it out to accept every model".to_owned());
    }
    if let Some(Located { value: Keys { valid, revoked, .. }, range }) = keys {
        let mut seen = HashSet::new();
        if let Some(twice) = valid.iter().chain(revoked).find(|key| !seen.insert(*key)) {
            let place = check.word(range, twice);
            check.error(&place, format!("the key `{twice}` is listed twice in `keys`")).help =
                Some("a key is valid or revoked, not both; keep one".to_owned());
        }
    }
    let given = |count: &Option<Located<u64>>| count.as_ref().map(|at| at.value);
    Account {
        requests_per_minute: given(requests_per_minute),
        tokens_per_minute: given(tokens_per_minute),
        keys: keys.as_ref().map(|at| at.value.clone()),
        models: models.as_ref().map(|at| at.value.clone()),
        context_window: given(context_window),
        // A float-to-integer cast saturates; a value out of bounds was reported above.
        spend_limit_micros: spend_limit.as_ref().map(|at| (at.value * 1e6).round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_text;

    fn load(account: &str) -> Result<Option<Account>, String> {
        let text = format!("title: t\nwhy: w\nupstream: [{{reply: ok}}]\naccount: {account}\n");
        load_text("x", "f", &text).map(|scenario| scenario.account).map_err(|errors| errors.to_string())
    }

    #[test]
    fn all_of_an_account_loads() {
        let account = load(
            "{requests_per_minute: 2, tokens_per_minute: 100, keys: {own: revoked, valid: [a], revoked: [b]}, \
             models: [m], context_window: 8, spend_limit: 0.0005}",
        );
        let account = account.unwrap().unwrap();
        assert_eq!((account.requests_per_minute, account.tokens_per_minute), (Some(2), Some(100)));
        assert_eq!(account.keys.as_ref().unwrap().own, KeyState::Revoked);
        assert_eq!((account.context_window, account.spend_limit_micros), (Some(8), Some(500)));
        assert_eq!(
            account.to_string(),
            "2 requests a minute, 100 tokens a minute, 8 tokens a request, $0.0005 to spend, models m, \
             the deployment's key is revoked"
        );
        assert_eq!(load("{}").unwrap(), Some(Account::default()));
    }

    #[test]
    fn an_invalid_account_is_reported_with_its_position() {
        let errors = load(
            "{requests_per_minute: 0, models: [], spend_limit: -1, keys: {valid: [sk-a], revoked: [sk-a]}}",
        );
        insta::assert_snapshot!(errors.unwrap_err(), @"
        error: `requests_per_minute` must be between 1 and 1000000000
         --> f:4:32
          |
        4 | account: {requests_per_minute: 0, models: [], spend_limit: -1, keys: {valid: [sk-a], revoked: [sk-a]}}
          |                                ^
          |
          = help: leave it out for no limit

        error: `spend_limit` must be between 0 and 1000000 dollars
         --> f:4:60
          |
        4 | account: {requests_per_minute: 0, models: [], spend_limit: -1, keys: {valid: [sk-a], revoked: [sk-a]}}
          |                                                            ^^

        error: `models` is empty: every request would be refused
         --> f:4:43
          |
        4 | account: {requests_per_minute: 0, models: [], spend_limit: -1, keys: {valid: [sk-a], revoked: [sk-a]}}
          |                                           ^
          |
          = help: leave it out to accept every model

        error: the key `sk-a` is listed twice in `keys`
         --> f:4:79
          |
        4 | account: {requests_per_minute: 0, models: [], spend_limit: -1, keys: {valid: [sk-a], revoked: [sk-a]}}
          |                                                                               ^^^^
          |
          = help: a key is valid or revoked, not both; keep one
        ");
        insta::assert_snapshot!(load("{rpm: 2}").unwrap_err(), @"
        error: unknown key `rpm`
         --> f:4:11
          |
        4 | account: {rpm: 2}
          |           ^^^
          |
          = help: possible values: `requests_per_minute`, `tokens_per_minute`, `keys`, `models`, `context_window`, `spend_limit`
        ");
    }
}
