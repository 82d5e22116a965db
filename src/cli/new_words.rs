//! The words that people type after `upfault new --error` and `--fault`.

use super::{
    explain_catalogue::{errors_of_all, provider_called, unknown_error},
    failure::Failure,
    schema_words,
};
use crate::{
    incident::NamedError,
    provider::{error_meant, error_named, errors_called},
    report::plural,
    scenario::{ErrorName, Provider, meaning, nearest},
};

/// The most errors that a message lists.
const LISTED: usize = 6;

/// The error that the user names: `anthropic/overloaded`, `overloaded` with a provider, or a word that only one provider
/// sends. `source` says where it is from.
///
/// # Errors
///
/// If the words mean no error, or those of several providers.
pub(super) fn named_error(text: &str, provider: Option<&str>, source: String) -> Result<NamedError, Failure> {
    let (place, word) = match text.split_once('/') {
        Some((place, word)) => (Some(place), word),
        None => (None, text),
    };
    let of_option = provider.map(provider_called).transpose()?;
    let of_error = place.map(provider_called).transpose()?;
    let mut assumed = Vec::new();
    let (provider, names) = match of_error.or(of_option) {
        Some(provider) if of_option.is_some_and(|wanted| wanted != provider) => {
            return Err(Failure::Usage(format!(
                "--error {text} is an error of {provider}, but --provider names another one\nhelp: omit --provider"
            )));
        }
        Some(provider) => (provider, errors_called(provider, word)),
        None => of_any_provider(word, &mut assumed)?,
    };
    let Some((name, others)) = names.split_first() else { return Err(unknown_error(provider, word)) };
    if !others.is_empty() {
        let others: Vec<&str> = others.iter().map(|name| name.as_str()).collect();
        assumed.push(format!("the error is {provider}/{name} (or {}, also `{word}`)", others.join(", ")));
    }
    Ok(NamedError { provider, name: *name, source, assumed })
}

/// The errors that a word without a provider means. A name of upfault is that of OpenAI's error, as the option says.
fn of_any_provider(word: &str, assumed: &mut Vec<String>) -> Result<(Provider, Vec<ErrorName>), Failure> {
    if let Some(name) = error_named(word) {
        return Ok((Provider::Openai, vec![name]));
    }
    let sent = errors_of_all(word);
    let mut providers: Vec<Provider> = sent.iter().map(|(provider, _)| *provider).collect();
    providers.dedup();
    match providers.as_slice() {
        [] => Ok((Provider::Openai, error_meant(word).into_iter().collect())),
        [only] => {
            assumed.push(format!("the provider is {only}: no other one in the catalogue sends `{word}`"));
            Ok((*only, sent.iter().map(|(_, name)| *name).collect()))
        }
        several => {
            let mut named: Vec<String> = Vec::new();
            // One error of each provider first: people choose the provider, then look closer.
            for provider in several {
                let name =
                    sent.iter().find(|(other, _)| other == provider).map_or("", |(_, name)| name.as_str());
                named.push(format!("`{provider}/{name}`"));
            }
            let more = named.len().saturating_sub(LISTED);
            named.truncate(LISTED);
            let more = if more > 0 {
                format!(", or that of {more} more (`upfault list --errors`)")
            } else {
                String::new()
            };
            Err(Failure::Usage(format!(
                "{} send `{word}`\nhelp: name the provider: {}{more}",
                plural(several.len(), "provider"),
                named.join(", ")
            )))
        }
    }
}

/// Why a text is not a fault: it names a group of faults, lacks something, or is not known.
pub(super) fn not_a_fault(text: &str) -> String {
    let plain = text.trim().trim_start_matches('{').to_lowercase().replace('-', "_");
    let head: &str = plain.split([':', '/', ' ', '{', '}']).next().unwrap_or_default();
    let listed: Vec<String> = schema_words::faults().into_iter().map(|word| word.name).collect();
    let forms: Vec<&String> = listed.iter().filter(|form| form.split(':').next() == Some(head)).collect();
    match forms.as_slice() {
        [] => {
            let names: Vec<&str> = listed.iter().flat_map(|form| names_of(form)).collect();
            // A single word can be the name of a group that people know by the same name.
            let near = meaning(&plain, &names).or_else(|| nearest(&plain, names.iter().copied()));
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            format!("`{text}` is not a fault\nhelp: {near}`upfault list --faults` lists all")
        }
        [form] => format!(
            "`{text}` is not a complete fault\nhelp: it has the form `{form}`; `upfault list --faults` explains it"
        ),
        several => {
            let some: Vec<String> = several.iter().take(LISTED).map(|form| format!("`{form}`")).collect();
            format!(
                "`{text}` is not a complete fault\nhelp: `{head}` is a group: {}; `upfault list --faults` lists all",
                some.join(", ")
            )
        }
    }
}

/// The names by which `--fault` knows a fault of the list: `tls: expired_certificate` also without its group.
fn names_of(form: &str) -> Vec<&str> {
    let (head, rest) = form.split_once(": ").unwrap_or((form, ""));
    let inner = match rest.strip_prefix('{') {
        Some(rest) => rest.split_once(':').map(|(name, _)| name),
        None => Some(rest).filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase())),
    };
    std::iter::once(head).chain(inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_one_provider_sends_names_the_provider() {
        let named = |text: &str, provider: Option<&str>| {
            named_error(text, provider, String::new())
                .map(|error| (format!("{}/{}", error.provider, error.name), error.assumed.len()))
                .map_err(|failure| failure.render(false))
        };
        for (text, provider, expected, assumed) in [
            ("UnrecognizedClientException", None, "bedrock/invalid_api_key", 1),
            ("ThrottlingException", None, "bedrock/rate_limit", 2),
            ("rate_limit", None, "openai/rate_limit", 0),
            ("Overloaded", None, "openai/overloaded", 0),
            ("rate limit", None, "openai/rate_limit", 0),
            ("claude/529", None, "anthropic/overloaded", 0),
            ("azure_openai/429", None, "azure/rate_limit", 1),
            ("bedrock/throttled", None, "bedrock/rate_limit", 0),
            ("ThrottledException", Some("aws"), "bedrock/rate_limit", 0),
        ] {
            assert_eq!(named(text, provider), Ok((expected.to_owned(), assumed)), "{text}");
        }
        let several = named("RESOURCE_EXHAUSTED", None).unwrap_err();
        assert!(several.contains("`gemini/rate_limit`, `vertex/rate_limit`"), "{several}");
        let several = named("529", None).unwrap_err();
        assert!(several.contains("name the provider: `anthropic/overloaded`, "), "{several}");
        let contradicting = named("anthropic/529", Some("openai")).unwrap_err();
        assert!(contradicting.contains("omit --provider"), "{contradicting}");
    }

    #[test]
    fn the_words_of_people_lead_to_a_fault() {
        for (text, expected) in [
            ("timeout", "did you mean `hang`?"),
            ("slow", "did you mean `delay`?"),
            ("disconnect", "did you mean `close`?"),
            ("ECONNRESET", "did you mean `reset`?"),
            ("dns", "did you mean `unresolvable_name`?"),
            ("cert", "did you mean `expired_certificate`?"),
            ("cut", "did you mean `close`?"),
            ("rest", "did you mean `reset`?"),
            ("tls", "`tls` is a group: `tls: expired_certificate`"),
            ("drip", "it has the form `drip: {bytes_per_second}`"),
            ("zzzzzz", "help: `upfault list --faults` lists all"),
        ] {
            let said = not_a_fault(text);
            assert!(said.contains(expected), "{text}: {said}");
            assert_eq!(said.contains("is not a complete fault"), ["tls", "drip"].contains(&text), "{said}");
        }
    }
}
