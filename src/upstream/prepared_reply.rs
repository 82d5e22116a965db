//! A reply that is the same for every attempt except for its canaries, in the form in which HTTP/1 sends it.

use std::sync::{Arc, Mutex};

use super::{
    http1_writer::{end_body, end_head, write_body, write_fields},
    locked::locked,
    request_head::ReplyForm,
};
use crate::{
    fault::{self, WireAction},
    provider::{Prepared, Template},
};

pub(super) struct PreparedReply {
    message: Prepared,
    /// The bytes for stems of one length, because lengths in the framing depend on it. The numbers of attempts
    /// rarely change their length.
    http1: Mutex<Option<Arc<Http1Template>>>,
}

/// The bytes of a reply to a client that keeps its connection open.
pub(super) struct Http1Template {
    stem_length: usize,
    /// The head without its end.
    fields: Template,
    dated: bool,
    body: Template,
    /// The number of bytes of the body without its framing.
    pub(super) body_bytes: usize,
}

impl PreparedReply {
    pub(super) fn new(message: Prepared) -> Self {
        Self { message, http1: Mutex::default() }
    }

    pub(super) fn message(&self) -> &Prepared {
        &self.message
    }

    /// Returns the actions of the plan for an attempt with this stem.
    pub(super) fn actions(&self, stem: &str) -> Vec<WireAction> {
        fault::without_faults(self.message.message(stem)).actions
    }

    /// Returns the template for stems with the length of this one; `None` if it does not give the bytes that the
    /// plan would.
    pub(super) fn http1(&self, stem: &str) -> Option<Arc<Http1Template>> {
        let mut http1 = locked(&self.http1);
        if let Some(template) = http1.as_ref().filter(|template| template.stem_length == stem.len()) {
            return Some(template.clone());
        }
        // No reply contains this byte.
        let other = "\u{1}".repeat(stem.len());
        let template = Http1Template::of(&self.actions(&other), &other)?;
        let same = [stem, &other].iter().all(|stem| {
            let wanted = Http1Template::of(&self.actions(stem), "\u{2}");
            wanted.is_some_and(|wanted| wanted.parts(stem) == template.parts(stem))
        });
        let template = same.then(|| Arc::new(template))?;
        *http1 = Some(template.clone());
        Some(template)
    }
}

impl Http1Template {
    /// Writes the actions, and makes a hole for every `stem`. Returns `None` if the plan is not one head, its body and
    /// its end.
    fn of(actions: &[WireAction], stem: &str) -> Option<Self> {
        let [WireAction::Head(head), writes @ .., WireAction::Finish] = actions else { return None };
        let (mut fields, mut body, mut body_bytes) = (Vec::new(), Vec::new(), 0);
        let written = write_fields(head, ReplyForm::PERSISTENT, &mut fields);
        for action in writes {
            let WireAction::Write { bytes, .. } = action else { return None };
            write_body(bytes, written.framing, &mut body);
            body_bytes += bytes.len();
        }
        end_body(written.framing, &mut body);
        (!written.last).then(|| Self {
            stem_length: stem.len(),
            fields: Template::of(&fields, stem),
            dated: written.dated,
            body: Template::of(&body, stem),
            body_bytes,
        })
    }

    fn parts(&self, stem: &str) -> [Vec<u8>; 2] {
        [self.fields.filled(stem), self.body.filled(stem)]
    }

    /// Appends the reply to an attempt with this stem.
    pub(super) fn write(&self, stem: &str, out: &mut Vec<u8>) {
        self.fields.fill(stem, out);
        end_head(self.dated, out);
        self.body.fill(stem, out);
    }
}
