//! Finds the API that a path addresses.

use crate::{dialect::row, scenario::Api};

/// An endpoint that a caller has addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The endpoint.
    pub api: Api,
    /// The model, if the path names it.
    pub model: Option<String>,
    /// Whether a stream is requested; `None` if the path does not say.
    pub stream: Option<bool>,
}

/// Reads a path; `None` if it belongs to no API.
pub(crate) fn address(path: &str) -> Option<Address> {
    // Some of Google's SDKs call `v1` instead of `v1beta`.
    let other = path.strip_prefix("/v1/models/").filter(|rest| rest.contains(':'));
    let other = other.map(|rest| format!("/v1beta/models/{rest}"));
    let path = other.as_deref().unwrap_or(path);
    Api::ALL.iter().find_map(|api| [false, true].into_iter().find_map(|stream| matched(*api, stream, path)))
}

fn matched(api: Api, stream: bool, path: &str) -> Option<Address> {
    let pattern = pattern(api, stream);
    let model = match pattern.split_once("{model}") {
        None if pattern == path => None,
        None => return None,
        Some((before, after)) => {
            let model = path.strip_prefix(before)?.strip_suffix(after).filter(|model| !model.is_empty())?;
            Some(percent_encoding::percent_decode_str(model).decode_utf8_lossy().into_owned())
        }
    };
    let names_mode = pattern != self::pattern(api, !stream);
    Some(Address { api, model, stream: names_mode.then_some(stream) })
}

fn pattern(api: Api, stream: bool) -> &'static str {
    let path = row(api).path(stream);
    path.split_once('?').map_or(path, |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_is_found_at_its_path() {
        for api in Api::ALL.iter().copied() {
            for stream in [false, true] {
                let path = pattern(api, stream).replace("{model}", "a.b%3A0");
                let found = address(&path);
                let has_model = pattern(api, stream).contains("{model}");
                let expected = Address {
                    api,
                    model: has_model.then(|| "a.b:0".to_owned()),
                    stream: has_model.then_some(stream),
                };
                assert_eq!(found, Some(expected), "{path}");
            }
        }
    }

    #[test]
    fn other_paths_belong_to_no_api() {
        for path in ["/", "/v1/chat/completions/", "/model//converse", "/v1/other", "/v1beta/models/a"] {
            assert_eq!(address(path), None, "{path}");
        }
        assert_eq!(address("/v1/models/g:generateContent").map(|found| found.api), Some(Api::GeminiGenerate));
        assert_eq!(address("/v1/models").map(|found| found.api), Some(Api::OpenaiModels));
    }
}
