//! Checks what differs from a definition.

use serde_json::Value;

use super::{document::VariantDocument, error::ProxyError, template};

/// Checks that all variables in the templates of a variant exist. `known` are their names.
///
/// # Errors
///
/// [`ProxyError::Invalid`], which begins with `file`.
pub(super) fn check(variant: &VariantDocument, file: &str, known: &[&str]) -> Result<(), ProxyError> {
    let environment = minijinja::Environment::new();
    let mut texts: Vec<&str> = variant.texts().map(|text| text.source.as_str()).collect();
    variant.settings.values().for_each(|value| collect(value, &mut texts));
    for text in texts {
        template::check(&environment, text, known)
            .map_err(|(_, message)| ProxyError::Invalid(format!("{file}: `{text}`: {message}")))?;
    }
    Ok(())
}

/// Adds every text in a value.
fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(members) => members.values().for_each(|member| collect(member, texts)),
        _ => {}
    }
}
