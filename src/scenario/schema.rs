//! The JSON Schema of a scenario file, made from the types that read it.

use super::file::ScenarioFile;

/// JSON Schema (2020-12) of a scenario file, as pretty JSON with a line feed at its end.
pub fn schema() -> String {
    let schema = schemars::schema_for!(ScenarioFile);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_else(|error| {
        // A schema is a JSON value already: turning it into text has no way to fail.
        unreachable!("a schema is JSON: {error}")
    });
    text.push('\n');
    text
}
