//! Faults at points where they most likely should not be.

use super::context::LintContext;
use crate::{
    fault::ReplyOutline,
    observation::Identity,
    provider::{self, RequestedCall},
    scenario::{Api, Combination, Fault, Point, Scenario, Turn, TurnReply},
};

/// A fault with a point, and the reply that it changes.
struct FaultSite<'s> {
    /// The deployment and the number of the turn.
    place: String,
    fault: &'s Fault,
    point: Point,
    turn: &'s Turn,
    /// The endpoint that a proxy asks.
    endpoint: Api,
    outline: ReplyOutline,
}

/// Every fault with a point, once for each endpoint that a proxy can ask.
fn sites(scenario: &Scenario) -> Vec<FaultSite<'_>> {
    let canaries = Identity { token: "lint".to_owned() }.canaries("primary", 1);
    let mut sites: Vec<FaultSite<'_>> = Vec::new();
    for (name, turns) in &*scenario.deployments {
        for (n, turn) in (1..).zip(turns) {
            let place = format!("{name}, turn {n}");
            for Combination { api, provider, stream } in scenario.matrix.iter().copied() {
                let mut endpoints = provider::asked_endpoints(Combination { api, provider, stream });
                if endpoints.is_empty() {
                    endpoints.push(api);
                }
                for endpoint in endpoints {
                    let asked = RequestedCall::plain(provider, endpoint, stream && endpoint.streams());
                    for fault in &turn.faults {
                        let Some(point) = fault.at() else { continue };
                        let is_known = |site: &FaultSite<'_>| {
                            site.place == place && site.fault == fault && site.endpoint == endpoint
                        };
                        if !sites.iter().any(is_known) {
                            let outline = ReplyOutline::of(&asked, turn, &canaries);
                            sites.push(FaultSite {
                                place: place.clone(),
                                fault,
                                point,
                                turn,
                                endpoint,
                                outline,
                            });
                        }
                    }
                }
            }
        }
    }
    sites
}

/// One line for each fault, about the first endpoint at which there is something to say.
fn lines(scenario: &Scenario, problem: impl Fn(&FaultSite<'_>) -> Option<String>) -> Vec<String> {
    let mut reported: Vec<(String, &Fault)> = Vec::new();
    let mut lines = Vec::new();
    for site in sites(scenario) {
        let is_reported = reported.iter().any(|(place, fault)| *place == site.place && *fault == site.fault);
        if let Some(problem) = problem(&site).filter(|_| !is_reported) {
            lines.push(format!("{}: {problem}", site.place));
            reported.push((site.place, site.fault));
        }
    }
    lines
}

/// Faults at points that the reply does not reach.
pub(super) fn after_end(scenario: &Scenario, _: &LintContext) -> Vec<String> {
    lines(scenario, |site| {
        let FaultSite { fault, endpoint, outline, .. } = site;
        match (site.point, outline.frames) {
            (Point::AfterEvents(n), Some(frames)) if n as usize > frames => {
                Some(format!("`{fault}`, but the stream of {endpoint} has {frames} events"))
            }
            (Point::AfterBytes(n), _) if n > outline.bytes as u64 && outline.bytes > 0 => {
                Some(format!("`{fault}`, but the body of {endpoint} has {} bytes", outline.bytes))
            }
            _ => None,
        }
    })
}

/// Faults that break a stream before its content although they count events.
pub(super) fn before_content(scenario: &Scenario, _: &LintContext) -> Vec<String> {
    lines(scenario, |site| {
        let FaultSite { fault, endpoint, outline, .. } = site;
        let breaks = fault.is_final() || matches!(fault, Fault::ErrorEvent { .. });
        let Point::AfterEvents(n) = site.point else { return None };
        let marks = [Point::AfterContent, Point::InsideToolCall].map(|point| outline.frames_before(point));
        let first = marks.into_iter().flatten().min()?;
        (breaks && n > 0 && (n as usize) < first)
            .then(|| format!("`{fault}`, but the first content of {endpoint} is in event {first}"))
    })
}

/// `inside_tool_call` where a tool call is one event.
pub(super) fn at_once(scenario: &Scenario, _: &LintContext) -> Vec<String> {
    lines(scenario, |site| {
        let FaultSite { endpoint, outline, .. } = site;
        let is_inside =
            site.point == Point::InsideToolCall && matches!(site.turn.answer, TurnReply::Reply(_));
        let begin = outline.frames_before(Point::InsideToolCall)?;
        let end = outline.frames_before(Point::AfterToolArguments)?;
        (is_inside && begin == end).then(|| format!("{endpoint} sends a tool call in one event"))
    })
}
