//! The embedded values: JSON, compressed and encoded so that it is inert inside HTML.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use base64::{display::Base64Display, prelude::BASE64_STANDARD};
use flate2::{Compression, write::ZlibEncoder};
use serde::Serialize;

use super::case::PageDetail;

/// How many cases a part contains. The browser reads a part when one of its cases is opened.
const CASES: usize = 32;

/// Writes cases in full, several of them together, because similar cases compress well.
pub(super) struct PartWriter<'a> {
    out: &'a mut dyn Write,
    /// The number of the current part.
    number: usize,
    part: CasePart,
}

/// Some of the cases.
#[derive(Default, Serialize)]
struct CasePart {
    /// The cases, by their ids.
    cases: BTreeMap<String, PageDetail>,
    /// The YAML of their scenarios, by the ids of the scenarios.
    sources: BTreeMap<String, &'static str>,
}

impl<'a> PartWriter<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, number: 0, part: CasePart::default() }
    }

    /// Adds a case, and the source of its scenario if it is known. Returns the number of the part that contains it.
    pub(super) fn add(
        &mut self,
        id: &str,
        scenario: &str,
        source: Option<&'static str>,
        case: PageDetail,
    ) -> io::Result<usize> {
        self.part.cases.insert(id.to_owned(), case);
        if let Some(source) = source {
            self.part.sources.insert(scenario.to_owned(), source);
        }
        let number = self.number;
        if self.part.cases.len() >= CASES {
            self.end_part()?;
        }
        Ok(number)
    }

    /// Ends the current part: the next case is in another one.
    pub(super) fn end_run(&mut self) -> io::Result<()> {
        if self.part.cases.is_empty() { Ok(()) } else { self.end_part() }
    }

    fn end_part(&mut self) -> io::Result<()> {
        let part = std::mem::take(&mut self.part);
        write_value(self.out, &format!("part-{}", self.number), &part)?;
        self.number += 1;
        Ok(())
    }
}

/// Writes a value as an element that no browser executes. It contains only the characters of base64, so that nothing
/// in the value can end the element.
pub(super) fn write_value(out: &mut dyn Write, id: &str, value: &impl Serialize) -> io::Result<()> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    serde_json::to_writer(&mut encoder, value)?;
    let bytes = encoder.finish()?;
    let text = Base64Display::new(&bytes, &BASE64_STANDARD);
    writeln!(out, "<script type=\"application/octet-stream\" id=\"{id}\">{text}</script>")
}
