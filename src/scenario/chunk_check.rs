//! Checks of a literal body in parts.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{check::FileChecker, chunk::ReplyChunk, file::TurnFile, located::Located};

/// Checks the parts of a body.
pub(super) fn chunks(check: &mut FileChecker<'_>, file: &TurnFile) -> Vec<ReplyChunk> {
    let Some(Located { value: chunks, range }) = &file.chunks else { return Vec::new() };
    let problem = match (&file.status, &file.body, &file.bodies) {
        (None, ..) => (
            "`chunks` needs `status`",
            "`error` and `reply` have their own body; write `status` to set a different one",
        ),
        (_, Some(_), _) | (_, _, Some(_)) => (
            "a turn has either `chunks` or a body, not both",
            "`chunks` is the body in parts: move the text into `text` of a chunk",
        ),
        (Some(status), ..) if matches!(status.value, 204 | 304) => {
            ("`chunks` needs a status whose replies have a body", "leave `chunks` out")
        }
        _ if chunks.is_empty() => ("`chunks` is empty", "leave it out for a reply without a body"),
        _ => ("", ""),
    };
    if !problem.0.is_empty() {
        check.error(range, problem.0).help = Some(problem.1.to_owned());
    }
    for Located { value: chunk, range } in chunks {
        match (&chunk.text, &chunk.base64) {
            (Some(_), None) => {}
            (None, Some(coded)) if STANDARD.decode(coded).is_ok() => {}
            (None, Some(_)) => {
                check.error(&check.word(range, "base64"), "this is not base64").help = Some(
                    "it has the alphabet of RFC 4648 section 4 and its padding, without line breaks"
                        .to_owned(),
                );
            }
            (Some(_), Some(_)) => {
                check.error(range, "a chunk has either `text` or `base64`, not both");
            }
            (None, None) => {
                check.error(range, "a chunk needs `text` or `base64`").help =
                    Some("for example `- {after: 20ms, text: \"data: [DONE]\\n\\n\"}`".to_owned());
            }
        }
    }
    chunks.iter().map(|chunk| chunk.value.clone()).collect()
}
