//! `upfault schema`

use super::{args::SchemaOf, failure::Failure, print, settings};
use crate::{report, scenario, selftest, serve};

/// Prints a JSON Schema, or the OpenAPI document.
pub fn schema(of: SchemaOf) -> Result<u8, Failure> {
    print::out(&match of {
        SchemaOf::Scenario => scenario::schema(),
        SchemaOf::Settings => settings::schema(),
        SchemaOf::Openapi => serve::document(),
        SchemaOf::Selftest => format!("{:#}\n", selftest::json_schema()),
        SchemaOf::Report => format!("{:#}\n", report::json_schema()),
    })?;
    Ok(report::EXIT_OK)
}
