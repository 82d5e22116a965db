//! The same fault for a stream and for a plain call, on one route and on another: whether the caller is
//! told the same.

use serde_json::Value;

use crate::{
    judge::{
        caller_response::{CallerResponse, shorten},
        comparison::alone,
        dialect::{self, ErrorObject},
        pair::{SiblingPair, apart, error_member},
        policy::Weight,
        rule::{Rule, RuleOutcome, SiblingRule},
    },
    observation::{Response, is_meaningful, word},
    scenario::{Level, SiblingKind},
};

pub const RULES: &[SiblingRule] = &[
    SiblingRule {
        rule: Rule {
            id: "sibling.stream-status",
            level: Level::Required,
            title: "A stream that fails before it begins fails with the status of the plain call",
            reason: "Whoever turns streaming on or off has written one way to handle an error. A 429 that is a 500 \
                     only in streams is met by code that nobody has tested.",
            references: &["RFC 9110 section 15", "BerriAI/litellm#18757", "maximhq/bifrost#1911"],
            timing: false,
            check: alone,
        },
        kin: SiblingKind::Stream,
        compare: stream_status,
    },
    SiblingRule {
        rule: Rule {
            id: "sibling.stream-detail",
            level: Level::Recommended,
            title: "A stream that fails before it begins is told in the words of the plain call",
            reason: "Callers branch on type and code, and search messages for words: both should find the same, \
                     streaming or not.",
            references: &["BerriAI/litellm#18689"],
            timing: false,
            check: alone,
        },
        kin: SiblingKind::Stream,
        compare: stream_detail,
    },
    SiblingRule {
        rule: Rule {
            id: "sibling.stream-headers",
            level: Level::Required,
            title: "A stream that fails before it begins comes with the headers of the plain call",
            reason: "Retry-After, the limits and the request's id mean the same to a caller who wanted a stream.",
            references: &["RFC 9110 section 10.2.3", "BerriAI/litellm#21553"],
            timing: false,
            check: alone,
        },
        kin: SiblingKind::Stream,
        compare: stream_headers,
    },
    SiblingRule {
        rule: Rule {
            id: "sibling.stream-attempts",
            level: Level::Recommended,
            title: "A stream that fails before it begins is tried as often as the plain call",
            reason: "Nothing has reached the caller yet, so a retry or a fallback is as safe as for a plain call. \
                     Where streams alone get none, they fail where the same plain call succeeds.",
            references: &["BerriAI/litellm#24004", "BerriAI/litellm#6532"],
            timing: false,
            check: alone,
        },
        kin: SiblingKind::Stream,
        compare: stream_attempts,
    },
    SiblingRule {
        rule: Rule {
            id: "sibling.route-status",
            level: Level::Required,
            title: "One upstream failure has one status on every route",
            reason: "Routes beside chat are younger and less used, and a limit that is a 500 on one of them stops \
                     what only had to wait.",
            references: &["RFC 9110 section 15", "BerriAI/litellm#33026", "BerriAI/litellm#23901"],
            timing: false,
            check: alone,
        },
        kin: SiblingKind::Route,
        compare: route_status,
    },
    SiblingRule {
        rule: Rule {
            id: "sibling.route-detail",
            level: Level::Recommended,
            title: "One upstream failure is told with the same detail on every route",
            reason: "Code that reads a type, a code or a message on one route reads it on the next.",
            references: &["BerriAI/litellm#40135"],
            timing: false,
            check: alone,
        },
        kin: SiblingKind::Route,
        compare: route_detail,
    },
];

/// Both got a status for a failure that was the same upstream, and it is the same one.
fn equal_responses(pair: &SiblingPair<'_>) -> Option<u16> {
    let (own, other) = (pair.own.response.failure_status()?, pair.other.response.failure_status()?);
    (own == other && pair.failed_alike()).then_some(own)
}

fn stream_status(pair: &SiblingPair<'_>) -> RuleOutcome {
    let Some(plain) = pair.other.response.failure_status() else { return RuleOutcome::NotApplicable };
    if !pair.failed_alike() {
        return RuleOutcome::NotApplicable;
    }
    match &pair.own.response {
        // A rule of its own speaks of a call without an answer.
        CallerResponse::Nothing(_) => return RuleOutcome::NotApplicable,
        // Who sends a 200 before the upstream has begun has no status left to tell.
        CallerResponse::Stream(stream)
            if stream.shows_failure() && pair.own.policy.hold_back.answer != Weight::Required =>
        {
            return RuleOutcome::NotApplicable;
        }
        _ => {}
    }
    RuleOutcome::check(pair.own.response.failure_status() == Some(plain), || {
        ("one status, streaming or not".to_owned(), both(pair, told(&pair.own.response), plain.to_string()))
    })
}

fn told(told: &CallerResponse) -> String {
    told.failure_status().map_or_else(|| told.describe(), |status| status.to_string())
}

/// `500 for the stream, 429 for the plain call`
fn both(pair: &SiblingPair<'_>, own: String, other: String) -> String {
    format!("{own} for {}, {other} for {}", pair.own_call(), pair.other_call())
}

fn stream_detail(pair: &SiblingPair<'_>) -> RuleOutcome {
    if equal_responses(pair).is_none() {
        return RuleOutcome::NotApplicable;
    }
    let (own, other) = match (pair.own.response.error(), pair.other.response.error()) {
        (Some(own), Some(other)) => (own, other),
        (None, None) => return RuleOutcome::NotApplicable,
        (own, _) => {
            let shown = |has: bool| if has { "an error object" } else { "none" }.to_owned();
            let observed = both(pair, shown(own.is_some()), shown(own.is_none()));
            return RuleOutcome::broken("the same error, streaming or not", observed, Vec::new());
        }
    };
    let mut differences = members(pair, [own, other], |_| true);
    if let Some(messages) = apart(&own.message, &other.message) {
        let [own, other] = messages.map(|message| format!("the message {:?}", shorten(&message)));
        differences.push(both(pair, own, other));
    }
    RuleOutcome::check(differences.is_empty(), || {
        ("the same error, streaming or not".to_owned(), differences.join("; "))
    })
}

/// A member by which callers branch.
type Member = (&'static str, fn(&ErrorObject) -> &Value);

const MEMBERS: [Member; 3] =
    [("type", |error| &error.kind), ("code", |error| &error.code), ("param", |error| &error.param)];

/// The members of two errors in one dialect that are not the same, of those that count.
fn members(
    pair: &SiblingPair<'_>,
    [own, other]: [&ErrorObject; 2],
    counts: impl Fn(Member) -> bool,
) -> Vec<String> {
    let differs = |member: Member| {
        let (name, of) = member;
        let (own, other) = (error_member(&pair.own, of(own)), error_member(&pair.other, of(other)));
        (own != other && counts(member))
            .then(|| both(pair, format!("the {name} `{own}`"), format!("`{other}`")))
    };
    MEMBERS.into_iter().filter_map(differs).collect()
}

fn stream_headers(pair: &SiblingPair<'_>) -> RuleOutcome {
    let (Some(own), Some(other)) = (pair.own.raw_response(), pair.other.raw_response()) else {
        return RuleOutcome::NotApplicable;
    };
    if equal_responses(pair).is_none() {
        return RuleOutcome::NotApplicable;
    }
    let lacks = |answer: &Response, beside: &Response| -> Vec<String> {
        let mut names: Vec<&str> = meaningful(beside).filter(|name| answer.header(name).is_none()).collect();
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
    if meaningful(own).chain(meaningful(other)).next().is_none() {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(missing.is_empty(), || {
        ("the same headers, streaming or not".to_owned(), missing.join("; "))
    })
}

/// The headers that mean something, but for those that say what the body is, or was.
fn meaningful(answer: &Response) -> impl Iterator<Item = &str> {
    let names = answer.headers.iter().map(|(name, _)| name.as_str());
    names.filter(|name| {
        is_meaningful(name) && !name.ends_with("content-type") && !name.ends_with("content-encoding")
    })
}

fn stream_attempts(pair: &SiblingPair<'_>) -> RuleOutcome {
    let Some([own, other]) = pair.attempts() else { return RuleOutcome::NotApplicable };
    // A first answer that was a success left nothing to try again.
    if [&pair.own, &pair.other].into_iter().all(|facts| facts.failures().next().is_none()) {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(own == other, || {
        ("as many attempts, streaming or not".to_owned(), both(pair, own.to_string(), other.to_string()))
    })
}

/// Whether both callers speak the same dialect, and so are owed the same words and numbers.
fn speak_alike(pair: &SiblingPair<'_>) -> bool {
    pair.own.api().native_provider() == pair.other.api().native_provider()
}

fn route_status(pair: &SiblingPair<'_>) -> RuleOutcome {
    let (Some(own), Some(other)) = (pair.own.response.failure_status(), pair.other.response.failure_status())
    else {
        return RuleOutcome::NotApplicable;
    };
    if !pair.failed_alike() {
        return RuleOutcome::NotApplicable;
    }
    let sent = pair.own.upstream_statuses();
    // The first of several routes may be the odd one: whoever passes on what came is right beside it.
    if !pair.other.api().is_chat() && sent.contains(&own) {
        return RuleOutcome::Holds;
    }
    // Dialects have different numbers for an overload and for a lost connection.
    let alike = own == other || (!speak_alike(pair) && own >= 500 && other >= 500);
    if !speak_alike(pair) && sent.is_empty() {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(alike, || {
        ("one status on every route".to_owned(), both(pair, own.to_string(), other.to_string()))
    })
}

fn route_detail(pair: &SiblingPair<'_>) -> RuleOutcome {
    if equal_responses(pair).is_none() {
        return RuleOutcome::NotApplicable;
    }
    let mut differences = Vec::new();
    let mut any = false;
    let canary = |facts: &crate::judge::facts::Facts<'_>| {
        let body = facts.raw_response().map_or("", |answer| answer.body.text.as_str());
        let mut said = facts
            .failures()
            .filter(|(attempt, _)| word::has_token(&attempt.said(), &attempt.canaries.message));
        said.any(|(attempt, _)| word::has_token(body, &attempt.canaries.message))
    };
    if canary(&pair.other) {
        any = true;
        if !canary(&pair.own) {
            differences.push(both(
                pair,
                "no word of the provider's message".to_owned(),
                "its message".to_owned(),
            ));
        }
    }
    if speak_alike(pair)
        && let (Some(own), Some(other)) = (pair.own.response.error(), pair.other.response.error())
    {
        any = true;
        differences.extend(members(pair, [own, other], |member| !passes_on(pair, own, member)));
    }
    if !any {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(differences.is_empty(), || {
        ("the same detail on every route".to_owned(), differences.join("; "))
    })
}

/// Whether a member is the one that an upstream sent: then it is right whatever stands elsewhere.
fn passes_on(pair: &SiblingPair<'_>, own: &ErrorObject, (_, of): Member) -> bool {
    let mut sent = pair.own.failures().filter_map(|(_, fate)| fate.error());
    sent.any(|sent| dialect::text(of(sent)) == dialect::text(of(own)))
}
