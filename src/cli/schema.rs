//! `upfault schema`

use super::{args::SchemaOf, failure::Failure, print};
use crate::{bundled::SCHEMAS, report};

/// Prints a JSON Schema, or the OpenAPI document.
pub(super) fn schema(of: SchemaOf) -> Result<u8, Failure> {
    let file = match of {
        SchemaOf::Scenario => "scenario.schema.json",
        SchemaOf::Proxy => "proxy.schema.json",
        SchemaOf::Settings => "upfault.schema.json",
        SchemaOf::Openapi => "openapi.json",
        SchemaOf::Selftest => "selftest.schema.json",
        SchemaOf::Report => "report.schema.json",
        SchemaOf::Comparison => "comparison.schema.json",
    };
    print::out(SCHEMAS.get(file).unwrap_or_default())?;
    Ok(report::EXIT_OK)
}
