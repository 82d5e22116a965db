//! A check that every plan of a scenario must pass.

use crate::fault::{Framing, Plan, WireAction};

/// Asserts that the plan has at most one head, exactly one ending and no empty write, and that no client
/// waits for bytes that never come, unless a fault says so.
#[track_caller]
pub(super) fn assert_sound(plan: &Plan) {
    let endings = plan.actions.iter().filter(|action| action.is_ending()).count();
    assert_eq!(endings, 1, "{plan}");
    let ending = plan.actions.last().expect("there is an ending");
    assert!(ending.is_ending(), "{plan}");
    let heads: Vec<_> = plan
        .actions
        .iter()
        .filter_map(|action| match action {
            WireAction::Head(head) => Some(head),
            _ => None,
        })
        .collect();
    assert!(heads.len() <= 1, "{plan}");
    let position = |wanted: fn(&WireAction) -> bool| plan.actions.iter().position(wanted);
    let head = position(|action| matches!(action, WireAction::Head(_)));
    let write = position(|action| matches!(action, WireAction::Write { .. }));
    assert!(write.is_none() || head < write && head.is_some(), "{plan}");
    let empty = |action: &WireAction| matches!(action, WireAction::Write { bytes, .. } if bytes.is_empty());
    assert!(!plan.actions.iter().any(empty), "{plan}");

    let sum = |raw: bool| -> u64 {
        plan.actions
            .iter()
            .map(|action| match action {
                WireAction::Write { bytes, .. } => bytes.len() as u64,
                WireAction::Raw { bytes, .. } if raw => bytes.len() as u64,
                _ => 0,
            })
            .sum()
    };
    let ends_well =
        matches!(ending, WireAction::Finish | WireAction::Overrun(_) | WireAction::CloseWhenReused);
    let Some(head) = heads.first().filter(|_| ends_well) else { return };
    if matches!(head.status, 204 | 304) {
        return;
    }
    match head.framing {
        Framing::Chunked => {}
        Framing::Length(length) => assert!(length <= sum(true) && sum(false) <= length, "{plan}"),
        Framing::UntilClose => assert_eq!(ending, &WireAction::Finish, "{plan}"),
        // A session does not end by itself.
        Framing::WebSocket => assert_eq!(ending, &WireAction::Finish, "{plan}"),
        Framing::None => {
            assert!(head.lines.iter().any(|line| line.starts_with(b"content-length: ")), "{plan}");
        }
    }
}
