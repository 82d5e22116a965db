//! Faults of the body: invalid responses, and valid ones that are hard to read.

use std::time::Duration;

use bytes::Bytes;

use super::{compile::FaultContext, plan::WireAction, timeline::Timeline};
use crate::{
    provider::{self, HeaderField, ProviderMessage, RequestedCall},
    scenario::{Fault, FaultNeed, MalformedBody, SuccessReply},
    wire::frames::Carrier,
};

/// A very large member repeats one part of this length, so that the plan does not need as much memory.
const PART: usize = 64 * 1024;

impl Timeline {
    /// Replaces the body with a malformed one and keeps the original headers that are still true. If the
    /// fault malforms the answer itself, changes the answer in place.
    pub(super) fn malform(
        &mut self,
        malform: MalformedBody,
        carrier: Option<Carrier>,
        headers: &[HeaderField],
        wait: Option<Duration>,
        context: &FaultContext<'_>,
    ) {
        if !Fault::Malform(malform).needs(FaultNeed::Json) {
            let message = provider::malformed(context.asked, malform, wait, context.canaries);
            return self.replace(under(message, headers));
        }
        // An AWS event stream contains lengths and checksums of its frames, so send the answer as a plain
        // body there.
        if carrier == Some(Carrier::Aws) {
            let asked = RequestedCall { stream: false, ..context.asked.clone() };
            self.replace(under(provider::reply(&asked, &SuccessReply::Ok, context.canaries), headers));
        }
        let before = self.length();
        let text = context.canaries.content.as_bytes();
        match malform {
            MalformedBody::ByteOrderMark => self.insert(0, vec![Bytes::from_static(b"\xef\xbb\xbf")]),
            MalformedBody::InvalidUtf8 => {
                if let Some(at) = self.position(text).or_else(|| self.position(b"\":\"").map(|at| at + 3)) {
                    self.insert(at, vec![Bytes::from_static(b"\xff\xfe")]);
                }
            }
            MalformedBody::DeepNesting(levels) => {
                let levels = levels as usize;
                let nested = format!(",\"upfault_nested\":{}{}", "[".repeat(levels), "]".repeat(levels));
                self.add_member(text, vec![nested.into()]);
            }
            MalformedBody::VeryLarge(bytes) => {
                let part = Bytes::from(vec![b'a'; PART.min(bytes as usize)]);
                let mut parts = vec![Bytes::from_static(b",\"upfault_padding\":\"")];
                parts.extend((0..bytes as usize / PART).map(|_| part.clone()));
                parts.push(part.slice(..bytes as usize % PART));
                parts.push(Bytes::from_static(b"\""));
                self.add_member(text, parts);
            }
            _ => {}
        }
        self.count_again(before);
        self.doubtful = true;
    }

    /// Inserts bytes at an offset, as a part of the frame there.
    fn insert(&mut self, offset: usize, parts: Vec<Bytes>) {
        let whole = self.body.len();
        let at = self.split(offset);
        // After the last byte there is no frame that they could be a part of.
        let completes_frame = at == whole && self.body.len() == whole;
        let last = parts.len().saturating_sub(1);
        let length: usize = parts.iter().map(Bytes::len).sum();
        self.lengthen(offset, length);
        let writes = parts
            .into_iter()
            .enumerate()
            .filter(|(_, bytes)| !bytes.is_empty())
            .map(|(i, bytes)| WireAction::Write { bytes, completes_frame: completes_frame && i == last });
        self.body.splice(at..at, writes);
    }

    /// Adds a member to the object that contains `text`, or to the first object if none does.
    fn add_member(&mut self, text: &[u8], member: Vec<Bytes>) {
        let place = self.position(text).unwrap_or(0);
        let mut offset = 0;
        let mut frame: Option<usize> = None;
        for action in &self.body {
            let WireAction::Write { bytes, .. } = action else { continue };
            if let Some(brace) = bytes.iter().rposition(|byte| *byte == b'}')
                && offset + bytes.len() > place
            {
                frame = Some(offset + brace);
                break;
            }
            offset += bytes.len();
        }
        if let Some(at) = frame {
            self.insert(at, member);
        }
    }

    /// Returns the offset of the first occurrence of these bytes.
    fn position(&self, wanted: &[u8]) -> Option<usize> {
        let mut offset = 0;
        for action in &self.body {
            let WireAction::Write { bytes, .. } = action else { continue };
            if let Some(at) = bytes.windows(wanted.len()).position(|window| window == wanted) {
                return Some(offset + at);
            }
            offset += bytes.len();
        }
        None
    }
}

/// Adds the original headers that the message does not have, so that headers set by a scenario remain.
fn under(mut message: ProviderMessage, headers: &[HeaderField]) -> ProviderMessage {
    for (name, value) in headers {
        if message.header(name).is_none() {
            message.headers.push((name.clone(), value.clone()));
        }
    }
    message
}
