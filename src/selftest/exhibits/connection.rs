//! Connections that are refused, ignored, closed or late.

use super::points::millis;
use crate::{
    scenario::{ConnectionFault, Fault},
    selftest::{Before, ClientView, ConnectionEnd, Exhibit, FaultLayer, MessageFraming, WireClaim},
};

fn exhibit(fault: ConnectionFault, seen: ClientView) -> Exhibit {
    Exhibit::stream(FaultLayer::Connection, [Fault::Connection(fault)], seen)
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    let late = millis(150);
    vec![
        Exhibit::stream(FaultLayer::Connection, [Fault::Refuse], ClientView::NotConnected)
            .ending(ConnectionEnd::Refused)
            .claim(WireClaim::no_bytes()),
        exhibit(ConnectionFault::NeverAccepted, ClientView::Silent).open().claim(WireClaim::no_bytes()),
        exhibit(ConnectionFault::BacklogFull, ClientView::NotConnected)
            .ending(ConnectionEnd::ConnectTimedOut)
            .claim(WireClaim::no_bytes()),
        exhibit(ConnectionFault::AcceptedSilent, ClientView::Silent).open().claim(WireClaim::no_bytes()),
        exhibit(ConnectionFault::AcceptedClosed, ClientView::BrokenBeforeHead)
            .ending(ConnectionEnd::Fin)
            .claim(WireClaim::no_bytes()),
        exhibit(ConnectionFault::ResetAtOnce, ClientView::BrokenBeforeHead)
            .ending(ConnectionEnd::Reset)
            .claim(WireClaim::no_bytes()),
        // The next request must come on a new connection with its own turn, so the reply says that it is the
        // last one on this connection.
        exhibit(ConnectionFault::SlowAccept(late), ClientView::Whole { status: 200 })
            .ending(ConnectionEnd::Fin)
            .claim(WireClaim::header("connection", &["close"]))
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Whole))
            .claim(WireClaim::waits(late, |_| Before::FirstByte)),
        exhibit(ConnectionFault::ClosedWhenReused, ClientView::Whole { status: 200 })
            .asking_again()
            .open()
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Whole))
            .claim(WireClaim::new(
                "the response to the next request on the connection is only a FIN",
                |view| {
                    let next = view.transcript.next.as_ref().ok_or("there was no next request")?;
                    match (&next.ending, next.reads.len()) {
                        (ConnectionEnd::Fin, 0) => Ok(()),
                        (ending, reads) => Err(format!("{ending:?} after {reads} reads")),
                    }
                },
            )),
    ]
}
