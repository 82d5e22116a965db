//! A scenario that repeats an incident, and its text.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::redact::redacted;
use crate::scenario::{
    Api, Fault, Provider, SHORTEST_TIMEOUT, SHORTEST_WAIT, SuccessReply, Turn, TurnReply, block_text,
    fault_text, flow, turn_file,
};

/// The longest wait that a run should contain: longer ones are divided.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What a longer one becomes.
const USUAL_WAIT: Duration = Duration::from_secs(3);

/// The divisors to choose from; the largest is the largest that a scenario can have.
const SPEEDUPS: [u32; 9] = [2, 3, 4, 8, 12, 16, 32, 50, 100];

/// By how much a wait must exceed the timeout so that a proxy that ignores it breaks `timeout.honoured`, which allows one
/// second.
const CLEAR: Duration = Duration::from_millis(1200);

/// The length up to which a turn is written on one line.
const SHORT: usize = 90;

/// The length up to which assumptions share a line.
const LONGEST_COMMENT: usize = 110;

/// A scenario that repeats an incident.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScenarioDraft {
    /// A name for its file, of letters, digits and hyphens.
    pub slug: String,
    /// What was assumed, because the incident does not say it.
    pub assumed: Vec<String>,
    /// What must hold.
    pub(super) title: String,
    /// Why it matters.
    pub(super) why: String,
    /// Where the incident and the error are from.
    pub(super) references: Vec<String>,
    /// The provider behind the proxy.
    pub(super) provider: Provider,
    /// The APIs that callers use.
    pub(super) apis: Vec<Api>,
    /// Whether callers request a stream.
    pub(super) streams: Vec<bool>,
    /// What the provider does.
    pub(super) turn: Turn,
    /// The timeout of the proxy.
    pub(super) timeout: Option<Duration>,
    /// How often the proxy retries.
    pub(super) retries: Option<u32>,
    /// By what all times are divided.
    pub(super) speedup: Option<u32>,
}

impl ScenarioDraft {
    /// Chooses a [speedup](Self::speedup) if one of the times is so long that every run would wait for it.
    pub(super) fn choose_speedup(&mut self) {
        let waits = || self.turn.faults.iter().filter_map(Fault::pause);
        let is_silent =
            self.turn.faults.iter().any(|fault| matches!(fault, Fault::Hang { .. } | Fault::Stall { .. }));
        let longest = waits().chain(self.timeout.filter(|_| is_silent)).max().unwrap_or_default();
        if longest > LONGEST_WAIT {
            let differs =
                |wait: Duration, by: u32| match self.timeout.map(|timeout| wait.saturating_sub(timeout)) {
                    None | Some(Duration::ZERO) => true,
                    Some(longer) => longer / by >= CLEAR,
                };
            let fits = |by: &&u32| {
                waits().all(|wait| wait / **by >= SHORTEST_WAIT && differs(wait, **by))
                    && self.timeout.is_none_or(|timeout| timeout / **by >= SHORTEST_TIMEOUT)
            };
            let short = |by: &&u32| longest / **by <= USUAL_WAIT;
            let possible = || SPEEDUPS.iter().filter(fits);
            self.speedup = possible().find(short).or(possible().next_back()).copied();
        }
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in assumed_lines(&self.assumed) {
            let _ = writeln!(text, "# Assumed: {line}.");
        }
        let _ = writeln!(text, "title: {}\nwhy: {}", block_text(&self.title), block_text(&self.why));
        if !self.references.is_empty() {
            let _ = writeln!(text, "references: {}", flow(&json!(self.references)));
        }
        let _ = write!(text, "{}", self.matrix());
        text.push_str(&self.upstream());
        if let Some(by) = self.speedup {
            let _ = writeln!(text, "speedup: {by}");
        }
        let mut proxy = serde_json::Map::new();
        proxy.extend(self.timeout.map(|timeout| ("timeout".to_owned(), Value::from(shown_time(timeout)))));
        proxy.extend(self.retries.map(|retries| ("retries".to_owned(), Value::from(retries))));
        if !proxy.is_empty() {
            let _ = writeln!(text, "proxy: {}", flow(&Value::Object(proxy)));
        }
        text
    }

    /// The axes of the matrix that differ from their defaults.
    fn matrix(&self) -> String {
        let mut axes = serde_json::Map::new();
        if self.apis.iter().any(|api| api.native_provider() != self.provider) {
            axes.insert("provider".to_owned(), json!([self.provider]));
        }
        if self.apis != [Api::OpenaiChat] {
            axes.insert("api".to_owned(), json!(self.apis));
        }
        if self.streams != [false] {
            axes.insert("stream".to_owned(), json!(self.streams));
        }
        if axes.is_empty() { String::new() } else { format!("matrix: {}\n", flow(&Value::Object(axes))) }
    }

    /// The turn: on one line if that is short, otherwise with one key per line.
    fn upstream(&self) -> String {
        let mut file = match turn_file(&self.turn) {
            Value::Object(members) => members,
            _ => serde_json::Map::new(),
        };
        // A turn that has only faults means a success with these faults.
        if !self.turn.faults.is_empty() && self.turn.answer == TurnReply::Reply(SuccessReply::Ok) {
            file.remove("reply");
        }
        let member = |(key, value): (&String, &Value)| {
            let value = match key.as_str() {
                "faults" => {
                    let faults = self.turn.faults.iter().map(|fault| match fault_text(fault) {
                        text if text.contains(": ") => format!("{{{text}}}"),
                        text => text,
                    });
                    format!("[{}]", faults.collect::<Vec<_>>().join(", "))
                }
                _ => flow(value),
            };
            format!("{key}: {value}")
        };
        let members: Vec<String> = file.iter().map(member).collect();
        match members.as_slice() {
            [only] if only.len() <= SHORT => format!("upstream: [{{{only}}}]\n"),
            members => format!("upstream:\n  - {}\n", members.join("\n    ")),
        }
    }

    /// The name that the scenario gets if the user does not choose one.
    pub(crate) fn name(&self) -> String {
        let plain: String = self
            .slug
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
        format!("incidents/{}", words.join("-"))
    }
}

/// The assumptions as sentences of one line; short ones share a line.
fn assumed_lines(assumed: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for assumed in assumed {
        let assumed: String =
            redacted(assumed).0.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        match lines.last_mut() {
            Some(line) if line.chars().count() + assumed.chars().count() < LONGEST_COMMENT => {
                line.push_str("; ");
                line.push_str(&assumed);
            }
            _ => lines.push(assumed),
        }
    }
    lines
}

/// A time as scenarios write it.
pub(super) fn shown_time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}
