//! The last steps of a plan, after all faults have been applied: packets, unreadable bytes, and the ending.

use bytes::Bytes;

use super::{
    plan::{BEFORE_CUT, Framing, Head, Plan, WireAction},
    timeline::Timeline,
};

impl Timeline {
    pub(super) fn into_plan(mut self) -> Plan {
        if self.ending == WireAction::Finish {
            self.ending = self.finish.clone();
        }
        let bodiless = self.is_bodiless();
        let wrong_length = self.unreadable_from.is_none() && self.declares_a_wrong_length();
        let mut body = unreadable(self.packets.cut(self.body), self.unreadable_from, self.garbled);
        if bodiless {
            body.retain(|action| matches!(action, WireAction::Wait(_)));
        }
        let mut actions = Vec::with_capacity(self.before.len() + body.len() + 3);
        actions.append(&mut self.before);
        let blamed = self.head.is_some() && !self.garbled && self.unreadable_from == Some(0);
        actions.extend(self.head.map(|head| match self.garbled {
            true => WireAction::Raw { bytes: head.garbled(), breaks: true, body: false },
            false => WireAction::Head(head),
        }));
        // If the whole body is unreadable, mark it as broken directly after the head.
        let broke = |action: &WireAction| matches!(action, WireAction::Raw { breaks: true, .. });
        if blamed && !body.iter().any(broke) {
            actions.push(WireAction::Raw { bytes: Bytes::new(), breaks: true, body: false });
        }
        actions.extend(body);
        actions.push(self.ending);
        let mut plan = Plan { actions, doubtful: self.doubtful };
        if bodiless || wrong_length {
            keep_to_framing(&mut plan.actions, bodiless);
        }
        let begun = |action: &WireAction| matches!(action, WireAction::Head(_) | WireAction::Raw { .. });
        if plan.actions.last().is_some_and(cuts) && plan.actions.iter().any(begun) {
            plan.actions.insert(plan.actions.len() - 1, WireAction::Wait(BEFORE_CUT));
        }
        plan
    }

    /// Whether the status never has a body (RFC 9110 sections 15.3.5 and 15.4.5) and no fault adds one.
    fn is_bodiless(&self) -> bool {
        let status = self.head.as_ref().map(|head| head.status);
        self.unreadable_from.is_none() && matches!(status, Some(204 | 304))
    }

    /// Whether the length that a scenario has set differs from that of the body.
    fn declares_a_wrong_length(&self) -> bool {
        match self.head {
            Some(Head { framing: Framing::Length(declared), .. }) => declared != self.length() as u64,
            _ => false,
        }
    }
}

/// Makes a reply follow HTTP, except for its faults: a status without a body has no length, no more bytes are
/// sent than declared, and a reply that is too short closes its connection.
fn keep_to_framing(actions: &mut Vec<WireAction>, bodiless: bool) {
    let mut left = None;
    for action in actions.iter_mut() {
        match (action, &mut left) {
            (WireAction::Head(head), left) => match head.framing {
                _ if bodiless => head.framing = Framing::None,
                Framing::Length(declared) => *left = Some(declared),
                _ => {}
            },
            (WireAction::Write { bytes, .. }, Some(left)) => {
                bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= bytes.len() as u64;
            }
            _ => {}
        }
    }
    actions.retain(|action| !matches!(action, WireAction::Write { bytes, .. } if bytes.is_empty()));
    if let Some(ending) = actions.last_mut()
        && matches!(ending, WireAction::Finish | WireAction::Overrun(_) | WireAction::CloseWhenReused)
        && left.is_some_and(|left| left > 0)
    {
        *ending = WireAction::Close;
    }
}

/// Whether this ending cuts the reply off.
fn cuts(ending: &WireAction) -> bool {
    matches!(ending, WireAction::Close | WireAction::Reset | WireAction::RstStream(_) | WireAction::Goaway(_))
}

/// Turns all bytes of the body after the offset `from` into raw bytes. The first of them is marked as the one
/// that breaks the message, unless it is already `broken`.
fn unreadable(body: Vec<WireAction>, from: Option<usize>, mut broken: bool) -> Vec<WireAction> {
    let Some(from) = from else { return body };
    let mut offset = 0;
    let mut changed = Vec::with_capacity(body.len() + 1);
    for action in body {
        let WireAction::Write { mut bytes, completes_frame } = action else {
            changed.push(action);
            continue;
        };
        let readable = from.saturating_sub(offset).min(bytes.len());
        offset += bytes.len();
        if readable == bytes.len() {
            changed.push(WireAction::Write { bytes, completes_frame });
            continue;
        }
        if readable > 0 {
            changed.push(WireAction::Write { bytes: bytes.split_to(readable), completes_frame: false });
        }
        changed.push(WireAction::Raw { bytes, breaks: !broken, body: true });
        broken = true;
    }
    changed
}
