//! What a response says about a limit: the codes of OpenAI's 429, and the fields `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers-11).

use std::collections::BTreeMap;

use crate::{
    judge::{facts::Facts, rule::RuleOutcome},
    observation::Response,
    provider,
    scenario::Provider,
};

/// The fields that a server of any dialect can send.
const FIELDS: [&str; 2] = ["ratelimit", "ratelimit-policy"];

/// Whether a header is one of the standard fields about limits.
pub(super) fn is_standard_field(name: &str) -> bool {
    FIELDS.contains(&name)
}

/// Whether every upstream failed with a 429, and one of them with a code that OpenAI's documentation gives for it. Such a
/// code is not only a repetition of the status: it says whether waiting helps.
pub(super) fn has_limit_code(facts: &Facts<'_>) -> bool {
    let sent =
        facts.failures().filter_map(|(_, result)| result.error()).filter_map(|error| error.code.as_str());
    facts.failed_only_by(|status| status == 429) && sent.into_iter().any(is_limit_code)
}

fn is_limit_code(code: &str) -> bool {
    let rows = provider::catalogue_rows(Provider::Openai);
    rows.into_iter().any(|(_, row)| row.status == 429 && row.code == *code)
}

/// The policies of a field, by name, each with its numeric parameters. Empty if the field is not valid, because then
/// clients ignore it.
fn policies(value: &str) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for item in value.split(',') {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().trim_matches('"');
        let parameters = parts.filter_map(|part| {
            let (key, value) = part.split_once('=')?;
            Some((key.to_owned(), value.parse().ok()?))
        });
        if !name.is_empty() {
            found.insert(name.to_owned(), parameters.collect());
        }
    }
    found
}

fn stated(response: &Response, field: &str) -> BTreeMap<String, BTreeMap<String, u64>> {
    let values = response.headers.iter().filter(|(name, _)| name == field);
    values.flat_map(|(_, value)| policies(value)).collect()
}

/// Whether the caller's fields promise no more than those of the upstreams. Judges only policies that an upstream
/// named: the proxy can have limits of its own.
pub(super) fn not_loosened(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let response = facts.raw_response()?;
    let waited = (facts.exchange.end_ms - facts.exchange.sent_ms) / 1000.0;
    let mut outcome = None;
    for field in FIELDS {
        let sent: Vec<_> = facts
            .attempts
            .iter()
            .filter_map(|(attempt, _)| attempt.sent.header(field))
            .map(policies)
            .collect();
        for (name, parameters) in stated(response, field) {
            for (key, got) in parameters {
                let values = sent.iter().filter_map(|sent| sent.get(&name)?.get(&key).copied());
                let (Some(least), Some(most)) = (values.clone().min(), values.max()) else { continue };
                outcome = Some(RuleOutcome::Holds);
                let is_looser = match key.as_str() {
                    // What is left, and the whole quota.
                    "r" | "q" => got > most,
                    // The time to the next reset goes on while the proxy works.
                    "t" => got as f64 + waited + 1.0 < least as f64,
                    "w" => got < least,
                    _ => false,
                };
                if is_looser {
                    let sent = if matches!(key.as_str(), "t" | "w") { least } else { most };
                    return RuleOutcome::broken(
                        format!("{field}: {key}={sent} for {name:?}, or less permissive"),
                        format!("{field}: {key}={got}"),
                        Vec::new(),
                    );
                }
            }
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_lists_policies_with_parameters() {
        let read = policies(r#""burst";r=0;t=2, "daily";r=50;pk=:abc:"#);
        assert_eq!(read["burst"], BTreeMap::from([("r".to_owned(), 0), ("t".to_owned(), 2)]));
        assert_eq!(read["daily"], BTreeMap::from([("r".to_owned(), 50)]));
        assert!(policies("").is_empty());
    }
}
