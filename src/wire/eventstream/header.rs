//! The headers of a message: names with typed values.

use super::violation::{EventStreamViolationKind, MessageTooLong};

/// The maximum length of a string or byte value, in bytes.
const MAX_VALUE: usize = 32_767;

/// The type number of a string.
const STRING: u8 = 7;

/// One header of a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventStreamHeader {
    /// The name, such as `:event-type`; names that begin with a colon are reserved by the format.
    pub name: String,
    /// The typed value.
    pub value: HeaderValue,
}

/// A header's value, of one of the ten types of the format.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum HeaderValue {
    /// Types 0 (true) and 1 (false).
    Bool(bool),
    /// Type 2.
    Byte(i8),
    /// Type 3.
    Short(i16),
    /// Type 4.
    Integer(i32),
    /// Type 5.
    Long(i64),
    /// Type 6.
    Bytes(Vec<u8>),
    /// Type 7.
    String(String),
    /// Type 8: milliseconds since 1970.
    Timestamp(i64),
    /// Type 9.
    Uuid([u8; 16]),
}

/// Appends a header with a string value.
pub(super) fn write(block: &mut Vec<u8>, name: &str, value: &str) -> Result<(), MessageTooLong> {
    let name_length =
        u8::try_from(name.len()).ok().filter(|length| *length > 0).ok_or(MessageTooLong::Name)?;
    let value_length = u16::try_from(value.len())
        .ok()
        .filter(|length| usize::from(*length) <= MAX_VALUE)
        .ok_or(MessageTooLong::Value)?;
    block.push(name_length);
    block.extend_from_slice(name.as_bytes());
    block.push(STRING);
    block.extend_from_slice(&value_length.to_be_bytes());
    block.extend_from_slice(value.as_bytes());
    Ok(())
}

/// Decodes a block of headers as far as it is readable.
pub(super) fn read(block: &[u8]) -> (Vec<EventStreamHeader>, Vec<EventStreamViolationKind>) {
    let mut headers: Vec<EventStreamHeader> = Vec::new();
    let mut names = std::collections::HashSet::new();
    let mut wrong = Vec::new();
    let mut rest = Rest(block);
    while !rest.0.is_empty() {
        match rest.header(&mut wrong) {
            Ok(header) if names.insert(header.name.clone()) => headers.push(header),
            Ok(_) => wrong.push(EventStreamViolationKind::DuplicateHeader),
            Err(kind) => {
                wrong.push(kind);
                break;
            }
        }
    }
    (headers, wrong)
}

/// The rest of a block.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn header(
        &mut self,
        wrong: &mut Vec<EventStreamViolationKind>,
    ) -> Result<EventStreamHeader, EventStreamViolationKind> {
        let [length] = self.array()?;
        if length == 0 {
            wrong.push(EventStreamViolationKind::EmptyHeaderName);
        }
        let name = text(self.take(usize::from(length))?, wrong);
        let [kind] = self.array()?;
        let value = match kind {
            0 => HeaderValue::Bool(true),
            1 => HeaderValue::Bool(false),
            2 => HeaderValue::Byte(i8::from_be_bytes(self.array()?)),
            3 => HeaderValue::Short(i16::from_be_bytes(self.array()?)),
            4 => HeaderValue::Integer(i32::from_be_bytes(self.array()?)),
            5 => HeaderValue::Long(i64::from_be_bytes(self.array()?)),
            6 => HeaderValue::Bytes(self.counted()?.to_vec()),
            STRING => HeaderValue::String(text(self.counted()?, wrong)),
            8 => HeaderValue::Timestamp(i64::from_be_bytes(self.array()?)),
            9 => HeaderValue::Uuid(self.array()?),
            _ => return Err(EventStreamViolationKind::UnknownHeaderType),
        };
        Ok(EventStreamHeader { name, value })
    }

    /// Takes a value with a length prefix.
    fn counted(&mut self) -> Result<&'a [u8], EventStreamViolationKind> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], EventStreamViolationKind> {
        let (first, rest) = self.0.split_first_chunk().ok_or(EventStreamViolationKind::HeaderCut)?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], EventStreamViolationKind> {
        let (first, rest) = self.0.split_at_checked(n).ok_or(EventStreamViolationKind::HeaderCut)?;
        self.0 = rest;
        Ok(first)
    }
}

fn text(bytes: &[u8], wrong: &mut Vec<EventStreamViolationKind>) -> String {
    let text = String::from_utf8_lossy(bytes);
    if let std::borrow::Cow::Owned(_) = text {
        wrong.push(EventStreamViolationKind::InvalidUtf8);
    }
    text.into_owned()
}
