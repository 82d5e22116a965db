//! The JSON Schema of a scenario file, generated from the types that parse it.

use super::file::ScenarioFile;

/// Returns the JSON Schema (2020-12) of a scenario file, as indented JSON that ends with a line feed.
pub(crate) fn schema() -> String {
    let schema = schemars::schema_for!(ScenarioFile);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_else(|error| {
        // A schema is already a JSON value, which always serializes.
        unreachable!("a schema is JSON: {error}")
    });
    text.push('\n');
    text
}
