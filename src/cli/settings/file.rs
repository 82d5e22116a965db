//! What may stand in the file.

use std::{fmt, net::SocketAddr, num::NonZeroU16, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::judge::PolicyEdits;

/// What a project has chosen: the defaults of `upfault`'s command line. A relative path is meant from the
/// folder of the file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "upfault.toml")]
pub struct SettingsFile {
    /// The proxy to test: `builtin`, `builtin:DEFECT`, NAME[@VERSION], a folder with a proxy.yaml, or the URL of
    /// a running one.
    pub proxy: Option<String>,
    /// Where the mock upstreams listen; for a proxy that somebody else runs.
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// The project's scenarios: files, folders, or names as `upfault list` shows them. Where it is left out, those
    /// that are bundled and those in the folder `scenarios`.
    #[schemars(length(min = 1))]
    pub scenarios: Option<Vec<String>>,
    /// The folder of the snapshots; `snapshots` where it is left out.
    pub snapshots: Option<PathBuf>,
    /// Reports that every run writes.
    pub report: Option<ReportFiles>,
    /// The seed of everything random.
    pub seed: Option<u64>,
    /// Cases in flight at the most; left to the proxy's own pace where it is left out.
    pub jobs: Option<NonZeroU16>,
    /// A run fails if more cases than these are inconclusive; 5 if it is left out.
    pub allow_inconclusive: Option<usize>,
    /// How disputed questions are judged.
    pub policy: Option<PolicyChoice>,
}

/// Reports that every run writes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportFiles {
    /// Where the JSON report goes.
    pub json: Option<PathBuf>,
}

/// A policy by its name or file, or what differs from a bundled one.
#[derive(Debug, Clone, PartialEq)]
pub enum PolicyChoice {
    /// `default`, `rfc9110`, `litellm-docs`, `strict`, or a policy file.
    Named(String),
    /// A table: the answers that differ, each with its reason.
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
        f.write_str("the name of a policy, a policy file, or a table `[policy]`")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(PolicyChoice::Named(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        let edits = PolicyEdits::deserialize(MapAccessDeserializer::new(members))?;
        Ok(PolicyChoice::Edited(Box::new(edits)))
    }
}

impl JsonSchema for PolicyChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PolicyChoice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let edits = generator.subschema_for::<PolicyEdits<String>>();
        json_schema!({
            "description": "A policy by its name or file, or what differs from a bundled one.",
            "anyOf": [{"type": "string"}, edits],
        })
    }
}

/// JSON Schema (2020-12) of the file, as pretty JSON with a line feed at its end.
pub fn schema() -> String {
    format!("{:#}\n", schemars::schema_for!(SettingsFile).to_value())
}
