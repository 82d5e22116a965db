//! The account behind the keys, as a provider keeps it: what it allows, and what it refuses.

use std::{collections::HashSet, fmt, ops::RangeInclusive};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{file::Located, validate::FileChecker};

/// An account as it is written. What is left out is not limited and not checked.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Account")]
pub struct AccountFile {
    /// Requests that each key may make in a minute, refilled all the time.
    pub requests_per_minute: Option<Located<u64>>,
    /// Tokens that each key may use in a minute, those of the prompt and those asked for.
    pub tokens_per_minute: Option<Located<u64>>,
    /// Keys are checked: which are good. Where it is left out any key is.
    pub keys: Option<Located<Keys>>,
    /// The models that there are; any, where left out.
    pub models: Option<Located<Vec<String>>>,
    /// The longest request in tokens, those of the prompt and those asked for.
    pub context_window: Option<Located<u64>>,
    /// What each key may spend, in US dollars; ten dollars buy a million tokens.
    pub spend_limit: Option<Located<f64>>,
}

/// Which keys are good.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// What the key is that the deployment was given, the one that a proxy is set up with.
    pub own: KeyState,
    /// Other keys that are good.
    pub valid: Vec<String>,
    /// Keys that were good once.
    pub revoked: Vec<String>,
}

/// What a key is to a provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Good.
    #[default]
    Valid,
    /// Good once.
    Revoked,
    /// Never known.
    Unknown,
}

/// The account behind the keys, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// At least 1.
    pub requests_per_minute: Option<u64>,
    /// At least 1.
    pub tokens_per_minute: Option<u64>,
    /// `None`: any key is good.
    pub keys: Option<Keys>,
    /// `None`: any model is there.
    pub models: Option<Vec<String>>,
    /// In tokens, at least 1.
    pub context_window: Option<u64>,
    /// In millionths of a US dollar.
    pub spend_limit_micros: Option<u64>,
}

/// `2 requests a minute, models m`: only what it limits or checks.
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

/// So much is more than any provider allows, and little enough for exact arithmetic.
const COUNT: RangeInclusive<u64> = 1..=1_000_000_000;

/// Turns an account as written into one, and notes what is wrong with it.
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
                .error(range, format!("`{name}` must lie between {} and {}", COUNT.start(), COUNT.end()))
                .help = Some("leave it out for no limit".to_owned());
        }
    }
    if let Some(Located { value, range }) = spend_limit
        && !(0.0..=1e6).contains(value)
    {
        check.error(range, "`spend_limit` must lie between 0 and 1000000 dollars");
    }
    if let Some(Located { value, range }) = models
        && value.is_empty()
    {
        check.error(range, "`models` is empty: no request could ever be answered").help =
            Some("leave it out for any model".to_owned());
    }
    if let Some(Located { value: Keys { valid, revoked, .. }, range }) = keys {
        let mut seen = HashSet::new();
        if let Some(twice) = valid.iter().chain(revoked).find(|key| !seen.insert(*key)) {
            let place = check.word(range, twice);
            check.error(&place, format!("the key `{twice}` stands in `keys` twice")).help =
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
        // A cast of a float never wraps; one out of bounds has been told above.
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
    fn what_no_account_can_be_is_shown_in_its_place() {
        let said = load(
            "{requests_per_minute: 0, models: [], spend_limit: -1, keys: {valid: [sk-a], revoked: [sk-a]}}",
        );
        insta::assert_snapshot!(said.unwrap_err(), @"
        error: `requests_per_minute` must lie between 1 and 1000000000
         --> f:4:32
          |
        4 | account: {requests_per_minute: 0, models: [], spend_limit: -1, keys: {valid: [sk-a], revoked: [sk-a]}}
          |                                ^
          |
          = help: leave it out for no limit

        error: `spend_limit` must lie between 0 and 1000000 dollars
         --> f:4:60
          |
        4 | account: {requests_per_minute: 0, models: [], spend_limit: -1, keys: {valid: [sk-a], revoked: [sk-a]}}
          |                                                            ^^

        error: `models` is empty: no request could ever be answered
         --> f:4:43
          |
        4 | account: {requests_per_minute: 0, models: [], spend_limit: -1, keys: {valid: [sk-a], revoked: [sk-a]}}
          |                                           ^
          |
          = help: leave it out for any model

        error: the key `sk-a` stands in `keys` twice
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
          = help: possible are: `requests_per_minute`, `tokens_per_minute`, `keys`, `models`, `context_window`, `spend_limit`
        ");
    }
}
