//! The settings of a proxy that a scenario can choose: one row for each, from which its checks, its values in templates
//! and its descriptions follow.

use std::{collections::BTreeMap, time::Duration};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{duration, words::words};

/// The settings of the proxy for a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ProxySettings {
    /// The longest time that the proxy waits for one attempt, as a duration, `100ms` to `10m`. Default: `10s`.
    #[serde(with = "duration")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub timeout: Duration,
    /// The number of times that the proxy may retry a failed attempt, 0 to 10. Default: 0.
    pub retries: u32,
    /// The deployments that the proxy tries, in order, beginning with the one that callers address. Default: no
    /// fallback.
    pub fallback: Vec<String>,
    /// The deployments that share one model name, beginning with the one that callers address: the proxy chooses among
    /// them. Default: no group.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<String>,
    /// When the proxy puts a failing deployment in cooldown, and for how long. Default: no cooldown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Cooldown>,
    /// Whether callers use a pass-through route, on which the proxy forwards requests and responses unchanged.
    /// Callers then use the provider's own dialect and model name. Default: `false`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pass_through: bool,
    /// How long a stream may be silent before the proxy sends a ping, as a duration, `50ms` to `1m`. Pings begin
    /// before the provider has answered, so the proxy has then already sent status 200. Default: no pings.
    #[serde(with = "duration::option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub keep_alive: Option<Duration>,
}

/// The rule by which the proxy puts a failing deployment in cooldown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cooldown {
    /// The number of failures after which the cooldown begins, at least 1.
    pub after: u32,
    /// The length of the cooldown, as a duration (`30s`).
    #[serde(rename = "for", with = "duration")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub lasting: Duration,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retries: 0,
            fallback: Vec::new(),
            group: Vec::new(),
            cooldown: None,
            pass_through: false,
            keep_alive: None,
        }
    }
}

words! {
    /// A setting, by its name in scenario files and proxy definitions.
    Setting {
        /// How long the proxy may wait for one attempt.
        Timeout = "timeout",
        /// How often the proxy may retry.
        Retries = "retries",
        /// Other deployments to try when one fails.
        Fallback = "fallback",
        /// Several deployments under one model name.
        Group = "group",
        /// Not using a failing deployment for a certain time.
        Cooldown = "cooldown",
        /// Passing requests and responses through unchanged. Definitions declare the routes that do in a section of their
        /// own.
        PassThrough = "pass_through",
        /// Trusting the certificate authority in the file `ca`, for providers that use TLS.
        Tls = "tls",
        /// Speaking HTTP/2 over TLS to providers that offer it.
        Http2 = "http2",
        /// Sending pings on a silent stream, even before its first event.
        KeepAlive = "keep_alive",
    }
}

/// What upfault knows about a setting of a scenario.
pub(crate) struct ProxySettingRow {
    /// Completes the sentence "the proxy cannot be configured with …".
    pub words: &'static str,
    /// The name of its value in templates for a route; `None` if routes do not have it.
    pub of_route: Option<&'static str>,
    /// The name of its value in templates for an instance; `None` if instances do not have it.
    pub of_instance: Option<&'static str>,
    /// Its value in templates. The argument is `None` for an instance whose routes have their own values.
    pub value: fn(Option<&ProxySettings>) -> Value,
    /// A value other than the default, with which templates are checked.
    pub sample: fn(&mut ProxySettings),
    /// What `upfault explain` prints.
    pub shown: fn(&ProxySettings) -> Option<String>,
    /// What is wrong with its value, and what to do about it.
    pub problem: fn(&ProxySettings) -> Option<(&'static str, Option<&'static str>)>,
    /// Whether a route that passes requests through can have it.
    pub passes_through: bool,
    /// Whether it needs a stream in every case.
    pub needs_stream: bool,
}

impl Setting {
    /// Returns what upfault knows about it; `None` for those that follow from the transport of a scenario.
    pub(crate) fn row(self) -> Option<ProxySettingRow> {
        Some(match self {
            Self::Timeout => ProxySettingRow {
                words: "a timeout",
                of_route: Some("timeout_s"),
                of_instance: Some("timeout_s"),
                value: |settings| json!(settings.map(|settings| settings.timeout.as_secs_f64())),
                sample: |settings| settings.timeout = Duration::from_secs(1),
                shown: |settings| Some(format!("timeout {}", humantime::format_duration(settings.timeout))),
                problem: |settings| {
                    let range = Duration::from_millis(100)..=Duration::from_secs(600);
                    (!range.contains(&settings.timeout)).then_some((
                        "`timeout` must be between 100ms and 10m",
                        Some("below 100 ms the test measures the machine's own delays, not the proxy"),
                    ))
                },
                passes_through: true,
                needs_stream: false,
            },
            Self::Retries => ProxySettingRow {
                words: "retries",
                of_route: Some("retries"),
                of_instance: Some("retries"),
                value: |settings| json!(settings.map(|settings| settings.retries)),
                sample: |settings| settings.retries = 1,
                shown: |settings| Some(format!("retries {}", settings.retries)),
                problem: |settings| {
                    (settings.retries > 10).then_some(("`retries` must not be more than 10", None))
                },
                passes_through: false,
                needs_stream: false,
            },
            Self::Fallback => ProxySettingRow {
                words: "a fallback",
                // A route has `fallbacks`: the models of the other deployments.
                of_route: None,
                of_instance: Some("fallback"),
                value: |settings| json!(settings.is_some_and(|settings| !settings.fallback.is_empty())),
                sample: |settings| settings.fallback = vec!["primary".to_owned(), "backup".to_owned()],
                shown: |settings| {
                    let chain = settings.fallback.join(" then ");
                    (!chain.is_empty()).then(|| format!("fallback {chain}"))
                },
                // `validate` compares the chain with the deployments.
                problem: |_| None,
                passes_through: false,
                needs_stream: false,
            },
            Self::Group => ProxySettingRow {
                words: "a group of deployments under one model name",
                // The routes of a group have the same model.
                of_route: None,
                of_instance: None,
                value: |settings| json!(settings.is_some_and(|settings| !settings.group.is_empty())),
                sample: |settings| settings.group = vec!["primary".to_owned(), "backup".to_owned()],
                shown: |settings| {
                    let group = settings.group.join(" and ");
                    (!group.is_empty()).then(|| format!("a group of {group}"))
                },
                // `validate` compares the group with the deployments.
                problem: |_| None,
                passes_through: false,
                needs_stream: false,
            },
            Self::Cooldown => ProxySettingRow {
                words: "a cooldown",
                of_route: None,
                of_instance: Some("cooldown"),
                value: |settings| {
                    let cooldown = settings.and_then(|settings| settings.cooldown);
                    json!(cooldown.map(
                        |cooldown| json!({"after": cooldown.after, "for_s": cooldown.lasting.as_secs_f64()})
                    ))
                },
                sample: |settings| {
                    settings.cooldown = Some(Cooldown { after: 1, lasting: Duration::from_secs(1) });
                },
                shown: |settings| {
                    let Cooldown { after, lasting } = settings.cooldown?;
                    Some(format!("cooldown after {after} for {}", humantime::format_duration(lasting)))
                },
                problem: |settings| {
                    let never = settings.cooldown.is_some_and(|cooldown| cooldown.after == 0);
                    never.then_some(("`cooldown.after` must be at least 1", None))
                },
                passes_through: false,
                needs_stream: false,
            },
            Self::PassThrough => ProxySettingRow {
                words: "pass-through routes",
                of_route: Some("pass_through"),
                of_instance: None,
                value: |settings| json!(settings.is_some_and(|settings| settings.pass_through)),
                sample: |settings| settings.pass_through = true,
                shown: |settings| {
                    let shown = "passing requests and responses through unchanged";
                    settings.pass_through.then(|| shown.to_owned())
                },
                problem: |_| None,
                passes_through: true,
                needs_stream: false,
            },
            Self::KeepAlive => ProxySettingRow {
                words: "keep-alive pings",
                of_route: Some("keep_alive_s"),
                of_instance: Some("keep_alive_s"),
                value: |settings| {
                    let interval = settings.and_then(|settings| settings.keep_alive);
                    json!(interval.map(|interval| interval.as_secs_f64()))
                },
                sample: |settings| settings.keep_alive = Some(Duration::from_secs(1)),
                shown: |settings| {
                    let interval = humantime::format_duration(settings.keep_alive?);
                    Some(format!("a ping after {interval} of silence"))
                },
                problem: |settings| {
                    let range = Duration::from_millis(50)..=Duration::from_secs(60);
                    settings.keep_alive.filter(|interval| !range.contains(interval)).map(|_| {
                        (
                            "`keep_alive` must be between 50ms and 1m",
                            Some("a shorter interval sends needless pings; with a longer one no case would see a ping"),
                        )
                    })
                },
                passes_through: false,
                needs_stream: true,
            },
            Self::Tls | Self::Http2 => return None,
        })
    }

    /// Returns every setting of scenarios with its row.
    pub(crate) fn rows() -> impl Iterator<Item = (Self, ProxySettingRow)> {
        Self::ALL.iter().filter_map(|setting| Some((*setting, setting.row()?)))
    }
}

impl ProxySettings {
    /// Returns the settings that differ from their defaults.
    pub(crate) fn chosen(&self) -> impl Iterator<Item = (Setting, ProxySettingRow)> {
        let default = Self::default();
        Setting::rows().filter(move |(_, row)| (row.value)(Some(self)) != (row.value)(Some(&default)))
    }

    /// Returns settings of which each differs from its default, except `pass_through`.
    pub(crate) fn sample() -> Self {
        let mut sample = Self::default();
        Setting::rows().for_each(|(_, row)| (row.sample)(&mut sample));
        Self { pass_through: false, ..sample }
    }

    /// Returns the values for templates of a route, by their names.
    pub(crate) fn of_route(&self) -> impl Iterator<Item = (&'static str, Value)> {
        Setting::rows().filter_map(|(_, row)| Some((row.of_route?, (row.value)(Some(self)))))
    }

    /// Returns the values for templates of an instance, by their names. `is_wide` says of which settings the instance
    /// has one value for all routes.
    pub(crate) fn of_instance(&self, is_wide: impl Fn(Setting) -> bool) -> BTreeMap<&'static str, Value> {
        let value = |(setting, row): (Setting, ProxySettingRow)| {
            Some((row.of_instance?, (row.value)(is_wide(setting).then_some(self))))
        };
        Setting::rows().filter_map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_of_a_scenario_has_a_row() {
        let fields =
            serde_json::to_value(ProxySettings { pass_through: true, ..ProxySettings::sample() }).unwrap();
        let mut fields: Vec<&str> = fields.as_object().unwrap().keys().map(String::as_str).collect();
        let mut rows: Vec<&str> = Setting::rows().map(|(setting, _)| setting.as_str()).collect();
        fields.sort_unstable();
        rows.sort_unstable();
        assert_eq!(fields, rows);
    }

    #[test]
    fn the_sample_differs_from_the_default_in_each_setting() {
        let names =
            |settings: &ProxySettings| settings.chosen().map(|(setting, _)| setting).collect::<Vec<_>>();
        assert_eq!(names(&ProxySettings::default()), []);
        let all =
            Setting::rows().map(|(setting, _)| setting).filter(|setting| *setting != Setting::PassThrough);
        assert_eq!(names(&ProxySettings::sample()), all.collect::<Vec<_>>());
        for (setting, row) in Setting::rows() {
            assert_eq!((row.problem)(&ProxySettings::sample()), None, "{setting}");
        }
    }
}
