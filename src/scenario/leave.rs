//! A caller that disconnects before its response is complete.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The caller disconnects before the response is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// When the caller disconnects. Required.
    pub at: LeavePoint,
    /// How the caller disconnects. Default: `close`.
    #[serde(default)]
    pub by: LeaveBy,
}

/// When a caller disconnects. If the response is complete before that, the caller treats it like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LeavePoint {
    /// As soon as an upstream has received the request.
    BeforeHeaders,
    /// As soon as the caller has received the status and the headers.
    AfterHeaders,
    /// As soon as the caller has received this many events of the stream, at least 1.
    AfterEvents(u32),
}

/// How a caller disconnects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeaveBy {
    /// The caller closes the connection in both directions.
    #[default]
    Close,
    /// The caller sends a FIN and continues to read for two seconds, then closes the connection.
    HalfClose,
}

impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.by {
            LeaveBy::Close => "closes the connection ",
            LeaveBy::HalfClose => "half-closes the connection ",
        })?;
        match self.at {
            LeavePoint::BeforeHeaders => f.write_str("as soon as an upstream has the request"),
            LeavePoint::AfterHeaders => f.write_str("as soon as the headers are there"),
            LeavePoint::AfterEvents(1) => f.write_str("after 1 event"),
            LeavePoint::AfterEvents(n) => write!(f, "after {n} events"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_text;

    const HEAD: &str = "title: t\nwhy: w\nupstream: [{reply: ok}]\n";

    fn loaded(text: &str) -> Result<Option<Leave>, String> {
        let scenario = load_text("x", "scenarios/x.yaml", &format!("{HEAD}{text}"));
        scenario.map(|scenario| scenario.steps[0].leave).map_err(|errors| errors.render(false))
    }

    #[test]
    fn a_caller_closes_its_connection_by_default() {
        let leave = |at, by| Ok(Some(Leave { at, by }));
        assert_eq!(
            loaded("steps: [{leave: {at: before_headers}}]"),
            leave(LeavePoint::BeforeHeaders, LeaveBy::Close)
        );
        assert_eq!(
            loaded("matrix: {stream: [true]}\nsteps: [{leave: {at: {after_events: 2}, by: half_close}}]"),
            leave(LeavePoint::AfterEvents(2), LeaveBy::HalfClose)
        );
        assert_eq!(loaded("steps: [{}]"), Ok(None));
    }

    #[test]
    fn a_point_that_no_response_has_is_refused_with_its_position() {
        let error = |text: &str| loaded(text).expect_err("this file is wrong");
        insta::assert_snapshot!(error("matrix: {stream: [true, false]}\nsteps: [{leave: {at: {after_events: 2}}}]"), @"
        error: the caller waits for events, and not every case of this file is a stream
         --> scenarios/x.yaml:5:23
          |
        5 | steps: [{leave: {at: {after_events: 2}}}]
          |                       ^^^^^^^^^^^^
          |
          = help: write `matrix: {stream: [true]}`, or let the caller leave at `before_headers` or `after_headers`
        ");
        insta::assert_snapshot!(error("matrix: {api: [openai/embeddings]}\nsteps: [{leave: {at: {after_events: 2}}}]"), @"
        error: the caller waits for events, and not every case of this file is a stream
         --> scenarios/x.yaml:5:23
          |
        5 | steps: [{leave: {at: {after_events: 2}}}]
          |                       ^^^^^^^^^^^^
          |
          = help: openai/embeddings has no stream: use `before_headers` or `after_headers`
        ");
        insta::assert_snapshot!(error("matrix: {stream: [true]}\nsteps: [{leave: {at: {after_events: 0}}}]"), @"
        error: `after_events` must be at least 1
         --> scenarios/x.yaml:5:23
          |
        5 | steps: [{leave: {at: {after_events: 0}}}]
          |                       ^^^^^^^^^^^^
          |
          = help: before the first event there are only the headers: `after_headers`
        ");
        insta::assert_snapshot!(error("steps: [{leave: {at: before_end}}]"), @"
        error: unknown name `before_end`
         --> scenarios/x.yaml:4:22
          |
        4 | steps: [{leave: {at: before_end}}]
          |                      ^^^^^^^^^^
          |
          = help: possible values: `before_headers`, `after_headers`, `after_events`
        ");
        insta::assert_snapshot!(error("steps: [{leave: {by: close}}]"), @"
        error: the key `at` is missing
         --> scenarios/x.yaml:4:17
          |
        4 | steps: [{leave: {by: close}}]
          |                 ^
          |
          = help: add it, for example `leave: {at: after_headers}`
        ");
    }
}
