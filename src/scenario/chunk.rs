//! The parts of a literal body that are sent one after the other: what a recording of real traffic consists of.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration;

/// One part of a literal body: exactly one of `text` and `base64`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ReplyChunk {
    /// The silence before this part, as a duration (`20ms`). Default: none.
    #[serde(with = "duration::option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub after: Option<Duration>,
    /// The part as text. Placeholders such as `{{canary.content}}` are filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bytes of the part in base64 (RFC 4648 section 4), for a part that is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

impl ReplyChunk {
    /// The bytes of the part, before placeholders are filled in.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match (&self.text, &self.base64) {
            (Some(text), _) => text.clone().into_bytes(),
            // The file was checked when it was loaded.
            (None, Some(coded)) => STANDARD.decode(coded).unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }

    /// A part with these bytes: as text if they are text that a file shows as it is, otherwise in base64.
    pub(crate) fn of(after: Option<Duration>, bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if is_plain(text) => Self { after, text: Some(text.to_owned()), base64: None },
            _ => Self { after, text: None, base64: Some(STANDARD.encode(bytes)) },
        }
    }
}

/// Whether a text contains no placeholder and no character that a YAML file cannot contain (YAML 1.2 section 5.1).
fn is_plain(text: &str) -> bool {
    !text.contains("{{canary.")
        && text.chars().all(|char| match char {
            '\t' | '\n' | '\r' => true,
            '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
            char => !char.is_control(),
        })
}
