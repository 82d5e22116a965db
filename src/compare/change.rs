//! How the facts of a case differ between two runs.

use std::collections::BTreeSet;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    fact::{CaseFact, CaseFacts, ExchangeFacts, FactKind, THE_PROVIDERS},
    wording::edit,
};
use crate::observation::StepName;

/// The calls of upstreams take longer if their time differs by at least this factor,
const TIMES: f64 = 2.0;

/// and by at least this many milliseconds: a busy machine delays them too.
const AT_LEAST_MS: f64 = 2500.0;

/// One fact that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct FactChange {
    /// The request.
    pub step: StepName,
    /// The kind of the fact.
    pub kind: FactKind,
    /// The name of a header or a detail, or an SDK; empty for other kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The value before; null if there was none.
    pub before: Option<String>,
    /// The value after; null if there is none.
    pub after: Option<String>,
}

/// How two runs of a case differ; the heaviest change comes first. Pure. `changes(b, a)` contains the same changes as
/// `changes(a, b)`, with `before` and `after` swapped.
pub(crate) fn changes(before: &CaseFacts, after: &CaseFacts) -> Vec<FactChange> {
    if before.stopped.is_some() || after.stopped.is_some() {
        let runs =
            |facts: &CaseFacts| Some(facts.stopped.clone().unwrap_or_else(|| "keeps running".to_owned()));
        let change = FactChange {
            step: StepName::Step(1),
            kind: FactKind::Process,
            subject: String::new(),
            before: runs(before),
            after: runs(after),
        };
        return if change.before == change.after { Vec::new() } else { vec![change] };
    }
    let mut steps: Vec<StepName> = before.exchanges.iter().map(|one| one.step).collect();
    steps.extend(after.exchanges.iter().map(|one| one.step).filter(|step| !facts_of(before, *step).0));
    let mut all: Vec<FactChange> = steps
        .into_iter()
        .flat_map(|step| of_step(step, facts_of(before, step).1, facts_of(after, step).1))
        .collect();
    // The request after the fault comes last: what it gets follows from the others. A stable sort: changes of the same kind
    // stay in the order of the steps.
    all.sort_by_key(|change| (change.step == StepName::Recovery, change.kind));
    all
}

/// Whether the request was sent, and its facts.
fn facts_of(facts: &CaseFacts, step: StepName) -> (bool, Option<&ExchangeFacts>) {
    let found = facts.exchanges.iter().find(|one| one.step == step);
    (found.is_some(), found)
}

fn of_step(step: StepName, before: Option<&ExchangeFacts>, after: Option<&ExchangeFacts>) -> Vec<FactChange> {
    let new = |kind, subject: &str, before: Option<&str>, after: Option<&str>| FactChange {
        step,
        kind,
        subject: subject.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let (Some(before), Some(after)) = (before, after) else {
        let sent = |facts: Option<&ExchangeFacts>| if facts.is_some() { "sent" } else { "not sent" };
        return vec![new(FactKind::Response, "request", Some(sent(before)), Some(sent(after)))];
    };
    let mut all = Vec::new();
    let value = |facts: &ExchangeFacts, like: &CaseFact| {
        let same = |fact: &&CaseFact| fact.kind == like.kind && fact.subject == like.subject;
        facts.seen.iter().find(same).map(|fact| fact.value.clone())
    };
    for fact in &before.seen {
        let now = value(after, fact);
        // A status is the same, whether or not the provider sent it too.
        let bare = |value: &str| value.strip_suffix(THE_PROVIDERS).unwrap_or(value).to_owned();
        if now.as_deref().map(bare) != Some(bare(&fact.value)) {
            all.push(new(fact.kind, &fact.subject, Some(&fact.value), now.as_deref()));
        }
    }
    for fact in &after.seen {
        if value(before, fact).is_none() {
            all.push(new(fact.kind, &fact.subject, None, Some(&fact.value)));
        }
    }
    let (shorter, longer) = (before.took_ms.min(after.took_ms), before.took_ms.max(after.took_ms));
    if longer - shorter >= AT_LEAST_MS && longer >= shorter * TIMES {
        let shown = |ms: f64| format!("{:.1} s", ms / 1000.0);
        all.push(new(FactKind::Duration, "", Some(&shown(before.took_ms)), Some(&shown(after.took_ms))));
    }
    all.sort_by(|a, b| (a.kind, &a.subject).cmp(&(b.kind, &b.subject)));
    all
}

impl FactChange {
    /// Which fact changed.
    pub(crate) fn place(&self) -> (StepName, FactKind, &str) {
        (self.step, self.kind, &self.subject)
    }

    /// The change in words, without what is specific to one case: cases with the same words have the same cause.
    pub(crate) fn describe(&self) -> String {
        self.describe_as(&self.subject, &self.providers_status().unwrap_or_default())
    }

    /// The status that is the provider's own on one of the sides.
    pub(crate) fn providers_status(&self) -> Option<String> {
        let own = |value: &Option<String>| value.as_deref()?.strip_suffix(THE_PROVIDERS).map(str::to_owned);
        match (self.kind, own(&self.before), own(&self.after)) {
            (FactKind::Response, Some(status), None) | (FactKind::Response, None, Some(status)) => {
                Some(status)
            }
            _ => None,
        }
    }

    /// The change in words, with another name for the header, detail, leak or SDK, and another text for the status that is
    /// the provider's own.
    pub(crate) fn describe_as(&self, subject: &str, status: &str) -> String {
        let Self { kind, before, after, .. } = self;
        let at = if self.step == StepName::Recovery { "recovery request: " } else { "" };
        let arrow = || format!("{} -> {}", shown(before), shown(after));
        let words = match kind {
            FactKind::Response if self.providers_status().is_some() => {
                let named = |value: &Option<String>| match value.as_deref() {
                    Some(value) if value.ends_with(THE_PROVIDERS) => {
                        format!("the provider's own status ({status})")
                    }
                    _ => shown(value).to_owned(),
                };
                format!("{} -> {}", named(before), named(after))
            }
            FactKind::Response if subject.is_empty() => arrow(),
            FactKind::Response => format!("{subject} {}", arrow()),
            FactKind::RetryHeader | FactKind::Header => format!("header {subject}: {}", fate(before, after)),
            FactKind::Leak => format!("leak of {subject}: {}", fate(before, after)),
            FactKind::PassedOn => format!("provider's headers with a prefix: {}", names(before, after)),
            FactKind::Content => format!("content {}", content(before, after)),
            FactKind::Duration => {
                let slower = seconds(before) < seconds(after);
                format!("calls of the provider take {}", if slower { "longer" } else { "less time" })
            }
            FactKind::Detail => format!("provider's {subject}: {}", arrow()),
            FactKind::Message => message(before.as_deref(), after.as_deref()),
            FactKind::Sdk => format!("{subject}: {}", arrow()),
            kind => format!("{kind}: {}", arrow()),
        };
        format!("{at}{words}")
    }
}

fn shown(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("none")
}

/// What happened to a value that differs from case to case.
fn fate(before: &Option<String>, after: &Option<String>) -> &'static str {
    match (before, after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    }
}

/// Whether a list of names got more or fewer.
fn names(before: &Option<String>, after: &Option<String>) -> &'static str {
    let set = |names: &Option<String>| -> BTreeSet<String> {
        names.iter().flat_map(|names| names.split(", ")).map(str::to_owned).collect()
    };
    let (before, after) = (set(before), set(after));
    match (after.is_subset(&before), before.is_subset(&after)) {
        (false, true) => "more are passed on",
        (true, false) => "fewer are passed on",
        _ => "others are passed on",
    }
}

fn content(before: &Option<String>, after: &Option<String>) -> &'static str {
    match (before.as_deref().unwrap_or_default(), after.as_deref().unwrap_or_default()) {
        ("", _) => "added",
        (_, "") => "removed",
        (before, after) if after.starts_with(before) => "longer",
        (before, after) if before.starts_with(after) => "shorter",
        _ => "changed",
    }
}

fn seconds(value: &Option<String>) -> f64 {
    value.as_deref().and_then(|value| value.trim_end_matches(" s").parse().ok()).unwrap_or_default()
}

fn message(before: Option<&str>, after: Option<&str>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => edit(before, after),
        (None, _) => "message added".to_owned(),
        (_, None) => "message removed".to_owned(),
    }
}
