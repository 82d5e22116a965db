//! Claims about the wire, and the check whether they are true.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    base::UnfaultedReply,
    reply::{MessageFraming, ParsedReply},
    transcript::{ConnectionEnd, Transcript},
};
use crate::observation::Attempt;

/// How late something may come. A loaded machine is late by less, a wrong wait is off by more.
const LATE: Duration = Duration::from_secs(2);

/// Everything that was observed for one exhibit, on both sides.
pub struct ExhibitView<'a> {
    /// The reply without faults.
    pub base: &'a UnfaultedReply,
    /// Everything that the client received.
    pub transcript: &'a Transcript,
    /// The mock's ledger.
    pub attempts: &'a [Attempt],
}

impl ExhibitView<'_> {
    /// Returns the message that the client received.
    pub fn reply(&self) -> &ParsedReply {
        &self.transcript.reply
    }

    /// Returns the bytes of its head.
    pub fn head(&self) -> Vec<u8> {
        self.transcript.bytes().get(self.reply().head.clone()).unwrap_or_default().to_vec()
    }
}

type Check = dyn Fn(&ExhibitView<'_>) -> Result<(), String> + Send + Sync;

/// A condition that must be true.
#[derive(Clone)]
pub struct WireClaim {
    /// The text of the condition: `the body is the first 3 events`.
    pub says: String,
    check: Arc<Check>,
}

impl fmt::Debug for WireClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WireClaim").field(&self.says).finish()
    }
}

/// What comes after a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// The first byte of the reply.
    FirstByte,
    /// The byte of the body at this offset.
    Byte(usize),
    /// The end of the connection.
    Ending,
}

impl WireClaim {
    /// Creates a claim with a check. The error of the check says what was observed instead.
    pub fn new(
        says: impl Into<String>,
        check: impl Fn(&ExhibitView<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { says: says.into(), check: Arc::new(check) }
    }

    /// Creates a claim with a condition. The error shows the received bytes.
    pub fn that(
        says: impl Into<String>,
        holds: impl Fn(&ExhibitView<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::new(says, move |view| if holds(view) { Ok(()) } else { Err(seen_bytes(view)) })
    }

    /// Claims how the connection ends.
    pub fn ends(ending: ConnectionEnd) -> Self {
        Self::new(format!("the connection ends with {}", words(&ending)), move |view| ended(&ending, view))
    }

    /// Claims that the connection stays open.
    pub fn stays_open() -> Self {
        Self::new("the connection stays open", |view| ended(&ConnectionEnd::Open, view))
    }

    /// Claims the state of the framing.
    pub fn framing(framing: MessageFraming) -> Self {
        Self::new(format!("the framing is {framing:?}").to_lowercase(), move |view| {
            equal(&framing, &view.reply().framing)
        })
    }

    /// Claims that the client receives no byte.
    pub fn no_bytes() -> Self {
        Self::that("no byte arrives", |view| view.transcript.reads.is_empty())
    }

    /// Claims the body, byte for byte.
    pub fn body(says: &str, wanted: impl Fn(&UnfaultedReply) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::new(format!("the body is {says}"), move |view| {
            let (wanted, got) = (wanted(view.base), &view.reply().body);
            if wanted == *got {
                return Ok(());
            }
            let same = wanted.iter().zip(got).take_while(|(wanted, got)| wanted == got).count();
            Err(format!("{} bytes instead of {}; the first {same} are the same", got.len(), wanted.len()))
        })
    }

    /// Claims that the body is the one without faults.
    pub fn whole_body() -> Self {
        Self::body("the same as without faults", UnfaultedReply::body)
    }

    /// Claims the values of a header, in order.
    pub fn header(name: &'static str, values: &[&'static str]) -> Self {
        let values = values.to_vec();
        Self::new(format!("{name} is {values:?}"), move |view| equal(&values, &view.reply().all(name)))
    }

    /// Claims that a place arrives after at least this total wait, and at most two seconds later.
    pub fn waits(time: Duration, before: impl Fn(&UnfaultedReply) -> Before + Send + Sync + 'static) -> Self {
        Self::waits_as(format!("the wait takes {} ms", time.as_millis()), move |base| (time, before(base)))
    }

    /// Like [`waits`](Self::waits), with time and place taken from the plan.
    pub fn waits_as(
        says: impl Into<String>,
        wait: impl Fn(&UnfaultedReply) -> (Duration, Before) + Send + Sync + 'static,
    ) -> Self {
        Self::new(says, move |view| {
            let (time, before) = wait(view.base);
            let came = match before {
                Before::FirstByte => view.transcript.arrival(0),
                Before::Byte(offset) => view.transcript.body_arrival(offset),
                Before::Ending => Some(view.transcript.ended),
            };
            let came = came.ok_or_else(|| format!("{before} never arrived"))?;
            if came < time {
                return Err(format!("early: {before} arrived after {} ms", came.as_millis()));
            }
            if came > time + LATE {
                return Err(format!("late: {before} arrived after {} ms", came.as_millis()));
            }
            Ok(())
        })
    }

    /// Claims that the bytes before this offset of the body arrive earlier than the byte at it, by at least
    /// half of `time`. So the wait is exactly there.
    pub fn pause(time: Duration, offset: impl Fn(&UnfaultedReply) -> usize + Send + Sync + 'static) -> Self {
        Self::new("the bytes before the wait arrive before it", move |view| {
            let at = offset(view.base);
            let after = view.transcript.body_arrival(at).unwrap_or(view.transcript.ended);
            let before = match at.checked_sub(1) {
                Some(last) => view.transcript.body_arrival(last),
                None => view.transcript.arrival(view.reply().head.end.saturating_sub(1)),
            };
            let before = before.ok_or("the bytes before it never arrived")?;
            // Half of the time is enough to distinguish the wait from the pauses of a busy machine.
            let gap = after.saturating_sub(before);
            if gap >= time / 2 { Ok(()) } else { Err(format!("only {} ms between the two", gap.as_millis())) }
        })
    }

    /// Claims that every read ends at a place where a packet may end, and that there are several.
    pub fn packets(
        says: &str,
        cuts: impl Fn(&UnfaultedReply, usize) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::new(format!("packets end {says}"), move |view| {
            let got = view.transcript.body_cuts();
            let length = view.reply().body.len();
            match got.iter().find(|cut| **cut != length && !cuts(view.base, **cut)) {
                Some(cut) => Err(format!("one ends after byte {cut}")),
                // The kernel may join packets that have not been read yet, but not all of them.
                None if got.len() < 2 => Err("everything arrived in one packet".to_owned()),
                None => Ok(()),
            }
        })
    }

    /// Checks whether the claim is true.
    ///
    /// # Errors
    /// What was observed instead.
    pub fn check(&self, view: &ExhibitView<'_>) -> Result<(), String> {
        (self.check)(view)
    }
}

fn ended(wanted: &ConnectionEnd, view: &ExhibitView<'_>) -> Result<(), String> {
    let got = &view.transcript.ending;
    match got {
        _ if wanted == got => Ok(()),
        ConnectionEnd::Open => Err("it stayed open".to_owned()),
        _ => Err(format!("it ended with {}", words(got))),
    }
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstByte => f.write_str("the first byte"),
            Self::Byte(offset) => write!(f, "byte {offset} of the body"),
            Self::Ending => f.write_str("the end"),
        }
    }
}

fn equal<T: PartialEq + fmt::Debug>(wanted: &T, got: &T) -> Result<(), String> {
    if wanted == got { Ok(()) } else { Err(format!("{got:?}")) }
}

/// Formats the beginning of the received bytes.
fn seen_bytes(view: &ExhibitView<'_>) -> String {
    let bytes = view.transcript.bytes();
    let shown = bytes.len().min(240);
    let dots = if shown < bytes.len() { "..." } else { "" };
    format!("{} bytes: {}{dots}", bytes.len(), bytes[..shown].escape_ascii())
}

/// Describes an ending in a few words.
pub(super) fn words(ending: &ConnectionEnd) -> String {
    match ending {
        ConnectionEnd::NameUnknown => "a name that does not resolve".to_owned(),
        ConnectionEnd::Refused => "RST to the SYN".to_owned(),
        ConnectionEnd::ConnectTimedOut => "a SYN without a response".to_owned(),
        ConnectionEnd::Certificate(refusal) => refusal.to_string(),
        ConnectionEnd::Alert(number) => format!("TLS alert {number}"),
        ConnectionEnd::Fin => "FIN".to_owned(),
        ConnectionEnd::Truncated => "FIN without close_notify".to_owned(),
        ConnectionEnd::Reset => "RST".to_owned(),
        ConnectionEnd::StreamReset(code) => format!("RST_STREAM {code}"),
        ConnectionEnd::GoneAway(code) => format!("GOAWAY {code} and FIN"),
        ConnectionEnd::Open => "no end".to_owned(),
        ConnectionEnd::Other(words) => words.clone(),
    }
}
