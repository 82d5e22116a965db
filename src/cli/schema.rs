//! `upfault schema`

use super::{args::SchemaOf, failure::Failure, print};
use crate::{report, scenario};

/// Prints a JSON Schema.
pub fn schema(of: SchemaOf) -> Result<u8, Failure> {
    print::out(&match of {
        SchemaOf::Scenario => scenario::schema(),
        SchemaOf::Report => format!("{:#}\n", report::json_schema()),
    })?;
    Ok(report::EXIT_OK)
}
