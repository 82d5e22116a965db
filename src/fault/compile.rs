//! Compiles a message and its faults into a plan.

use std::time::Duration;

use bytes::Bytes;

use super::{
    content_marks::ContentMarks,
    origin::Origin,
    packets::Packets,
    plan::{Framing, Plan, WireAction},
    timeline::Timeline,
};
use crate::{
    observation::Canaries,
    provider::{self, MessageBody, ProviderMessage, RequestedCall},
    scenario::{ConnectionFault, Fault, Http2Fault, Point, TlsFault, Turn},
    wire::frames::Carrier,
};

/// What faults need to know to replace the bytes of a reply with others of the same provider.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultContext<'a> {
    /// The request that the reply answers.
    pub asked: &'a RequestedCall,
    /// The canaries of this attempt.
    pub canaries: &'a Canaries,
    /// The attempt that the plan is for.
    pub origin: Origin<'a>,
}

/// Compiles a turn, its message and then its faults, into a plan.
pub(crate) fn plan(turn: &Turn, context: &FaultContext<'_>) -> Plan {
    let message = provider::message(context.asked, turn, context.canaries);
    compile(message, &turn.faults, context)
}

/// Compiles a message without any fault.
pub(crate) fn without_faults(message: ProviderMessage) -> Plan {
    Timeline::new(message).into_plan()
}

/// Compiles a message and applies faults to it in order. Each fault changes the result of the faults before
/// it.
///
/// A point that the reply does not reach (`after_events: 50` in a short stream, `inside_tool_call` in a text, any
/// point of a stream in a plain body) means just before the end. A fault that edits events does not change a reply without such
/// events. Faults of the address and of the connection do not appear in a plan: the listener performs them.
pub(crate) fn compile(message: ProviderMessage, faults: &[Fault], context: &FaultContext<'_>) -> Plan {
    if faults.is_empty() {
        return Timeline::new(message).into_plan();
    }
    let carrier = carrier(&message);
    // Only a malformed reply needs the headers of the original.
    let malforms = faults.iter().any(|fault| matches!(fault, Fault::Malform(_)));
    let headers = if malforms { message.headers.clone() } else { Vec::new() };
    let wait = provider::asked_wait(&message);
    let is_of_content = |fault: &Fault| fault.at().is_some_and(Point::is_of_content);
    let content = match faults.iter().any(is_of_content) {
        true => ContentMarks::of(&message, carrier, context.asked.api),
        false => ContentMarks::default(),
    };
    let mut timeline = Timeline::new(message);
    timeline.content = content;
    timeline.ends_before_end = faults.iter().any(|fault| {
        fault.at() == Some(Point::BeforeEnd)
            && (fault.is_final() || matches!(fault, Fault::ErrorEvent { .. }))
    });
    for (i, fault) in faults.iter().enumerate() {
        // An earlier fault ends the reply before its head, so nothing is left to edit.
        if timeline.head.is_none() {
            break;
        }
        match fault {
            Fault::Malform(malform) => timeline.malform(*malform, carrier, &headers, wait, context),
            Fault::Latency(latency) => {
                timeline.latency(latency, context.origin.attempt, &mut context.origin.numbers(i));
            }
            fault => timeline.apply(fault, carrier, wait, context),
        }
    }
    timeline.into_plan()
}

/// Returns the format that carries the events of a stream, or `None` for a plain body.
pub(super) fn carrier(message: &ProviderMessage) -> Option<Carrier> {
    match message.body {
        MessageBody::Whole(_) => None,
        MessageBody::Events { .. } | MessageBody::Chunks(_) => {
            message.header("content-type").and_then(Carrier::of)
        }
        MessageBody::Session { .. } => Some(Carrier::WebSocket),
    }
}

impl Timeline {
    /// Applies one fault. `wait` is the wait that the reply's own headers ask for.
    fn apply(
        &mut self,
        fault: &Fault,
        carrier: Option<Carrier>,
        wait: Option<Duration>,
        context: &FaultContext<'_>,
    ) {
        // An earlier fault may have replaced the stream with a plain body.
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
            // The request is not for the session that this fault was armed for.
            Fault::CloseFrame(frame) => self.end(self.find(frame.at), WireAction::Close),
            Fault::Truncate { at } => self.cut_frame(self.find(*at), WireAction::Close),
            Fault::DropTerminator => self.drop_terminator(),
            Fault::DuplicateTerminator => self.duplicate_terminator(),
            Fault::ErrorEvent { error, at, form } if !self.whole => {
                let place = self.find(*at);
                let after = self.frames_before(place);
                let FaultContext { asked, canaries, .. } = context;
                let event = provider::error_event_after(asked, *error, *form, after, wait, canaries);
                self.end_with_event(place, event);
            }
            // A proxy that does not stream from the upstream cannot get an event. It gets the same failure as
            // an error response with the provider's status.
            Fault::ErrorEvent { error, .. } => {
                self.replace(provider::error_asking(context.asked, *error, wait, context.canaries));
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
            // Faults of the address and of the connection, and faults that edit events of another carrier, do
            // not change the plan.
            Fault::Refuse
            | Fault::Connection(_)
            | Fault::Tls(_)
            | Fault::Http2(_)
            | Fault::Comment { .. }
            | Fault::Ping { .. }
            | Fault::Crlf
            | Fault::MultiLineData
            | Fault::EventStream(_) => {}
            // `compile` applies these, because they need more than the timeline.
            Fault::Malform(_) | Fault::Latency(_) => {}
        }
    }
}
