//! Bodies that are no answer, or an answer that is hard to read.

use bytes::Bytes;

use super::{compile::FaultContext, plan::WireAction, timeline::Timeline};
use crate::{
    provider::{self, HeaderField, ProviderMessage, RequestedCall},
    scenario::{MalformedBody, SuccessReply},
    wire::frames::Carrier,
};

/// A member of so many bytes is made of one part of this length, over and over.
const PART: usize = 64 * 1024;

impl Timeline {
    /// Replaces the body by what `malform` says, under those headers of the original's that are still true;
    /// or changes the answer in its place, where what is malformed is the answer itself.
    pub(super) fn malform(
        &mut self,
        malform: MalformedBody,
        carrier: Option<Carrier>,
        headers: &[HeaderField],
        context: &FaultContext<'_>,
    ) {
        if !malform.keeps_the_answer() {
            let message = provider::malformed(context.asked, malform, context.canaries);
            return self.replace(under(message, headers));
        }
        // The frames of AWS's carry their own lengths and sums: there it is the answer as a whole.
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

    /// Puts bytes into the frame at an offset, as a part of it.
    fn insert(&mut self, offset: usize, parts: Vec<Bytes>) {
        let whole = self.body.len();
        let at = self.split(offset);
        // Behind the last byte nothing is left that they could be a part of.
        let completes_frame = at == whole && self.body.len() == whole;
        let last = parts.len().saturating_sub(1);
        let length: usize = parts.iter().map(Bytes::len).sum();
        if offset > self.length() - self.terminator {
            self.terminator += length;
        }
        let writes = parts
            .into_iter()
            .enumerate()
            .filter(|(_, bytes)| !bytes.is_empty())
            .map(|(i, bytes)| WireAction::Write { bytes, completes_frame: completes_frame && i == last });
        self.body.splice(at..at, writes);
    }

    /// Puts a member into the object that holds `text`, or into the first there is.
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

    /// Where these bytes stand for the first time.
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

/// A body under the original's headers, so that those a scenario has set stay.
fn under(mut message: ProviderMessage, headers: &[HeaderField]) -> ProviderMessage {
    for (name, value) in headers {
        if message.header(name).is_none() {
            message.headers.push((name.clone(), value.clone()));
        }
    }
    message
}
