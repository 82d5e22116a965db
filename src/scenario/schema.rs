//! JSON Schemas (2020-12), generated from the types that parse the files. Only tests generate them; the program contains
//! the stored files.

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};

use super::file::ScenarioFile;

/// Returns the JSON Schema of a scenario file, as indented JSON that ends with a line feed.
pub(crate) fn schema() -> String {
    schema_of::<ScenarioFile>()
}

/// Returns the JSON Schema of `T`, as indented JSON that ends with a line feed.
pub(crate) fn schema_of<T: JsonSchema>() -> String {
    let schema = schema_settings().into_generator().into_root_schema_for::<T>();
    // Unlike `to_value`, this puts the most important keywords first.
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    format!("{text}\n")
}

/// Settings that describe each type by its documentation, without the Rust examples.
pub(crate) fn schema_settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with_transform(RecursiveTransform(|schema: &mut Schema| {
        if let Some(serde_json::Value::String(text)) = schema.get_mut("description")
            && let Some((before, _)) = text.split_once("\n\n# Examples")
        {
            *text = before.to_owned();
        }
    }))
}
