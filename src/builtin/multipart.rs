//! Finds a field in a multipart form (RFC 7578) without parsing the whole form.

use std::ops::Range;

/// The boundary parameter of a content type; `None` if it is not `multipart/form-data` or has none.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    (!value.is_empty()).then_some(value)
}

/// The range of bytes in `form` with the value of the first field of this name.
pub(super) fn field(form: &[u8], boundary: &str, name: &str) -> Option<Range<usize>> {
    let delimiter = format!("--{boundary}");
    let next = format!("\r\n{delimiter}");
    let mut at = if form.starts_with(delimiter.as_bytes()) {
        delimiter.len()
    } else {
        find(form, next.as_bytes(), 0)? + next.len()
    };
    loop {
        if form.get(at..at + 2)? == b"--" {
            return None;
        }
        // Spaces may follow a delimiter; a part without headers begins with a blank line.
        let start = find(form, b"\r\n", at)?;
        let head_end = find(form, b"\r\n\r\n", start)?;
        let value = head_end + 4;
        let end = find(form, next.as_bytes(), value)?;
        let head = String::from_utf8_lossy(&form[start..head_end]);
        if head.lines().any(|line| is_named(line, name)) {
            return Some(value..end);
        }
        at = end + next.len();
    }
}

/// Whether a header line is the `Content-Disposition` of the field with this name.
fn is_named(line: &str, wanted: &str) -> bool {
    let Some((header, value)) = line.split_once(':') else { return false };
    header.trim().eq_ignore_ascii_case("content-disposition")
        && value.split(';').skip(1).any(|part| {
            part.split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("name") && value.trim().trim_matches('"') == wanted
            })
        })
}

fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let first = *wanted.first()?;
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == first)?;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Vec<u8> {
        [
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\ncontent-type: audio/wav\r\n\r\n",
            "\u{0}name=\"model\"\r\n--bogus\r\n\r\nwhisper-0\r\n--b\r\ncontent-disposition: form-data; name=model\r\n\r\n",
            "whisper-1\r\n--b\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--b--\r\n",
        ]
        .concat()
        .into_bytes()
    }

    #[test]
    fn a_field_is_found_by_its_own_name_and_not_in_a_file() {
        let form = [b"preamble\r\n".to_vec(), form()].concat();
        let value = |name: &str| field(&form, "b", name).map(|range| String::from_utf8_lossy(&form[range]));
        assert_eq!(value("model").as_deref(), Some("whisper-1"));
        assert_eq!(value("empty").as_deref(), Some(""));
        assert_eq!(value("language"), None);
        assert_eq!(field(&form, "c", "model"), None);
    }

    #[test]
    fn a_boundary_is_read_with_and_without_quotes() {
        assert_eq!(boundary("multipart/form-data; boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("Multipart/Form-Data; charset=x; Boundary=ab"), Some("ab"));
        assert_eq!(boundary("application/json; boundary=ab"), None);
        assert_eq!(boundary("multipart/form-data"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_form_makes_it_panic(cut in 0usize..400, junk in proptest::collection::vec(0u8..255, 0..40)) {
            let form = form();
            let _ = field(&form[..cut.min(form.len())], "b", "model");
            let _ = field(&[junk, form].concat(), "b", "empty");
        }
    }
}
