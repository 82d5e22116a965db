//! Forms with files, as `multipart/form-data`.

use std::fmt;

use serde_json::Value;

/// The boundary between the parts; constant, so that the same request gives the same bytes.
const BOUNDARY: &str = "upfault-form-boundary";

/// A form. All of its content is text, so that a record contains the exact form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MultipartForm {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: String,
    /// The file name and content type, if the part is a file.
    file: Option<(&'static str, &'static str)>,
    content: String,
}

impl MultipartForm {
    /// A form with a tenth of a second of near silence, for a transcription.
    pub(super) fn transcription() -> Self {
        Self { parts: vec![file("hello.wav", "audio/wav", wav())] }
    }

    /// A form with a batch file of one line.
    pub(super) fn batch_file() -> Self {
        let line = r#"{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"Say hello."}]}}"#;
        let purpose = Part { name: "purpose".to_owned(), file: None, content: "batch".to_owned() };
        Self { parts: vec![purpose, file("batch.jsonl", "application/jsonl", format!("{line}\n"))] }
    }

    pub(super) fn content_type() -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }

    /// Sets a field or the content of a file; `null` removes it.
    pub(super) fn set(&mut self, name: &str, value: &Value) {
        let content = match value {
            Value::Null => return self.parts.retain(|part| part.name != name),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match self.parts.iter_mut().find(|part| part.name == name) {
            Some(part) => part.content = content,
            None => {
                // Files are last, so that a server that parses the form incrementally knows all fields first.
                let at = self.parts.iter().position(|part| part.file.is_some()).unwrap_or(self.parts.len());
                self.parts.insert(at, Part { name: name.to_owned(), file: None, content });
            }
        }
    }

    pub(super) fn describe(&self) -> String {
        let part = |part: &Part| match part.file {
            Some((file, _)) => format!("{}={file} ({} bytes)", part.name, part.content.len()),
            None => format!("{}={}", part.name, part.content),
        };
        format!("form: {}", self.parts.iter().map(part).collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for MultipartForm {
    /// Formats the body as RFC 7578 defines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Part { name, file, content } in &self.parts {
            // RFC 7578 section 2 refers to the escaping that browsers use.
            let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
            write!(f, "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"")?;
            if let Some((file, kind)) = file {
                write!(f, "; filename=\"{file}\"\r\ncontent-type: {kind}")?;
            }
            write!(f, "\r\n\r\n{content}\r\n")?;
        }
        write!(f, "--{BOUNDARY}--\r\n")
    }
}

fn file(name: &'static str, kind: &'static str, content: String) -> Part {
    Part { name: "file".to_owned(), file: Some((name, kind)), content }
}

/// A WAV file: 8 bits, 8 kHz, mono, each sample two below the middle. Every byte is ASCII, so that records and
/// shells keep it unchanged.
fn wav() -> String {
    let header =
        "RIFF\x44\x03\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x20\x03\0\0";
    // A tenth of a second, the minimum that OpenAI transcribes.
    format!("{header}{}", "~".repeat(800))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_encoded_as_in_rfc_7578() {
        let mut form = MultipartForm::default();
        form.set("model", &json!("m"));
        form.parts.push(file("a.jsonl", "application/jsonl", "{}\n".to_owned()));
        insta::assert_snapshot!(form.to_string().replace('\r', "␍"), @r#"
        --upfault-form-boundary␍
        content-disposition: form-data; name="model"␍
        ␍
        m␍
        --upfault-form-boundary␍
        content-disposition: form-data; name="file"; filename="a.jsonl"␍
        content-type: application/jsonl␍
        ␍
        {}
        ␍
        --upfault-form-boundary--␍
        "#);
    }

    #[test]
    fn the_wav_header_contains_the_length() {
        let sound = wav();
        assert!(sound.is_ascii());
        let number = |at: usize| {
            let four: [u8; 4] = sound.as_bytes()[at..at + 4].try_into().unwrap();
            u32::from_le_bytes(four) as usize
        };
        assert_eq!(number(4), sound.len() - 8);
        assert_eq!(number(24), 8000, "samples per second");
        assert_eq!(number(40), sound.len() - 44);
    }
}
