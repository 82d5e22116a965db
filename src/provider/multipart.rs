//! Parses forms that are sent as `multipart/form-data` (RFC 7578).

use http::HeaderMap;
use serde_json::{Map, Value, json};

/// Returns the fields by name: a text as a string, a file as `{"filename", "bytes"}`, where `bytes` is its length.
/// If a name occurs more than once, the last field counts. Returns `None` if the body is not such a form.
pub(super) fn fields(headers: &HeaderMap, body: &[u8]) -> Option<Map<String, Value>> {
    let content_type = headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty())?;
    let delimiter = format!("--{boundary}").into_bytes();
    // Each delimiter is at the start of a line; the first one can be at the start of the body.
    let mut rest = after_part(body, &delimiter)?;
    let delimiter = [b"\r\n", &*delimiter].concat();
    let mut fields = Map::new();
    while !rest.starts_with(b"--") {
        // A part ends at the next delimiter; without one the form is cut off.
        let end = find(rest, &delimiter)?;
        if let Some((name, value)) = field(&rest[..end]) {
            fields.insert(name, value);
        }
        rest = &rest[end + delimiter.len()..];
    }
    Some(fields)
}

fn field(part: &[u8]) -> Option<(String, Value)> {
    let end = find(part, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&part[..end]).ok()?;
    let content = &part[end + 4..];
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (_, parameters) = disposition.split_once(';')?;
    let name = parameter(parameters, "name")?;
    let value = match parameter(parameters, "filename") {
        Some(filename) => json!({"filename": filename, "bytes": content.len()}),
        None => json!(String::from_utf8_lossy(content)),
    };
    Some((name, value))
}

/// The value of one parameter of a header: `a=b; c="d"`.
fn parameter(text: &str, name: &str) -> Option<String> {
    let mut rest = text;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => match after.find(';') {
                Some(end) => after.split_at(end),
                None => (after, ""),
            },
        };
        if key.trim_matches([' ', ';', '\t']).eq_ignore_ascii_case(name) {
            return Some(value.trim().to_owned());
        }
        rest = left;
    }
}

fn after_part<'a>(body: &'a [u8], delimiter: &[u8]) -> Option<&'a [u8]> {
    find(body, delimiter).map(|at| &body[at + delimiter.len()..])
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::CONTENT_TYPE};
    use proptest::prelude::*;

    use super::*;

    fn read(content_type: &str, body: &[u8]) -> Option<Map<String, Value>> {
        let value = HeaderValue::from_str(content_type).ok()?;
        fields(&HeaderMap::from_iter([(CONTENT_TYPE, value)]), body)
    }

    fn form(fields: &[(&str, &str)], file: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend(
                format!("--XyZ\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .bytes(),
            );
        }
        body.extend(b"--XyZ\r\nContent-Type: audio/wav\r\ncontent-disposition: form-data; name=file; filename=\"a;b.wav\"\r\n\r\n");
        body.extend(file);
        body.extend(b"\r\n--XyZ--\r\n");
        body
    }

    #[test]
    fn texts_and_files_are_distinguished() {
        let body = form(&[("model", "whisper-1"), ("empty", "")], b"RIFF\r\n\r\n\xff");
        for content_type in
            ["multipart/form-data; boundary=XyZ", "Multipart/Form-Data; charset=x; boundary=\"XyZ\""]
        {
            let fields = read(content_type, &body).unwrap();
            assert_eq!(fields["model"], "whisper-1");
            assert_eq!(fields["empty"], "");
            assert_eq!(fields["file"], json!({"filename": "a;b.wav", "bytes": 9}));
        }
    }

    #[test]
    fn an_invalid_form_has_no_fields() {
        let whole = form(&[("model", "m")], b"x");
        assert_eq!(read("application/json", &whole), None);
        assert_eq!(read("multipart/form-data", &whole), None);
        assert_eq!(read("multipart/form-data; boundary=other", &whole), None);
        assert_eq!(read("multipart/form-data; boundary=XyZ", &whole[..whole.len() - 8]), None);
        assert_eq!(read("multipart/form-data; boundary=XyZ", b""), None);
    }

    proptest! {
        #[test]
        fn any_file_without_the_boundary_parses(file in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assume!(find(&file, b"--XyZ").is_none());
            let fields = read("multipart/form-data; boundary=XyZ", &form(&[("model", "m")], &file)).unwrap();
            prop_assert_eq!(&fields["file"]["bytes"], &json!(file.len()));
        }

        #[test]
        fn nothing_makes_it_panic(content_type in "multipart/form-data; ?[a-z=\"; ]{0,20}", body in "(--|a|\r\n|:|\"|=|;){0,40}") {
            let _ = read(&content_type, body.as_bytes());
        }
    }
}
