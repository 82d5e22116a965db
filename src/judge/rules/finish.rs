//! Checks of the finish reason of a success.

use crate::{
    dialect::{self, Completion, FinishMeaning},
    judge::{facts::Facts, rule::RuleOutcome},
};

/// Whether the token limit is reported if, and only if, it cut the response off.
pub(super) fn limit(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let ((_, sent), got) = (facts.success()?, facts.response.completion()?);
    if !facts.response.looks_successful() || !sent.says_the_same(got) {
        return None;
    }
    let cut = match sent.ended_by()? {
        FinishMeaning::Limit => true,
        // Other rules check how these are reported.
        FinishMeaning::Filtered | FinishMeaning::Incomplete => return None,
        FinishMeaning::Stop | FinishMeaning::ToolCalls | FinishMeaning::Other => false,
    };
    let reported = matches!(got.ended_by(), Some(FinishMeaning::Limit | FinishMeaning::Incomplete));
    RuleOutcome::check(cut == reported, || {
        let expected = if cut {
            "a finish reason for the token limit"
        } else {
            "a finish reason other than the token limit"
        };
        (format!("{expected} (the upstream sent {})", quoted(sent)), quoted(got))
    })
}

/// Whether a response that was refused or filtered is reported as such.
pub(super) fn filter(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let ((attempt, sent), got) = (facts.success()?, facts.response.completion()?);
    let applies = facts.response.looks_successful()
        && !attempt.sent.doubtful
        && sent.ended_by() == Some(FinishMeaning::Filtered)
        && dialect::has_word_for_filters(facts.api());
    if !applies {
        return None;
    }
    // Without a reason, the caller still sees that the response is not whole; `success.reason-told` checks the rest.
    let reported = matches!(got.ended_by(), Some(FinishMeaning::Filtered | FinishMeaning::Incomplete));
    RuleOutcome::check(reported, || {
        (
            format!("a finish reason for a refusal or a filter (the upstream sent {})", quoted(sent)),
            quoted(got),
        )
    })
}

/// Whether a response that is reported as incomplete says why.
pub(super) fn reason(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let ((_, sent), got) = (facts.success()?, facts.response.completion()?);
    let known = matches!(sent.ended_by(), Some(FinishMeaning::Limit | FinishMeaning::Filtered));
    let incomplete = match got.ended_by()? {
        FinishMeaning::Incomplete => true,
        FinishMeaning::Limit | FinishMeaning::Filtered => false,
        _ => return None,
    };
    if !facts.response.looks_successful() || !known {
        return None;
    }
    RuleOutcome::check(!incomplete, || {
        (
            format!("the reason (the upstream sent {})", quoted(sent)),
            format!("{} without a reason", quoted(got)),
        )
    })
}

/// The finish reason as it was sent, for findings.
pub(super) fn quoted(completion: &Completion) -> String {
    completion.finish.as_ref().map_or_else(|| "no finish reason".to_owned(), |word| format!("`{word}`"))
}
