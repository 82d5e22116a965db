//! From a message and its faults to the plan.

use bytes::Bytes;

use super::{
    origin::Origin,
    packets::Packets,
    plan::{Framing, Plan, WireAction},
    timeline::Timeline,
};
use crate::{
    observation::Canaries,
    provider::{self, MessageBody, ProviderMessage, RequestedCall},
    scenario::{ConnectionFault, Fault, Http2Fault, TlsFault, Turn},
    wire::frames::Carrier,
};

/// What faults need to know that put other bytes of the provider's in place of a reply's own.
#[derive(Debug, Clone, Copy)]
pub struct FaultContext<'a> {
    /// The request that is being answered.
    pub asked: &'a RequestedCall,
    /// The tokens of this attempt.
    pub canaries: &'a Canaries,
    /// Whose attempt it is.
    pub origin: Origin<'a>,
}

/// The whole plan of a turn: its message, then its faults.
pub fn plan(turn: &Turn, context: &FaultContext<'_>) -> Plan {
    let message = provider::message(context.asked, turn, context.canaries);
    compile(message, &turn.faults, context)
}

/// The plan of a message without any fault.
pub fn unharmed(message: ProviderMessage) -> Plan {
    Timeline::new(message).into_plan()
}

/// Applies faults in their order, each to what the ones before it left.
///
/// A point that the reply does not have (`after_events: 50` of a short stream, any number of
/// events of a plain body) means before the end. What edits events leaves a reply alone that has none of
/// its kind. Faults of the address and of the connection have no part in a plan: who listens performs them.
pub fn compile(message: ProviderMessage, faults: &[Fault], context: &FaultContext<'_>) -> Plan {
    if faults.is_empty() {
        return Timeline::new(message).into_plan();
    }
    let carrier = carrier(&message);
    // Only a malformed reply needs to know what it stood for.
    let malforms = faults.iter().any(|fault| matches!(fault, Fault::Malform(_)));
    let headers = if malforms { message.headers.clone() } else { Vec::new() };
    let mut timeline = Timeline::new(message);
    for (i, fault) in faults.iter().enumerate() {
        // The reply ended before it began: nothing is left to edit.
        if timeline.head.is_none() {
            break;
        }
        match fault {
            Fault::Malform(malform) => timeline.malform(*malform, carrier, &headers, context),
            Fault::Latency(latency) => {
                timeline.latency(latency, context.origin.attempt, &mut context.origin.numbers(i));
            }
            fault => timeline.apply(fault, carrier, context),
        }
    }
    timeline.into_plan()
}

/// What a reply's events are carried in, where it is a stream of them.
fn carrier(message: &ProviderMessage) -> Option<Carrier> {
    match message.body {
        MessageBody::Whole(_) => None,
        MessageBody::Events { .. } => message.header("content-type").and_then(Carrier::of),
        MessageBody::Session { .. } => Some(Carrier::WebSocket),
    }
}

impl Timeline {
    fn apply(&mut self, fault: &Fault, carrier: Option<Carrier>, context: &FaultContext<'_>) {
        // A fault before it may have put something in the stream's place.
        let carrier = carrier.filter(|_| !self.whole);
        let sse = carrier == Some(Carrier::Sse);
        match fault {
            Fault::Hang { at } | Fault::Stall { at, lasting: None } => {
                self.end(self.find(*at), WireAction::Hang);
            }
            Fault::Stall { at, lasting: Some(time) } | Fault::Delay { at, lasting: time } => {
                self.wait(self.find(*at), *time);
            }
            Fault::Drip { bytes_per_second } => self.drip(*bytes_per_second),
            Fault::Split { bytes } => self.packets = Packets::Of(*bytes as usize),
            Fault::SplitCharacters => self.packets = Packets::InsideCharacters,
            Fault::Reset { at } => self.end(self.find(*at), WireAction::Reset),
            Fault::Close { at } => self.end(self.find(*at), WireAction::Close),
            Fault::CloseFrame(frame) if carrier == Some(Carrier::WebSocket) => {
                let reason = provider::fill(&frame.reason, context.canaries);
                self.end(self.find(frame.at), WireAction::CloseFrame { code: frame.code, reason });
            }
            // What was armed for a session is asked for something else.
            Fault::CloseFrame(frame) => self.end(self.find(frame.at), WireAction::Close),
            Fault::Truncate { at } => self.cut_frame(self.find(*at), WireAction::Close),
            Fault::DropTerminator => self.drop_terminator(),
            Fault::DuplicateTerminator => self.duplicate_terminator(),
            Fault::ErrorEvent { error, at, form } if !self.whole => {
                let place = self.find(*at);
                let after = self.frames_before(place);
                let event =
                    provider::error_event_after(context.asked, *error, *form, after, context.canaries);
                self.end_with_event(place, event);
            }
            // A proxy that does not stream upstream cannot get an event: the same failure reaches
            // it as a provider would tell it there, by its status.
            Fault::ErrorEvent { error, .. } => {
                self.replace(provider::error(context.asked, *error, context.canaries));
            }
            Fault::UnknownEvent { at } => {
                if let Some(carrier) = carrier {
                    self.unknown_event(self.find(*at), carrier);
                }
            }
            Fault::Comment { at } if sse => self.comment(self.find(*at)),
            Fault::Ping { at } if sse => self.ping(self.find(*at), context.asked.api),
            Fault::Ping { at } if carrier == Some(Carrier::WebSocket) => {
                self.websocket_ping(self.find(*at));
            }
            Fault::Crlf if sse => self.crlf(),
            Fault::MultiLineData if sse => self.multi_line_data(),
            Fault::EventStream(fault) if carrier == Some(Carrier::Aws) => self.event_stream(*fault),
            Fault::Http1(fault) => self.http1(*fault),
            Fault::Http2(Http2Fault::RstStream(strike)) => {
                self.end(self.find(strike.at), WireAction::RstStream(strike.code));
            }
            Fault::Http2(Http2Fault::Goaway(strike)) => {
                self.end(self.find(strike.at), WireAction::Goaway(strike.code));
            }
            Fault::Tls(TlsFault::NoCloseNotify) => {
                if let Some(head) = &mut self.head {
                    head.framing = Framing::UntilClose;
                }
                self.finish = WireAction::CloseUnannounced;
                self.doubtful = true;
            }
            Fault::Connection(ConnectionFault::ClosedWhenReused) => self.finish = WireAction::CloseWhenReused,
            Fault::ContentEncoding(fault) => self.content_encoding(*fault),
            Fault::ContentType(fault) => self.content_type(*fault),
            Fault::Redirect(status) => {
                let location = vec![("location".into(), context.origin.elsewhere().into())];
                let body = MessageBody::Whole(Bytes::new());
                self.replace(ProviderMessage { status: *status, headers: location, body });
            }
            // Faults of the address and of the connection; and what edits events of another carrier.
            Fault::Refuse
            | Fault::Connection(_)
            | Fault::Tls(_)
            | Fault::Http2(_)
            | Fault::Comment { .. }
            | Fault::Ping { .. }
            | Fault::Crlf
            | Fault::MultiLineData
            | Fault::EventStream(_) => {}
            // What needs more than the reply as it stands: `compile` does it.
            Fault::Malform(_) | Fault::Latency(_) => {}
        }
    }
}
