//! The OpenAPI document as users get it: schema/openapi.json with the version of this program.

use crate::bundled::SCHEMAS;

/// What schema/openapi.json contains in place of the version of upfault, so that a release does not change the file.
pub(super) const VERSION: &str = "VERSION";

/// The bundled OpenAPI document, with the version of this program.
pub(crate) fn published() -> String {
    let member = |version: &str| format!("\"version\": \"{version}\"");
    let stored = SCHEMAS.get("openapi.json").unwrap_or_default();
    stored.replacen(&member(VERSION), &member(env!("CARGO_PKG_VERSION")), 1)
}
