//! `upfault explain PROVIDER` and `upfault explain PROVIDER/ERROR`: the catalogue of the mocks, with its sources.

use std::fmt::Write;

use bytes::Bytes;

use super::{
    context::CliContext,
    explain_args::ExplainArgs,
    failure::Failure,
    schema_words,
    word_table::{ListedWord, table},
};
use crate::{
    dialect,
    observation::Canaries,
    provider::{
        self, ErrorRow, KeyPlace, MessageBody, ProviderMessage, RequestedCall, SourceConfidence,
        asked_endpoints, error_meant, error_named, errors_called, errors_that_send, own_chat, profile,
    },
    report::fit,
    scenario::{Api, Combination, ErrorName, Provider, meaning, nearest},
    wire::frames::{self, Carrier},
};

/// The explanation of a provider or of one of its errors, for the width of the terminal; `None` if the arguments name
/// something else. The bytes of an error have lines as long as they are, so that they can be copied.
pub(super) fn explained(context: &CliContext, args: &ExplainArgs) -> Result<Option<String>, Failure> {
    let (place, error) = match (&args.error, args.what.split_once('/')) {
        (Some(error), _) => (args.what.as_str(), Some(error.as_str())),
        (None, Some((place, error))) => (place, Some(error)),
        (None, None) => (args.what.as_str(), None),
    };
    let provider = place.parse::<Provider>();
    let provider = match (provider, &args.error) {
        (Ok(provider), _) => provider,
        (Err(_), Some(_)) => return Err(unknown_provider(place)),
        // The API says how to show an error.
        (Err(_), None) => return not_an_error(args),
    };
    let Some(error) = error else {
        if args.api.is_some() {
            return not_an_error(args);
        }
        return Ok(Some(fit(&describe_provider(context, provider), context.width)));
    };
    // A scenario in a folder with the name of a provider can have a name that people also call an error.
    let names = match (&args.error, error_named(error)) {
        (Some(_), _) => errors_called(provider, error),
        (None, Some(name)) => vec![name],
        (None, None) => errors_that_send(provider, error),
    };
    // A folder of scenarios can have the name of a provider.
    let is_scenario =
        args.error.is_none() && context.root.join("scenarios").join(format!("{}.yaml", args.what)).exists();
    match names.as_slice() {
        [] if args.error.is_none() && args.api.is_none() => Ok(None),
        [] => Err(unknown_error(provider, error)),
        _ if is_scenario => Ok(None),
        [name] => Ok(Some(describe_error(context.width, provider, *name, args.api))),
        several => Ok(Some(fit(&describe_several(provider, error, several), context.width))),
    }
}

/// What `what` may mean if it is not a scenario: `anthropic/overloded`.
pub(super) fn near(what: &str) -> Option<String> {
    let (place, error) = what.split_once('/').map_or((what, None), |(place, error)| (place, Some(error)));
    let provider = near_provider(place);
    match error {
        None => provider.map(str::to_owned).or_else(|| {
            let sent = errors_of_all(what);
            let (provider, name) =
                sent.first().copied().or(error_meant(what).map(|name| (Provider::Openai, name)))?;
            Some(format!("{provider}/{name}"))
        }),
        Some(error) => {
            let provider = provider?;
            let named =
                provider.parse().ok().and_then(|provider| errors_called(provider, error).first().copied());
            let name = named.map(ErrorName::as_str).or_else(|| near_error(error))?;
            Some(format!("{provider}/{name}"))
        }
    }
}

fn not_an_error(args: &ExplainArgs) -> Result<Option<String>, Failure> {
    match args.api {
        None => Ok(None),
        Some(_) => Err(Failure::Usage(format!(
            "--api applies to an error of a provider, but `{}` is not one\nhelp: `upfault explain anthropic/overloaded --api \
             openai/chat` shows what the provider of a caller of openai/chat sends",
            args.what
        ))),
    }
}

/// The provider with this name, which may be one of the project, or the one that people call so (`claude`, `vertex_ai`).
///
/// # Errors
///
/// If there is none, with the nearest name.
pub(super) fn provider_called(name: &str) -> Result<Provider, Failure> {
    let meant = || meaning(name, Provider::names())?.parse().ok();
    name.parse().ok().or_else(meant).ok_or_else(|| unknown_provider(name))
}

fn near_provider(word: &str) -> Option<&'static str> {
    meaning(word, Provider::names()).or_else(|| nearest(word, Provider::names().iter().copied()))
}

fn near_error(word: &str) -> Option<&'static str> {
    meaning(word, ErrorName::names()).or_else(|| nearest(word, ErrorName::names().iter().copied()))
}

/// The errors of all providers whose status, type or code is this word.
pub(super) fn errors_of_all(word: &str) -> Vec<(Provider, ErrorName)> {
    let of =
        |provider: Provider| errors_that_send(provider, word).into_iter().map(move |name| (provider, name));
    Provider::all().into_iter().flat_map(of).collect()
}

fn unknown_provider(word: &str) -> Failure {
    let help = match near_provider(word) {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    };
    Failure::Usage(format!(
        "no provider is called `{word}`\nhelp: {help}`upfault list --providers` lists all"
    ))
}

pub(super) fn unknown_error(provider: Provider, word: &str) -> Failure {
    let help = match near_error(word) {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    };
    Failure::Usage(format!(
        "no error of {provider} has the name, status, type or code `{word}`\nhelp: {help}`upfault explain {provider}` lists all"
    ))
}

fn describe_provider(context: &CliContext, provider: Provider) -> String {
    let own = profile(provider);
    let mut text = format!("{provider}: {}\n", own.title);
    if provider.known() != provider {
        let _ = writeln!(text, "  like       {}, in what this project's file does not say", provider.known());
    }
    let read = own.checked.map(|checked| format!(", last read on {checked}")).unwrap_or_default();
    let _ = writeln!(text, "  source     {}{read}", own.source);
    let _ = writeln!(text, "  model      {}", own.model);
    let keys: Vec<String> = own.key.iter().map(key_place).collect();
    let keys = if keys.is_empty() { "none".to_owned() } else { keys.join(", or ") };
    let _ = writeln!(text, "  key        {keys}");
    let _ = writeln!(text, "  base path  {}", if own.base.is_empty() { "/" } else { &own.base });
    let _ = writeln!(text, "\nEndpoints:");
    let rows: Vec<ListedWord> = own
        .routes
        .iter()
        .map(|route| ListedWord {
            name: route.api.to_string(),
            note: String::new(),
            meaning: match (&route.get, &route.post, &route.delete) {
                (Some(path), ..) => format!("GET {path}"),
                (_, Some(path), _) => format!("POST {path}"),
                (.., path) => format!("DELETE {}", path.as_deref().unwrap_or_default()),
            },
        })
        .collect();
    text.push_str(&indented(&table(&rows)));
    text.push_str("\nErrors, with the status, the type and the code that the provider sends:\n");
    let rows: Vec<(ErrorName, &ErrorRow)> = own.errors.iter().map(|(name, row)| (*name, row)).collect();
    text.push_str(&indented(&error_table(&rows)));
    let folder = context.root.join("scenarios").join(provider.as_str());
    if folder.is_dir() {
        let _ = writeln!(text, "\n`upfault list {provider}` lists the scenarios in {}.", folder.display());
    }
    let _ = writeln!(
        text,
        "\n`upfault explain {provider}/rate_limit` shows the exact bytes of an error; `upfault serve` sends them at\n\
         http://ADDRESS/{provider}/rate_limit."
    );
    text
}

fn describe_several(provider: Provider, word: &str, names: &[ErrorName]) -> String {
    let rows: Vec<(ErrorName, &ErrorRow)> =
        names.iter().map(|name| (*name, provider::catalogue_row(provider, *name))).collect();
    format!(
        "{} errors of {provider} have the status, type or code `{word}`:\n{}\n`upfault explain {provider}/{}` shows the exact \
         bytes of one of them.\n",
        names.len(),
        indented(&error_table(&rows)),
        names[0]
    )
}

fn error_table(rows: &[(ErrorName, &ErrorRow)]) -> String {
    let rows: Vec<ListedWord> = rows
        .iter()
        .map(|(name, row)| ListedWord {
            name: name.to_string(),
            note: row.status.to_string(),
            meaning: format!("{} ({})", words_of(row), evidence(row)),
        })
        .collect();
    table(&rows)
}

/// The type and the code of a row: `invalid_request_error invalid_api_key`.
fn words_of(row: &ErrorRow) -> String {
    let code = if row.code.is_null() { None } else { Some(dialect::text(&row.code)) };
    let words: Vec<String> = [row.kind.clone(), code].into_iter().flatten().collect();
    if words.is_empty() { "no type and no code".to_owned() } else { words.join(" ") }
}

fn evidence(row: &ErrorRow) -> &'static str {
    match row.confidence {
        SourceConfidence::Documented => "documented",
        SourceConfidence::Recorded => "recorded",
        SourceConfidence::Reported => "reported",
        SourceConfidence::Recalled => "recalled",
    }
}

fn key_place(place: &KeyPlace) -> String {
    match place {
        KeyPlace::Bearer => "`Authorization: Bearer KEY`".to_owned(),
        KeyPlace::Header(name) => format!("the header `{name}`"),
        KeyPlace::Query(name) => format!("the query parameter `{name}`"),
        KeyPlace::Sigv4 => "an AWS signature (version 4)".to_owned(),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// An error with its source and the exact bytes that a mock sends, for each endpoint that a proxy can ask.
fn describe_error(width: usize, provider: Provider, name: ErrorName, api: Option<Api>) -> String {
    let row = provider::catalogue_row(provider, name);
    let mut text = format!("{provider}/{name}: {} {}\n", row.status, words_of(row));
    let _ = writeln!(text, "  {}", error_meaning(name));
    if name.wider().is_some() && !profile(provider).errors.contains_key(&name) {
        let _ = writeln!(text, "  {provider} does not distinguish it: this is what it sends instead.");
    }
    let _ = writeln!(text, "  {}", source(provider, row));
    let api = api.unwrap_or_else(|| own_chat(provider));
    let mut endpoints = asked_endpoints(Combination { api, provider, stream: false });
    if endpoints.is_empty() {
        let _ = writeln!(text, "\n{provider} has nothing like {api}.");
        endpoints.push(own_chat(provider));
    }
    let mut text = fit(&text, width);
    let canaries = placeholders();
    let mut groups: Vec<(Vec<Api>, String)> = Vec::new();
    for endpoint in endpoints {
        let shown = shown_at(provider, endpoint, name, &canaries);
        match groups.iter_mut().find(|(_, same)| *same == shown) {
            Some((endpoints, _)) => endpoints.push(endpoint),
            None => groups.push((vec![endpoint], shown)),
        }
    }
    for (endpoints, shown) in groups {
        let endpoints: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.as_str()).collect();
        let _ = write!(text, "\nAt {}:\n{shown}", endpoints.join(" and "));
    }
    let end = format!(
        "\nIn place of each `{{{{canary.…}}}}` the mocks send a text that is different in each attempt.\n\
         `upfault new --error {provider}/{name}` writes a scenario with this error.\n"
    );
    text.push_str(&fit(&end, width));
    text
}

/// What an error means: its documentation, or for one that the project has added the known error that it is like.
pub(super) fn error_meaning(name: ErrorName) -> String {
    match name.known() {
        known if known != name => format!("An error of this project, like `{known}`."),
        known => schema_words::meaning("ErrorName", known.as_str()).unwrap_or_default(),
    }
}

/// Where a row comes from: `recorded: vercel/ai tests (last read on 2026-11-22)`.
fn source(provider: Provider, row: &ErrorRow) -> String {
    match row.confidence {
        SourceConfidence::Recalled => "recalled: written from memory, without a source".to_owned(),
        _ => {
            let read = provider::last_read(provider, row);
            let read = read.map(|day| format!(" (last read on {day})")).unwrap_or_default();
            format!("{}: {}{read}", evidence(row), row.source)
        }
    }
}

/// The error at an endpoint: as a response, and as an event of a stream that has begun.
fn shown_at(provider: Provider, endpoint: Api, name: ErrorName, canaries: &Canaries) -> String {
    let asked = RequestedCall::plain(provider, endpoint, false);
    let mut text = response_text(&provider::error_asking(&asked, name, None, canaries));
    if endpoint.streams() {
        let asked = RequestedCall::plain(provider, endpoint, true);
        let event = provider::error_event_after(&asked, name, None, 0, None, canaries);
        let _ = write!(text, "\n  in a stream that has begun:\n{}", event_text(endpoint, &event));
    }
    text
}

fn response_text(message: &ProviderMessage) -> String {
    let reason = http::StatusCode::from_u16(message.status).ok().and_then(|status| status.canonical_reason());
    let mut text =
        format!("  HTTP/1.1 {} {}", message.status, reason.unwrap_or_default()).trim_end().to_owned();
    text.push('\n');
    for (name, value) in &message.headers {
        let _ = writeln!(text, "  {name}: {value}");
    }
    if let MessageBody::Whole(body) = &message.body
        && !body.is_empty()
    {
        let _ = write!(text, "\n{}", indented(&String::from_utf8_lossy(body)));
    }
    text
}

fn event_text(endpoint: Api, event: &Bytes) -> String {
    if dialect::carrier(endpoint) != Carrier::Aws {
        return indented(&indented(String::from_utf8_lossy(event).trim_end()));
    }
    let frames = frames::decode(Carrier::Aws, event);
    let frame = |frame: &frames::Frame| {
        let name = frame.event.as_deref().unwrap_or_default();
        format!(
            "    {name} {}\n    ({} bytes in the encoding of AWS's event streams)\n",
            frame.data,
            event.len()
        )
    };
    frames.iter().map(frame).collect()
}

/// Canaries that are the placeholders with which a scenario names them.
fn placeholders() -> Canaries {
    let name = |member: &str| format!("{{{{canary.{member}}}}}");
    Canaries {
        message: name("message"),
        code: name("code"),
        kind: name("type"),
        param: name("param"),
        header: name("header"),
        request_id: name("request_id"),
        content: name("content"),
    }
}
