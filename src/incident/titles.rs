//! The title and the reason of a scenario that was made from an incident.

use super::place::SpokenPoint;
use crate::scenario::{Fault, FaultStage, Point};

/// The title, which says what must hold, and the reason.
pub(super) type TitleAndReason = (String, &'static str);

const CUT: &str = "A program that treats an incomplete answer as complete acts on it.";

/// For an error response. `name` is the provider's display name.
pub(super) fn of_error(name: &str, status: u16, words: &str) -> TitleAndReason {
    let owner = possessive(name);
    let words = if words.is_empty() { String::new() } else { format!(" ({words})") };
    match status {
        // A quota is not there again after a wait.
        429 if !words.contains("quota") => (
            format!("{owner} 429{words} reaches the caller with what it says about waiting"),
            "Clients wait as long as the error says; if that is lost, they try again at once.",
        ),
        400..500 => (
            format!("{owner} {status}{words} reaches the caller with its status and its words"),
            "Programs act on the status and the code, and people search for the words.",
        ),
        200..300 => (
            format!("{owner} {status}{words} does not look like a success"),
            "A program that treats a failure as an answer acts on it.",
        ),
        _ => (
            format!("{owner} {status}{words} reaches the caller with its status and its words"),
            "Clients retry a failure of the provider, and give up after one of their own.",
        ),
    }
}

/// For an error event in a stream.
pub(super) fn of_error_event(name: &str, error: &str, place: Point) -> TitleAndReason {
    let place = SpokenPoint(place).to_string().replace("before its response", "at the start of a stream");
    (format!("{} error event ({error}) {place} reaches the caller as an error", possessive(name)), CUT)
}

/// For a silence that is longer than the proxy's timeout.
pub(super) fn of_silence(name: &str, place: Point) -> TitleAndReason {
    (
        format!("The caller gets an error in its API's form when {name} is silent {}", SpokenPoint(place)),
        "The caller's own deadline depends on it, and SDKs cannot read anything else.",
    )
}

/// For a fault that the proxy does not have to wait for longer than its timeout.
pub(super) fn of_fault(name: &str, fault: &Fault, place: Point) -> TitleAndReason {
    let what = fault.to_string();
    match fault {
        Fault::Delay { .. } | Fault::Stall { .. } | Fault::Latency(_) | Fault::Drip { .. } => (
            format!("A slow answer of {name} reaches the caller whole ({what})"),
            "A model that thinks for a long time is not a failure.",
        ),
        Fault::Reset { .. } | Fault::Close { .. } | Fault::Truncate { .. } | Fault::DropTerminator => (
            format!(
                "A response of {name} that breaks off {} does not look finished ({what})",
                SpokenPoint(place)
            ),
            CUT,
        ),
        _ if fault.stage() != FaultStage::Reply => (
            format!("A failed connection to {name} is a failure that the caller can see ({what})"),
            "People search for the cause in the wrong place if the status blames the caller.",
        ),
        _ => (
            format!(
                "When {} response is faulty, the caller gets a whole answer or an error ({what})",
                possessive(name)
            ),
            "A failure that nothing reports becomes a wrong answer.",
        ),
    }
}

fn possessive(name: &str) -> String {
    if name.ends_with('s') { format!("{name}'") } else { format!("{name}'s") }
}
