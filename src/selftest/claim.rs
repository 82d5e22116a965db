//! What is claimed of the wire, and whether it is true of what was seen.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    base::UnfaultedReply,
    raw::{ConnectionEnd, Transcript},
    reply::{MessageFraming, ParsedReply},
};
use crate::observation::Attempt;

/// How much later than injected something may come: a loaded machine is late, a wrong wait is off
/// by more.
const LATE: Duration = Duration::from_secs(2);

/// All that was seen of one exhibit, on both sides.
pub struct ExhibitView<'a> {
    /// The reply without faults.
    pub base: &'a UnfaultedReply,
    /// What the client got.
    pub transcript: &'a Transcript,
    /// The mock's ledger.
    pub attempts: &'a [Attempt],
}

impl ExhibitView<'_> {
    /// The message that came.
    pub fn reply(&self) -> &ParsedReply {
        &self.transcript.reply
    }

    /// The bytes of its head.
    pub fn head(&self) -> Vec<u8> {
        self.transcript.bytes().get(self.reply().head.clone()).unwrap_or_default().to_vec()
    }
}

type Check = dyn Fn(&ExhibitView<'_>) -> Result<(), String> + Send + Sync;

/// One thing that must be true.
#[derive(Clone)]
pub struct WireClaim {
    /// In words: `the body is the first 3 events`.
    pub says: String,
    check: Arc<Check>,
}

impl fmt::Debug for WireClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claim").field(&self.says).finish()
    }
}

/// What a wait stands before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// The first byte of all.
    FirstByte,
    /// The body's byte at this offset.
    Byte(usize),
    /// The end of the connection.
    Ending,
}

impl WireClaim {
    /// Anything; what was seen instead is the error.
    pub fn new(
        says: impl Into<String>,
        check: impl Fn(&ExhibitView<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { says: says.into(), check: Arc::new(check) }
    }

    /// Something that is true or not of the message.
    pub fn that(
        says: impl Into<String>,
        holds: impl Fn(&ExhibitView<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::new(says, move |sight| if holds(sight) { Ok(()) } else { Err(seen_bytes(sight)) })
    }

    /// How the connection ends.
    pub fn ends(ending: ConnectionEnd) -> Self {
        Self::new(format!("the connection ends by {}", words(&ending)), move |sight| ended(&ending, sight))
    }

    /// It ends by nobody.
    pub fn stays_open() -> Self {
        Self::new("the connection stays open", |sight| ended(&ConnectionEnd::Open, sight))
    }

    /// What became of the framing.
    pub fn framing(framing: MessageFraming) -> Self {
        Self::new(format!("the framing is {framing:?}").to_lowercase(), move |sight| {
            equal(&framing, &sight.reply().framing)
        })
    }

    /// Not one byte comes.
    pub fn no_bytes() -> Self {
        Self::that("not one byte comes", |sight| sight.transcript.reads.is_empty())
    }

    /// The body, byte for byte.
    pub fn body(says: &str, wanted: impl Fn(&UnfaultedReply) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::new(format!("the body is {says}"), move |sight| {
            let (wanted, got) = (wanted(sight.base), &sight.reply().body);
            if wanted == *got {
                return Ok(());
            }
            let same = wanted.iter().zip(got).take_while(|(wanted, got)| wanted == got).count();
            Err(format!(
                "{} bytes where {} were claimed, the first {same} of them the same",
                got.len(),
                wanted.len()
            ))
        })
    }

    /// The body that the provider would have sent.
    pub fn whole_body() -> Self {
        Self::body("all that the provider would send", UnfaultedReply::body)
    }

    /// A header's values, in order.
    pub fn header(name: &'static str, values: &[&'static str]) -> Self {
        let values = values.to_vec();
        Self::new(format!("{name} is {values:?}"), move |sight| equal(&values, &sight.reply().all(name)))
    }

    /// What the place is waited for at the least and, on any machine, at the most, in all.
    pub fn waits(time: Duration, before: impl Fn(&UnfaultedReply) -> Before + Send + Sync + 'static) -> Self {
        Self::waits_as(format!("{} ms of wait", time.as_millis()), move |base| (time, before(base)))
    }

    /// The same where time and place follow from the plan.
    pub fn waits_as(
        says: impl Into<String>,
        wait: impl Fn(&UnfaultedReply) -> (Duration, Before) + Send + Sync + 'static,
    ) -> Self {
        Self::new(says, move |sight| {
            let (time, before) = wait(sight.base);
            let came = match before {
                Before::FirstByte => sight.transcript.arrival(0),
                Before::Byte(offset) => sight.transcript.body_arrival(offset),
                Before::Ending => Some(sight.transcript.ended),
            };
            let came = came.ok_or_else(|| format!("{before} never came"))?;
            if came < time {
                return Err(format!("early: {before} came after {} ms", came.as_millis()));
            }
            if came > time + LATE {
                return Err(format!("{before} came after {} ms", came.as_millis()));
            }
            Ok(())
        })
    }

    /// What stands before the body's byte at this offset comes so much earlier than it: that is
    /// where the wait is.
    pub fn pause(time: Duration, offset: impl Fn(&UnfaultedReply) -> usize + Send + Sync + 'static) -> Self {
        Self::new("what stands before the wait is not held back by it", move |sight| {
            let at = offset(sight.base);
            let after = sight.transcript.body_arrival(at).unwrap_or(sight.transcript.ended);
            let before = match at.checked_sub(1) {
                Some(last) => sight.transcript.body_arrival(last),
                None => sight.transcript.arrival(sight.reply().head.end.saturating_sub(1)),
            };
            let before = before.ok_or("what stands before it never came")?;
            // Half of it tells a wait from the pauses of a busy machine.
            let gap = after.saturating_sub(before);
            if gap >= time / 2 { Ok(()) } else { Err(format!("only {} ms between the two", gap.as_millis())) }
        })
    }

    /// Every read ends where a packet may end, and there are several.
    pub fn packets(
        says: &str,
        cuts: impl Fn(&UnfaultedReply, usize) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::new(format!("packets end {says}"), move |sight| {
            let got = sight.transcript.body_cuts();
            let length = sight.reply().body.len();
            match got.iter().find(|cut| **cut != length && !cuts(sight.base, **cut)) {
                Some(cut) => Err(format!("one ends behind byte {cut}")),
                // The kernel may join packets that nobody has read yet, but not all of them.
                None if got.len() < 2 => Err("all came in one".to_owned()),
                None => Ok(()),
            }
        })
    }

    /// Whether it is true; else what was seen.
    ///
    /// # Errors
    /// What was seen instead.
    pub fn check(&self, sight: &ExhibitView<'_>) -> Result<(), String> {
        (self.check)(sight)
    }
}

fn ended(wanted: &ConnectionEnd, sight: &ExhibitView<'_>) -> Result<(), String> {
    let got = &sight.transcript.ending;
    if wanted == got { Ok(()) } else { Err(format!("it ended by {}", words(got))) }
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

/// The beginning of what came, as far as it is of use to a reader.
fn seen_bytes(sight: &ExhibitView<'_>) -> String {
    let bytes = sight.transcript.bytes();
    let shown = bytes.len().min(240);
    let dots = if shown < bytes.len() { "..." } else { "" };
    format!("{} bytes: {}{dots}", bytes.len(), bytes[..shown].escape_ascii())
}

/// An ending in a few words.
pub fn words(ending: &ConnectionEnd) -> String {
    match ending {
        ConnectionEnd::NameUnknown => "a name without an address".to_owned(),
        ConnectionEnd::Refused => "RST to the SYN".to_owned(),
        ConnectionEnd::ConnectTimedOut => "a SYN without an answer".to_owned(),
        ConnectionEnd::Certificate(refusal) => refusal.to_string(),
        ConnectionEnd::Alert(number) => format!("TLS alert {number}"),
        ConnectionEnd::Fin => "FIN".to_owned(),
        ConnectionEnd::Truncated => "FIN without close_notify".to_owned(),
        ConnectionEnd::Reset => "RST".to_owned(),
        ConnectionEnd::StreamReset(code) => format!("RST_STREAM {code}"),
        ConnectionEnd::GoneAway(code) => format!("GOAWAY {code} and FIN"),
        ConnectionEnd::Open => "nothing".to_owned(),
        ConnectionEnd::Other(words) => words.clone(),
    }
}
