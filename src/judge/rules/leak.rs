//! Secrets and internals that a proxy must never disclose.

use crate::{
    judge::{
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{PassThrough, Scope},
    },
    observation::{Arrangement, Attempt, Identity, Response, word},
    scenario::{Fault, Level, ReplyPart},
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "leak.provider-key",
        level: Level::Required,
        title: "A response never contains a provider key",
        reason: "It is the proxy's secret: with the key, a caller can bypass the proxy.",
        references: &["BerriAI/litellm#5762"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: provider_key,
    },
    Rule {
        id: "leak.proxy-secret",
        level: Level::Required,
        title: "A response never contains a secret of the proxy",
        reason: "A master key in an error message ends up in every log along the way.",
        references: &["BerriAI/litellm#15799"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: proxy_secret,
    },
    Rule {
        id: "leak.upstream-address",
        level: Level::Required,
        title: "The body of a response never contains the address of an upstream",
        reason: "Messages are shown to end users and stored; an address discloses the structure of an internal \
                 network.",
        references: &["BerriAI/litellm#8698"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: upstream_address,
    },
    Rule {
        id: "leak.upstream-address-header",
        level: Level::Recommended,
        title: "The headers of a response never contain the address of an upstream",
        reason: "Some proxies send it on purpose, to help with troubleshooting; external callers should not get it.",
        references: &["BerriAI/litellm#8698"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: upstream_address_header,
    },
    Rule {
        id: "leak.traceback",
        level: Level::Required,
        title: "A response never contains a traceback or a path of the proxy's code",
        reason: "A traceback is useless to a caller, and discloses to an attacker which versions run.",
        references: &["BerriAI/litellm#30948"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: traceback,
    },
    Rule {
        id: "leak.unproven-upstream",
        level: Level::Required,
        title: "The proxy sends no request to an upstream whose certificate does not prove its identity",
        reason: "A man in the middle reads the key and the prompt. The proxy can trust nothing but the address, and \
                 that is what the man in the middle controls.",
        references: &["RFC 9110 section 4.3.4", "RFC 9325 section 3.1"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: unproven_upstream,
    },
    Rule {
        id: "leak.redirected-key",
        level: Level::Required,
        title: "The proxy does not follow a redirect to another origin with the provider's key",
        reason: "The server at the other origin gets the key, which was never meant for it.",
        references: &["RFC 9110 section 15.4"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: redirected_key,
    },
];

/// The path to which a redirect points, below a deployment's base URL.
const ELSEWHERE: &str = "/elsewhere";

/// The requests that the proxy sent to the target of a redirect.
pub(super) fn redirected<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = &'a Attempt> + use<'f, 'a> {
    facts.other_requests.iter().copied().filter(|attempt| attempt.path.starts_with(ELSEWHERE))
}

/// Finds a secret (second argument) in a text (first argument).
type Find = fn(&str, &str) -> Option<usize>;

/// Breaks at the first of `secrets` that the response contains. What the upstream itself sent is not a leak of the
/// proxy.
fn search<'s>(
    facts: &Facts<'_>,
    secrets: impl Iterator<Item = &'s str>,
    find: Find,
    place: fn(&Response, &str, Find) -> Option<String>,
) -> Option<RuleOutcome> {
    let answer = facts.raw_response()?;
    for secret in secrets.filter(|secret| !secret.is_empty()) {
        if facts.attempts.iter().any(|(attempt, _)| find(&attempt.said(), secret).is_some()) {
            continue;
        }
        if let Some(place) = place(answer, secret, find) {
            return RuleOutcome::broken("no trace of it", place, Vec::new());
        }
    }
    Some(RuleOutcome::Holds)
}

fn anywhere(answer: &Response, secret: &str, find: Find) -> Option<String> {
    in_headers(answer, secret, find).or_else(|| in_body(answer, secret, find))
}

fn in_headers(answer: &Response, secret: &str, find: Find) -> Option<String> {
    let (name, value) = answer.headers.iter().find(|(_, value)| find(value, secret).is_some())?;
    Some(format!("in the header {name}: {value}"))
}

/// The place in the body, with up to 40 characters before it.
fn in_body(answer: &Response, secret: &str, find: Find) -> Option<String> {
    let at = find(&answer.body.text, secret)?;
    let around: String =
        answer.body.text[..at].chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect();
    Some(format!("in the body: …{around}{secret}…"))
}

fn provider_key(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let keys = facts.arrangement.deployments.iter().map(|deployment| deployment.key.as_str());
    match search(facts, keys, word::find_token, anywhere)? {
        RuleOutcome::Holds => foreign_key(facts),
        broken => Some(broken),
    }
}

/// Searches for keys of deployments of other cases, which the proxy knows as well.
fn foreign_key(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let answer = facts.raw_response()?;
    let Arrangement { identity, deployments, .. } = &facts.arrangement;
    let own: Vec<String> = deployments.iter().map(|deployment| identity.key(&deployment.name)).collect();
    let is_foreign = |key: &str| {
        // A proxy that shortens a message may cut a key of the case itself.
        let is_own = own.iter().any(|own| own.starts_with(key));
        let said = |(attempt, _): &(&Attempt, _)| attempt.said().contains(key);
        !is_own && !facts.attempts.iter().any(said)
    };
    let has_foreign = |text: &str| Identity::keys_in(text).any(is_foreign);
    let header = answer.headers.iter().find(|(_, value)| has_foreign(value));
    let place = header
        .map(|(name, _)| format!("in the header {name}"))
        .or_else(|| has_foreign(&answer.body.text).then(|| "in the body".to_owned()));
    RuleOutcome::check(place.is_none(), || {
        let observed = format!("the key of another deployment {}", place.unwrap_or_default());
        ("no trace of a key of any deployment of the proxy".to_owned(), observed)
    })
}

fn unproven_upstream(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let unproven = |fault: &Fault| fault.changes(ReplyPart::Certificate);
    let mut outcome = None;
    for (attempt, _) in &facts.attempts {
        let Some(fault) = attempt.turn.iter().flat_map(|turn| &turn.faults).find(|fault| unproven(fault))
        else {
            continue;
        };
        if attempt.was_asked() {
            return RuleOutcome::broken(
                format!("no request to {} ({fault})", attempt.name()),
                format!("{} {} with {} header(s)", attempt.method, attempt.path, attempt.headers.len()),
                Vec::new(),
            );
        }
        outcome = Some(RuleOutcome::Holds);
    }
    outcome
}

fn redirected_key(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let redirects = |attempt: &Attempt| {
        let turn = attempt.turn.iter().flat_map(|turn| &turn.faults);
        turn.into_iter().any(|fault| matches!(fault, Fault::Redirect(_)))
    };
    if !facts.attempts.iter().any(|(attempt, _)| redirects(attempt)) {
        return None;
    }
    let followed = redirected(facts).find_map(|attempt| {
        let key = facts.key_of(&attempt.deployment)?;
        let header = attempt.headers.iter().find(|(_, value)| word::has_token(value, key))?;
        Some((attempt, header))
    });
    RuleOutcome::check(followed.is_none(), || {
        let shown = followed.map(|(attempt, (name, _))| format!("{}, with the key in {name}", attempt.path));
        ("no request with a key at the other origin".to_owned(), shown.unwrap_or_default())
    })
}

fn proxy_secret(facts: &Facts<'_>) -> Option<RuleOutcome> {
    // A secret is disclosed even as a part of a longer word.
    let find = |text: &str, secret: &str| text.find(secret);
    search(facts, facts.arrangement.proxy_secrets.iter().map(String::as_str), find, anywhere)
}

/// The addresses of the case's own upstreams, and those of other cases that occur in one of its responses.
fn addresses<'a>(facts: &Facts<'a>) -> impl Iterator<Item = &'a str> {
    let Arrangement { upstream_addresses, foreign_addresses, .. } = facts.arrangement;
    upstream_addresses.iter().chain(foreign_addresses).map(String::as_str)
}

fn upstream_address(facts: &Facts<'_>) -> Option<RuleOutcome> {
    search(facts, addresses(facts), word::find, in_body)
}

fn upstream_address_header(facts: &Facts<'_>) -> Option<RuleOutcome> {
    search(facts, addresses(facts), word::find, in_headers)
}

fn traceback(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let marks = [
        "Traceback (most recent call last)",
        "site-packages/",
        "node_modules/",
        "goroutine 1 [",
        "    at Object.<anonymous>",
        "thread 'main' panicked",
    ];
    search(facts, marks.into_iter(), word::find, anywhere)
}
