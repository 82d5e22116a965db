//! Connections that are refused, ignored, closed, or late.

use super::catalogue::millis;
use crate::{
    scenario::{ConnectionFault, Fault},
    selftest::{Before, Claim, Ending, Exhibit, Family, Framing, Seen},
};

fn exhibit(fault: ConnectionFault, seen: Seen) -> Exhibit {
    Exhibit::stream(Family::Connection, [Fault::Connection(fault)], seen)
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    let late = millis(150);
    vec![
        Exhibit::stream(Family::Connection, [Fault::Refuse], Seen::NotConnected)
            .ending(Ending::Refused)
            .claim(Claim::no_bytes()),
        exhibit(ConnectionFault::NeverAccepted, Seen::Silent).open().claim(Claim::no_bytes()),
        exhibit(ConnectionFault::BacklogFull, Seen::NotConnected)
            .ending(Ending::ConnectTimedOut)
            .claim(Claim::no_bytes()),
        exhibit(ConnectionFault::AcceptedSilent, Seen::Silent).open().claim(Claim::no_bytes()),
        exhibit(ConnectionFault::AcceptedClosed, Seen::BrokenBeforeHead)
            .ending(Ending::Fin)
            .claim(Claim::no_bytes()),
        exhibit(ConnectionFault::ResetAtOnce, Seen::BrokenBeforeHead)
            .ending(Ending::Reset)
            .claim(Claim::no_bytes()),
        // The next connection is to be a turn of its own: the reply says that it is the last on this one.
        exhibit(ConnectionFault::SlowAccept(late), Seen::Whole { status: 200 })
            .ending(Ending::Fin)
            .claim(Claim::header("connection", &["close"]))
            .claim(Claim::whole_body())
            .claim(Claim::framing(Framing::Whole))
            .claim(Claim::waits(late, |_| Before::FirstByte)),
        exhibit(ConnectionFault::ClosedWhenReused, Seen::Whole { status: 200 })
            .asking_again()
            .open()
            .claim(Claim::whole_body())
            .claim(Claim::framing(Framing::Whole))
            .claim(Claim::new("the next request on the connection is answered by a FIN alone", |sight| {
                let next = sight.transcript.next.as_ref().ok_or("it was never sent")?;
                match (&next.ending, next.reads.len()) {
                    (Ending::Fin, 0) => Ok(()),
                    (ending, reads) => Err(format!("{ending:?} behind {reads} reads")),
                }
            })),
    ]
}
