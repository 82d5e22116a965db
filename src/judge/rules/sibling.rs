//! Whether the caller gets the same error for the same fault, for a stream and for a plain call, and on different
//! routes.

use serde_json::Value;

use crate::{
    dialect::{self, ErrorObject},
    judge::{
        caller_response::CallerResponse,
        facts::Facts,
        pair::{SiblingPair, apart, error_member},
        policy::Weight,
        rule::{Rule, RuleOutcome},
        scope::{Scope, Subject},
    },
    observation::{Response, excerpt, is_meaningful, word},
    scenario::{Level, SiblingKind},
};

const STREAM: Scope = Scope::of(Subject::Siblings(SiblingKind::Stream));
const ROUTE: Scope = Scope::of(Subject::Siblings(SiblingKind::Route));

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "sibling.stream-status",
        level: Level::Required,
        title: "A stream that fails before it begins gets the same status as the plain call",
        reason: "A client that can turn streaming on or off handles errors in one way. A 429 that is a 500 only \
                 in streams hits code that has never been tested.",
        references: &["RFC 9110 section 15", "BerriAI/litellm#18757", "maximhq/bifrost#1911"],
        timing: false,
        scope: STREAM,
        check: stream_status,
    },
    Rule {
        id: "sibling.stream-detail",
        level: Level::Recommended,
        title: "A stream that fails before it begins gets the same error as the plain call",
        reason: "Callers branch on type and code, and search messages for words: both must be the same, \
                 streaming or not.",
        references: &["BerriAI/litellm#18689"],
        timing: false,
        scope: STREAM,
        check: stream_detail,
    },
    Rule {
        id: "sibling.stream-headers",
        level: Level::Required,
        title: "A stream that fails before it begins gets the same headers as the plain call",
        reason: "Retry-After, the limits and the request id mean the same to a caller that wants a stream.",
        references: &["RFC 9110 section 10.2.3", "BerriAI/litellm#21553"],
        timing: false,
        scope: STREAM,
        check: stream_headers,
    },
    Rule {
        id: "sibling.stream-attempts",
        level: Level::Recommended,
        title: "A stream that fails before it begins gets as many attempts as the plain call",
        reason: "Nothing has reached the caller yet, so a retry or a fallback is as safe as for a plain call. If \
                 only streams get none, they fail when the same plain call succeeds.",
        references: &["BerriAI/litellm#24004", "BerriAI/litellm#6532"],
        timing: false,
        scope: STREAM,
        check: stream_attempts,
    },
    Rule {
        id: "sibling.route-status",
        level: Level::Required,
        title: "One upstream failure has the same status on every route",
        reason: "Endpoints other than chat are newer and less used. If a rate limit is a 500 on one of them, \
                 callers give up although they only had to wait.",
        references: &["RFC 9110 section 15", "BerriAI/litellm#33026", "BerriAI/litellm#23901"],
        timing: false,
        scope: ROUTE,
        check: route_status,
    },
    Rule {
        id: "sibling.route-detail",
        level: Level::Recommended,
        title: "One upstream failure is reported with the same detail on every route",
        reason: "Code that reads a type, a code or a message on one route expects it on every other.",
        references: &["BerriAI/litellm#40135"],
        timing: false,
        scope: ROUTE,
        check: route_detail,
    },
];

/// The status that both calls got, if their upstreams failed in the same way and both statuses are equal.
fn equal_responses(pair: &SiblingPair<'_, '_>) -> Option<u16> {
    let (own, other) = (pair.own.response.failure_status()?, pair.other.response.failure_status()?);
    (own == other && pair.failed_alike()).then_some(own)
}

fn stream_status(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let pair = &SiblingPair::of(facts)?;
    let plain = pair.other.response.failure_status()?;
    if !pair.failed_alike() {
        return None;
    }
    match &pair.own.response {
        // Other rules check a call without a response.
        CallerResponse::Nothing(_) => return None,
        // A proxy that sends a 200 before the upstream has begun cannot send another status any more.
        CallerResponse::Stream(stream)
            if stream.shows_failure() && pair.own.policy.hold_back.answer != Weight::Required =>
        {
            return None;
        }
        _ => {}
    }
    RuleOutcome::check(pair.own.response.failure_status() == Some(plain), || {
        ("one status, streaming or not".to_owned(), both(pair, got(&pair.own.response), plain.to_string()))
    })
}

fn got(response: &CallerResponse) -> String {
    response.failure_status().map_or_else(|| response.describe(), |status| status.to_string())
}

/// `500 for the stream, 429 for the plain call`
fn both(pair: &SiblingPair<'_, '_>, own: String, other: String) -> String {
    format!("{own} for {}, {other} for {}", pair.own_call(), pair.other_call())
}

fn stream_detail(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let pair = &SiblingPair::of(facts)?;
    equal_responses(pair)?;
    let (own, other) = match (pair.own.response.error(), pair.other.response.error()) {
        (Some(own), Some(other)) => (own, other),
        (None, None) => return None,
        (own, _) => {
            let shown = |has: bool| if has { "an error object" } else { "none" }.to_owned();
            let observed = both(pair, shown(own.is_some()), shown(own.is_none()));
            return RuleOutcome::broken("the same error, streaming or not", observed, Vec::new());
        }
    };
    let mut differences = members(pair, [own, other], |_| true);
    // What the proxy's definition calls volatile, such as the order of a list, differs between any two calls.
    if let Some(messages) = apart(&facts.steady(&own.message), &facts.steady(&other.message)) {
        let [own, other] = messages.map(|message| format!("the message {:?}", excerpt(&message)));
        differences.push(both(pair, own, other));
    }
    RuleOutcome::check(differences.is_empty(), || {
        ("the same error, streaming or not".to_owned(), differences.join("; "))
    })
}

/// A member of the error object on which callers branch: its name and how to read it.
type Member = (&'static str, fn(&ErrorObject) -> &Value);

const MEMBERS: [Member; 3] =
    [("type", |error| &error.kind), ("code", |error| &error.code), ("param", |error| &error.param)];

/// The members that differ between two errors in one dialect, out of those that count.
fn members(
    pair: &SiblingPair<'_, '_>,
    [own, other]: [&ErrorObject; 2],
    counts: impl Fn(Member) -> bool,
) -> Vec<String> {
    let differs = |member: Member| {
        let (name, of) = member;
        let (own, other) = (error_member(pair.own, of(own)), error_member(pair.other, of(other)));
        (own != other && counts(member))
            .then(|| both(pair, format!("the {name} `{own}`"), format!("`{other}`")))
    };
    MEMBERS.into_iter().filter_map(differs).collect()
}

fn stream_headers(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let pair = &SiblingPair::of(facts)?;
    let (own, other) = (pair.own.raw_response()?, pair.other.raw_response()?);
    equal_responses(pair)?;
    let lacks = |answer: &Response, other: &Response| -> Vec<String> {
        let mut names: Vec<&str> = meaningful(other).filter(|name| answer.header(name).is_none()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| format!("no {name}")).collect()
    };
    let missing = [(lacks(own, other), pair.own_call()), (lacks(other, own), pair.other_call())];
    let missing: Vec<String> = missing
        .into_iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, call)| format!("{} for {call}", names.join(", ")))
        .collect();
    meaningful(own).chain(meaningful(other)).next()?;
    RuleOutcome::check(missing.is_empty(), || {
        ("the same headers, streaming or not".to_owned(), missing.join("; "))
    })
}

/// The meaningful headers, without those that describe the body, even under a prefixed name.
fn meaningful(answer: &Response) -> impl Iterator<Item = &str> {
    let names = answer.headers.iter().map(|(name, _)| name.as_str());
    names.filter(|name| {
        is_meaningful(name) && !name.ends_with("content-type") && !name.ends_with("content-encoding")
    })
}

fn stream_attempts(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let pair = &SiblingPair::of(facts)?;
    let [own, other] = pair.attempts()?;
    // If the first response is a success, there is nothing to retry.
    if [pair.own, pair.other].into_iter().all(|facts| facts.failures().next().is_none()) {
        return None;
    }
    RuleOutcome::check(own == other, || {
        ("as many attempts, streaming or not".to_owned(), both(pair, own.to_string(), other.to_string()))
    })
}

/// Whether both callers use the same dialect, so that they must get the same words and statuses.
fn use_same_dialect(pair: &SiblingPair<'_, '_>) -> bool {
    pair.own.api().native_provider() == pair.other.api().native_provider()
}

fn route_status(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let pair = &SiblingPair::of(facts)?;
    let (own, other) = (pair.own.response.failure_status()?, pair.other.response.failure_status()?);
    if !pair.failed_alike() {
        return None;
    }
    let sent = pair.own.upstream_statuses();
    // The sibling may be the one with the wrong status: a proxy that passes on the upstream's status is right.
    if !pair.other.api().is_chat() && sent.contains(&own) {
        return Some(RuleOutcome::Holds);
    }
    // Dialects use different statuses for an overload and for a lost connection.
    let alike = own == other || (!use_same_dialect(pair) && own >= 500 && other >= 500);
    if !use_same_dialect(pair) && sent.is_empty() {
        return None;
    }
    RuleOutcome::check(alike, || {
        ("one status on every route".to_owned(), both(pair, own.to_string(), other.to_string()))
    })
}

fn route_detail(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let pair = &SiblingPair::of(facts)?;
    equal_responses(pair)?;
    let mut differences = Vec::new();
    let mut any = false;
    let canary = |facts: &Facts<'_>| {
        let body = facts.raw_response().map_or("", |answer| answer.body.text.as_str());
        let mut said = facts
            .failures()
            .filter(|(attempt, _)| word::has_token(&attempt.said(), &attempt.canaries.message));
        said.any(|(attempt, _)| word::has_token(body, &attempt.canaries.message))
    };
    if canary(pair.other) {
        any = true;
        if !canary(pair.own) {
            differences.push(both(
                pair,
                "no trace of the provider's message".to_owned(),
                "its message".to_owned(),
            ));
        }
    }
    if use_same_dialect(pair)
        && let (Some(own), Some(other)) = (pair.own.response.error(), pair.other.response.error())
    {
        any = true;
        differences.extend(members(pair, [own, other], |member| !passes_on(pair, own, member)));
    }
    if !any {
        return None;
    }
    RuleOutcome::check(differences.is_empty(), || {
        ("the same detail on every route".to_owned(), differences.join("; "))
    })
}

/// Whether a member is the one that an upstream sent: then it is right, whatever the sibling got.
fn passes_on(pair: &SiblingPair<'_, '_>, own: &ErrorObject, (_, of): Member) -> bool {
    let mut sent = pair.own.failures().filter_map(|(_, result)| result.error());
    sent.any(|sent| dialect::text(of(sent)) == dialect::text(of(own)))
}
