//! The number of attempts at each deployment, and how each attempt ended.

use crate::observation::{AttemptEnd, Observation};

/// One line for each deployment, in the order of the scenario.
pub(super) fn lines(observation: &Observation) -> Vec<String> {
    let mut lines = vec!["attempts:".to_owned()];
    let mut names: Vec<&str> = observation.arrangement.deployments.iter().map(|d| d.name.as_str()).collect();
    for attempt in &observation.attempts {
        if !names.contains(&attempt.deployment.as_str()) {
            names.push(&attempt.deployment);
        }
    }
    // A proxy may choose among the deployments of a group at random.
    let group = &observation.arrangement.proxy.group;
    let is_member = |name: &str| group.iter().any(|member| member == name);
    let called = |name: &'_ str| if is_member(name) { "group".to_owned() } else { name.to_owned() };
    let mut shown: Vec<String> = names.into_iter().map(called).collect();
    shown.dedup();
    for name in shown {
        let ends: Vec<&str> = observation
            .attempts
            .iter()
            .filter(|attempt| called(&attempt.deployment) == name)
            .map(|attempt| word(attempt.end_as_planned()))
            .collect();
        if ends.is_empty() {
            lines.push(format!("  {name}: 0"));
        } else {
            lines.push(format!("  {name}: {} ({})", ends.len(), ends.join(", ")));
        }
    }
    lines
}

fn word(end: AttemptEnd) -> &'static str {
    match end {
        AttemptEnd::Open | AttemptEnd::ClientLeft => "left unfinished by the proxy",
        AttemptEnd::Finished => "finished",
        AttemptEnd::Reset => "reset",
        AttemptEnd::Closed => "closed",
        AttemptEnd::StreamReset => "stream reset",
        AttemptEnd::GoneAway => "gone away",
        AttemptEnd::HandshakeFailed => "no handshake",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::normalise::tests::sample;

    fn shown(end: AttemptEnd, ends_at_once: Option<AttemptEnd>) -> String {
        let mut observation = sample();
        observation.attempts[0].end = end;
        observation.attempts[0].sent.ends_at_once = ends_at_once;
        lines(&observation).join("\n")
    }

    #[test]
    fn it_does_not_matter_whether_mock_or_proxy_ended_an_attempt_first() {
        use AttemptEnd::{ClientLeft, Closed, Finished};
        for end in [Finished, Closed] {
            assert_eq!(shown(ClientLeft, Some(end)), shown(end, None));
        }
    }

    #[test]
    fn a_proxy_that_abandoned_a_delayed_reply_is_shown() {
        assert_eq!(
            shown(AttemptEnd::ClientLeft, None),
            "attempts:\n  primary: 1 (left unfinished by the proxy)"
        );
    }
}
