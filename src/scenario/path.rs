//! URL paths that contain the name of a model.

/// Replaces `{model}` in a path with the model's name, percent-encoded so that it stays one segment.
pub(crate) fn fill_model(path: &str, model: &str) -> String {
    if !path.contains("{model}") {
        return path.to_owned();
    }
    let mut encoded = String::with_capacity(model.len());
    for byte in model.bytes() {
        match byte {
            // RFC 3986 section 2.3. The colon is valid in a segment, but AWS's SDKs encode it as well.
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    path.replace("{model}", &encoded)
}
