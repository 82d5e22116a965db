//! `upfault schema`

use serde_json::{Value, json};

use super::{args::SchemaOf, failure::Failure, print};
use crate::{
    bundled::SCHEMAS,
    report,
    scenario::{ErrorName, Provider},
    serve::published,
};

/// Prints a JSON Schema, or the OpenAPI document.
pub(super) fn schema(of: SchemaOf) -> Result<u8, Failure> {
    let file = match of {
        SchemaOf::Openapi => {
            print::out(&published())?;
            return Ok(report::EXIT_OK);
        }
        SchemaOf::Scenario => "scenario.schema.json",
        SchemaOf::Proxy => "proxy.schema.json",
        SchemaOf::Settings => "upfault.schema.json",
        SchemaOf::Selftest => "selftest.schema.json",
        SchemaOf::Report => "report.schema.json",
        SchemaOf::Comparison => "comparison.schema.json",
    };
    print::out(&with_own_words(SCHEMAS.get(file).unwrap_or_default()))?;
    Ok(report::EXIT_OK)
}

/// A schema with the providers and errors that the project's files add.
fn with_own_words(text: &str) -> String {
    let added = [
        ("Provider", &Provider::names()[Provider::NAMES.len()..]),
        ("ErrorName", &ErrorName::names()[ErrorName::NAMES.len()..]),
    ];
    if added.iter().all(|(_, names)| names.is_empty()) {
        return text.to_owned();
    }
    let Ok(mut schema) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    for (kind, names) in added {
        if let Some(Value::Array(words)) = schema.pointer_mut(&format!("/$defs/{kind}/oneOf")) {
            let own = |name: &&str| json!({"description": "Added by this project.", "type": "string", "const": name});
            words.extend(names.iter().map(own));
        }
    }
    format!("{schema:#}\n")
}
