//! The format of the settings file.

use std::{fmt, net::SocketAddr, num::NonZeroU16, path::PathBuf, time::Duration};

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    judge::PolicyEdits,
    report::{FailureOutput, ReportFormat, Verbosity},
    scenario::{KnownFile, duration},
};

/// Settings of a project: defaults for the options of `upfault`. Paths are relative to the folder of the file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, schemars(title = "upfault.toml"))]
pub(super) struct SettingsFile {
    /// The proxy to test: `builtin`, `builtin:DEFECT`, NAME[@VERSION], a folder with a proxy.yaml, or the URL of a
    /// running proxy.
    pub proxy: Option<String>,
    /// The address of the mock providers, for a proxy that is already running.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub listen: Option<SocketAddr>,
    /// The folder that `upfault proxy render --to FOLDER` wrote for a proxy that is already running.
    pub rendered: Option<PathBuf>,
    /// Scenarios: files, folders, or names as `upfault list` prints them. Default: the bundled ones and those in the
    /// folder `scenarios`.
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub scenarios: Option<Vec<String>>,
    /// Only cases that match this expression, for example `!tag:slow`. Default: all cases.
    pub filter: Option<String>,
    /// The snapshot folder. Default: `snapshots`.
    pub snapshots: Option<PathBuf>,
    /// Reports that every run writes: the path for each format. `-` is standard output.
    pub report: Option<ReportFiles>,
    /// The seed of all random choices. Default: 0.
    pub seed: Option<u64>,
    /// Maximum concurrent cases. Default: adapts to the speed of the proxy.
    pub jobs: Option<NonZeroU16>,
    /// The durations file by which `--shard` splits. Default: the durations of a run with LiteLLM.
    pub durations: Option<PathBuf>,
    /// Whether known findings fail the run too. Default: false.
    pub strict: Option<bool>,
    /// The run fails if more cases than these are inconclusive. Default: 5.
    pub allow_inconclusive: Option<usize>,
    /// The run stops after this many failing cases. Default: 0, which runs every case.
    pub fail_fast: Option<usize>,
    /// How to decide disputed questions.
    pub policy: Option<PolicyChoice>,
    /// Which failing cases are printed in full. Default: `first`.
    pub failure_output: Option<FailureOutput>,
    /// How much is printed. Default: `normal`.
    pub verbosity: Option<Verbosity>,
    /// Files about providers, in addition to those in `.upfault/providers`. The name of a file is that of its provider.
    pub providers: Option<Vec<PathBuf>>,
    /// The age from which `upfault check` warns of a recording, as a duration (`180d`). Default: 90 days.
    #[serde(default, with = "duration::option")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub recording_max_age: Option<Duration>,
    /// Findings that an upstream issue explains, each for one proxy and a range of its versions. `cases` is required.
    pub known: Option<Vec<KnownFile>>,
}

/// The reports that every run writes: formats with their paths, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ReportFiles(pub Vec<(ReportFormat, PathBuf)>);

impl<'de> Deserialize<'de> for ReportFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FilesVisitor)
    }
}

struct FilesVisitor;

impl<'de> Visitor<'de> for FilesVisitor {
    type Value = ReportFiles;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table (`{json = \"report.json\"}`)")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut files = Vec::new();
        while let Some(FormatName(format)) = members.next_key()? {
            files.push((format, members.next_value()?));
        }
        Ok(ReportFiles(files))
    }
}

/// The name of a report format, as a key.
struct FormatName(ReportFormat);

impl<'de> Deserialize<'de> for FormatName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || D::Error::unknown_field(&name, &ReportFormat::NAMES);
        ReportFormat::named(&name).map(Self).ok_or_else(unknown)
    }
}

#[cfg(test)]
impl JsonSchema for ReportFiles {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ReportFiles".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let path = |name: &str| {
            let described = format!("The path of the report in the format `{name}`; `-` is standard output.");
            (name.to_owned(), serde_json::json!({"description": described, "type": "string"}))
        };
        let properties: serde_json::Map<_, _> = ReportFormat::NAMES.into_iter().map(path).collect();
        json_schema!({
            "description": "Reports that every run writes.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

/// A policy by name or file, or changes to a bundled policy.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PolicyChoice {
    /// `default`, `rfc9110`, `litellm-docs`, `strict`, or a policy file.
    Named(String),
    /// The changed answers, each with a reason.
    Edited(Box<PolicyEdits<String>>),
}

impl<'de> Deserialize<'de> for PolicyChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChoiceVisitor)
    }
}

struct ChoiceVisitor;

impl<'de> Visitor<'de> for ChoiceVisitor {
    type Value = PolicyChoice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a policy, a policy file, or a `[policy]` table")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(PolicyChoice::Named(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        let edits = PolicyEdits::deserialize(MapAccessDeserializer::new(members))?;
        Ok(PolicyChoice::Edited(Box::new(edits)))
    }
}

#[cfg(test)]
impl JsonSchema for PolicyChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PolicyChoice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let edits = generator.subschema_for::<PolicyEdits<String>>();
        json_schema!({
            "description": "A policy by name or file, or changes to a bundled policy.",
            "anyOf": [{"type": "string"}, edits],
        })
    }
}

/// The JSON Schema (2020-12) of the file, as formatted JSON with a final newline.
#[cfg(test)]
pub(super) fn schema() -> String {
    crate::scenario::schema_of::<SettingsFile>()
}
