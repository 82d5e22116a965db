//! Reads forms that are sent as `multipart/form-data` (RFC 7578).

use std::ops::Range;

/// One part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormPart {
    /// The name of the field.
    pub name: String,
    /// The name of the file, if the part is one.
    pub filename: Option<String>,
    /// The place of the content in the body.
    pub content: Range<usize>,
}

/// The boundary that a content type names; `None` if it is not `multipart/form-data` or names none.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    let is_form = kind.trim().eq_ignore_ascii_case("multipart/form-data");
    parameter(parameters, "boundary").filter(|boundary| is_form && !boundary.is_empty())
}

/// The parts of a form that have a name, in their order; `None` if the body is not a complete form.
pub(crate) fn parts(body: &[u8], boundary: &str) -> Option<Vec<FormPart>> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    // Each delimiter is at the start of a line; the first one can be at the start of the body.
    let mut at = match body.strip_prefix(&delimiter[2..]) {
        Some(_) => delimiter.len() - 2,
        None => find(body, &delimiter, 0)? + delimiter.len(),
    };
    let mut parts = Vec::new();
    while !body[at..].starts_with(b"--") {
        // A part ends at the next delimiter; without one the form is cut off.
        let end = find(body, &delimiter, at)?;
        parts.extend(part(body, at..end));
        at = end + delimiter.len();
    }
    Some(parts)
}

fn part(body: &[u8], range: Range<usize>) -> Option<FormPart> {
    let end = find(&body[..range.end], b"\r\n\r\n", range.start)?;
    let head = std::str::from_utf8(&body[range.start..end]).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (_, parameters) = disposition.split_once(';')?;
    Some(FormPart {
        name: parameter(parameters, "name")?,
        filename: parameter(parameters, "filename"),
        content: end + 4..range.end,
    })
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

fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    bytes[from..].windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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

    fn contents(body: &[u8]) -> Option<Vec<(String, Option<String>, Vec<u8>)>> {
        let part = |part: FormPart| (part.name, part.filename, body[part.content].to_vec());
        Some(parts(body, "XyZ")?.into_iter().map(part).collect())
    }

    #[test]
    fn texts_and_files_are_distinguished() {
        let body = form(&[("model", "whisper-1"), ("empty", "")], b"name=\"model\"\r\n--bogus\r\n\r\n\xff");
        let expected = [
            ("model".to_owned(), None, b"whisper-1".to_vec()),
            ("empty".to_owned(), None, Vec::new()),
            (
                "file".to_owned(),
                Some("a;b.wav".to_owned()),
                b"name=\"model\"\r\n--bogus\r\n\r\n\xff".to_vec(),
            ),
        ];
        assert_eq!(contents(&body).unwrap(), expected);
        assert_eq!(contents(&[b"preamble\r\n".to_vec(), body].concat()).unwrap(), expected);
    }

    #[test]
    fn a_boundary_is_read_with_and_without_quotes() {
        let of = |content_type| boundary(content_type);
        assert_eq!(of("multipart/form-data; boundary=\"a; b\"").as_deref(), Some("a; b"));
        assert_eq!(of("Multipart/Form-Data; charset=x; Boundary=ab").as_deref(), Some("ab"));
        assert_eq!(of("application/json; boundary=ab"), None);
        assert_eq!(of("multipart/form-data; boundary="), None);
        assert_eq!(of("multipart/form-data"), None);
    }

    #[test]
    fn an_incomplete_form_has_no_parts() {
        let whole = form(&[("model", "m")], b"x");
        assert_eq!(parts(&whole, "other"), None);
        assert_eq!(contents(&whole[..whole.len() - 8]), None);
        assert_eq!(contents(b""), None);
    }

    proptest! {
        #[test]
        fn any_file_without_the_boundary_parses(file in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assume!(find(&file, b"--XyZ", 0).is_none());
            let parts = contents(&form(&[("model", "m")], &file)).unwrap();
            prop_assert_eq!(&parts[1].2, &file);
        }

        #[test]
        fn nothing_makes_it_panic(content_type in "multipart/form-data; ?[a-z=\"; ]{0,20}", body in "(--|a|\r\n|:|\"|=|;){0,40}") {
            let _ = boundary(&content_type).and_then(|boundary| parts(body.as_bytes(), &boundary));
            let _ = parts(body.as_bytes(), "a");
        }
    }
}
