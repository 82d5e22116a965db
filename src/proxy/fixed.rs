//! Settings that a proxy has but scenarios cannot change.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scenario::{ProxySettings, Setting};

/// The values of the settings that a proxy's definition declares as fixed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FixedSettings {
    /// How long the proxy waits for one attempt.
    pub(super) timeout: Option<Duration>,
    /// How often the proxy retries.
    pub(super) retries: Option<u32>,
    /// How long a stream may be silent before the proxy sends a ping.
    pub(super) keep_alive: Option<Duration>,
}

impl FixedSettings {
    /// Adds the value of a setting, as it is in the definition.
    ///
    /// # Errors
    /// If the setting cannot have a fixed value, or the value is not valid. The text says what is wrong.
    pub(super) fn add(&mut self, setting: Setting, value: &Value) -> Result<(), String> {
        let read: ProxySettings = serde_json::from_value(json!({setting.as_str(): value}))
            .map_err(|error| format!("`{setting}` cannot be fixed at this value: {error}"))?;
        match setting {
            Setting::Timeout => self.timeout = Some(read.timeout),
            Setting::Retries => self.retries = Some(read.retries),
            Setting::KeepAlive => self.keep_alive = read.keep_alive,
            _ => {
                return Err(format!(
                    "`{setting}` cannot be fixed; only `timeout`, `retries` and `keep_alive` can"
                ));
            }
        }
        Ok(())
    }

    /// Whether the setting has a fixed value.
    pub(super) fn contains(&self, setting: Setting) -> bool {
        match setting {
            Setting::Timeout => self.timeout.is_some(),
            Setting::Retries => self.retries.is_some(),
            Setting::KeepAlive => self.keep_alive.is_some(),
            _ => false,
        }
    }
}
