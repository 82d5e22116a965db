//! The same call of two siblings, for the rules that compare them.

use std::borrow::Cow;

use super::{attempt_outcome::AttemptOutcome, facts::Facts};
use crate::{
    dialect::text,
    observation::{Attempt, AttemptEnd, is_meaningful, looks_random, word},
    scenario::SiblingKind,
};

/// The same call of a case and of the sibling that it is compared with.
pub(crate) struct SiblingPair<'f, 'a> {
    /// How the two differ.
    pub kin: SiblingKind,
    /// The call of the case.
    pub own: &'f Facts<'a>,
    /// The call of the sibling, with the tokens of the case.
    pub other: &'f Facts<'a>,
}

/// What an upstream did, in a form that can be equal for both siblings.
#[derive(Debug, Clone, PartialEq, Eq)]
enum UpstreamAction<'a> {
    Succeeded,
    Answered { status: u16, kind: Option<&'a str>, headers: Vec<&'a str>, body: String },
    Cut(AttemptEnd),
    Silent,
}

impl<'f, 'a> SiblingPair<'f, 'a> {
    /// The call and that of the sibling; `None` if the call is not compared with one.
    pub(crate) fn of(own: &'f Facts<'a>) -> Option<Self> {
        own.sibling.as_ref().map(|sibling| Self { kin: sibling.kin, own, other: &sibling.facts })
    }

    fn facts(&self) -> [&'f Facts<'a>; 2] {
        [self.own, self.other]
    }

    /// Whether both failed after the upstreams did the same for both. The number of attempts does not matter.
    pub(crate) fn failed_alike(&self) -> bool {
        self.facts().into_iter().all(Facts::is_failure)
            && self.histories().is_some_and(|[mut own, mut other]| {
                own.dedup();
                other.dedup();
                own == other
            })
    }

    /// The numbers of attempts for the case and for its sibling. `None` if the upstreams did not do the same for as
    /// long as both were tried.
    pub(crate) fn attempts(&self) -> Option<[usize; 2]> {
        let [own, other] = self.histories()?;
        let both = own.len().min(other.len());
        (both > 0 && own[..both] == other[..both]).then_some([own.len(), other.len()])
    }

    /// What the upstreams did, attempt by attempt. `None` if one of them did something that only one of the siblings
    /// can observe, such as failing in the middle of a stream.
    fn histories(&self) -> Option<[Vec<(&'a str, UpstreamAction<'a>)>; 2]> {
        let history = |facts: &Facts<'a>| -> Option<Vec<_>> {
            let action = |(attempt, result): &(&'a Attempt, AttemptOutcome)| {
                Some((attempt.deployment.as_str(), action(attempt, result)?))
            };
            facts.attempts.iter().filter(|(attempt, _)| attempt.was_asked()).map(action).collect()
        };
        Some([history(self.own)?, history(self.other)?])
    }

    /// The call of the sibling, in words.
    pub(crate) fn other_call(&self) -> String {
        match self.kin {
            SiblingKind::Stream => "the plain call".to_owned(),
            SiblingKind::Route => format!("the call of {}", self.other.api()),
        }
    }

    /// The call of the case, in words.
    pub(crate) fn own_call(&self) -> String {
        match self.kin {
            SiblingKind::Stream => "the stream".to_owned(),
            SiblingKind::Route => self.own.api().to_string(),
        }
    }

    /// What was observed of the sibling, for evidence.
    pub(crate) fn evidence(&self) -> Vec<String> {
        let call = self.other_call();
        let mut lines: Vec<String> =
            self.other.attempt_lines().into_iter().map(|line| format!("{call}: {line}")).collect();
        lines.push(format!("{call}: the caller got {}", self.other.response.describe()));
        lines
    }
}

fn action<'a>(attempt: &'a Attempt, result: &AttemptOutcome) -> Option<UpstreamAction<'a>> {
    match result {
        AttemptOutcome::Success(_) => Some(UpstreamAction::Succeeded),
        AttemptOutcome::Status { status, .. } => {
            let names = attempt.sent.headers.iter().map(|(name, _)| name.as_str());
            let mut headers: Vec<&str> = names.filter(|name| is_meaningful(name)).collect();
            headers.sort_unstable();
            Some(UpstreamAction::Answered {
                status: *status,
                kind: attempt.sent.header("content-type"),
                headers,
                body: without_stem(&attempt.said(), attempt).into_owned(),
            })
        }
        AttemptOutcome::Cut { head_sent: false, .. } => Some(UpstreamAction::Cut(attempt.end_as_planned())),
        AttemptOutcome::Silent { head_sent: false, .. } => Some(UpstreamAction::Silent),
        // With a 200, the plain body and the stream differ.
        _ => None,
    }
}

/// `text` with the token of the attempt replaced by the name of the deployment, so that attempts can be compared.
fn without_stem<'t>(text: &'t str, attempt: &Attempt) -> Cow<'t, str> {
    let stem = attempt.canaries.message.trim_start_matches("canary-msg-");
    if !word::has_token(text, stem) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(word::replace_token(text, stem, &attempt.deployment))
}

/// A member of the error that a caller got, as text that does not depend on the attempt.
pub(super) fn error_member(facts: &Facts<'_>, value: &serde_json::Value) -> String {
    let mut attempts: Vec<&Attempt> = facts.attempts.iter().map(|(attempt, _)| *attempt).collect();
    // `…-primary-10` begins with `…-primary-1`.
    attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.canaries.message.len()));
    attempts.iter().fold(text(value), |text, attempt| without_stem(&text, attempt).into_owned())
}

/// The ends of two messages from a few words before their first difference; `None` if they are equal.
pub(super) fn apart(own: &str, other: &str) -> Option<[String; 2]> {
    const BEFORE: usize = 3;
    let words = [own, other].map(|message| message.split_whitespace().collect::<Vec<_>>());
    let [of_own, of_other] = &words;
    let equal = of_own.iter().zip(of_other).take_while(|(own, other)| wording(own) == wording(other)).count();
    if equal == of_own.len() && equal == of_other.len() {
        return None;
    }
    let from = equal.saturating_sub(BEFORE);
    Some(words.map(|words| {
        let rest = words.get(from..).unwrap_or_default().join(" ");
        if from == 0 { rest } else { format!("… {rest}") }
    }))
}

/// A word without the parts that differ between calls: ids, addresses, times, numbers, and names of models.
fn wording(word: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
    let mut rest = word;
    let mut kept = String::new();
    while let Some(first) = rest.chars().next() {
        let part = is_part(first);
        let end = rest.find(|c| is_part(c) != part).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let varies = part
            && (run.contains(|c: char| c.is_ascii_digit())
                || run.starts_with("upfault-")
                || looks_random(run));
        kept.push_str(if varies { "#" } else { run });
        rest = after;
    }
    kept
}
