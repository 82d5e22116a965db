//! A project's files about providers: new providers that speak a known dialect, and errors of a provider.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;

use super::profile::{self, Profile};
use crate::scenario::{
    Diagnostic, ErrorName, LoadErrors, Node, Provider, deserialized, meant, nearest, parse_tree,
};

/// A file about a provider.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProviderFile {
    /// The name of the provider: that of the file, without its extension.
    pub name: String,
    /// The file's name in messages.
    pub shown: String,
    /// Its text.
    pub text: String,
}

/// The files that are loaded.
static LOADED: Mutex<Vec<ProviderFile>> = Mutex::new(Vec::new());

/// Loads all files about providers of a project. From then on, their providers and errors are known everywhere in the process;
/// what earlier files added is forgotten. Returns whether anything has changed. `reserved` names cannot be those of errors.
///
/// # Errors
///
/// Everything that is wrong with the files. Then nothing changes.
pub(crate) fn load_provider_files(files: Vec<ProviderFile>, reserved: &[&str]) -> Result<bool, LoadErrors> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if *loaded == files {
        return Ok(false);
    }
    let mut errors = Vec::new();
    let mut parsed: Vec<ParsedFile<'_>> = Vec::new();
    for file in &files {
        match ParsedFile::new(file) {
            Ok(second) if parsed.iter().any(|first| first.file.name == second.file.name) => {
                let message = format!("there is another file about the provider {}", second.file.name);
                errors.push(second.at(0..1, message).help("put everything about a provider into one file"));
            }
            Ok(file) => parsed.push(file),
            Err(found) => errors.extend(found.0),
        }
    }
    let names = own_errors(&parsed, reserved, &mut errors);
    if !errors.is_empty() {
        return Err(LoadErrors(errors));
    }
    let before = (added_providers(), added_errors());
    let is_new = |file: &&ParsedFile<'_>| known_provider(&file.file.name).is_none();
    let providers: Vec<_> =
        parsed.iter().filter(is_new).map(|file| (file.file.name.clone(), file.like)).collect();
    Provider::replace_own(&providers);
    ErrorName::replace_own(&names);
    let mut profiles = HashMap::new();
    for file in parsed {
        match file.profile() {
            Ok((provider, profile)) => {
                profiles.insert(provider, profile);
            }
            Err(found) => errors.extend(found.0),
        }
    }
    if !errors.is_empty() {
        Provider::replace_own(&before.0);
        ErrorName::replace_own(&before.1);
        return Err(LoadErrors(errors));
    }
    profile::replace_own(profiles);
    *loaded = files;
    Ok(true)
}

/// The files that are loaded.
pub(crate) fn loaded_provider_files() -> Vec<ProviderFile> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn added_providers() -> Vec<(String, Provider)> {
    let added = Provider::all().into_iter().filter(|one| *one != one.known());
    added.map(|one| (one.to_string(), one.known())).collect()
}

fn added_errors() -> Vec<(String, ErrorName)> {
    let added = ErrorName::all().into_iter().filter(|one| *one != one.known());
    added.map(|one| (one.to_string(), one.known())).collect()
}

fn known_provider(name: &str) -> Option<Provider> {
    Provider::ALL.iter().copied().find(|one| one.as_str() == name)
}

fn known_error(name: &str) -> Option<ErrorName> {
    ErrorName::ALL.iter().copied().find(|one| one.as_str() == name)
}

/// The errors that the files add, each with the known error that it is like.
fn own_errors(
    files: &[ParsedFile<'_>],
    reserved: &[&str],
    errors: &mut Vec<Diagnostic>,
) -> Vec<(String, ErrorName)> {
    let mut found: BTreeMap<&str, (ErrorName, &str)> = BTreeMap::new();
    for file in files {
        for (key, row) in file.tree.get("errors").and_then(Node::entries).unwrap_or_default() {
            let name = key.text().unwrap_or_default();
            let like = match file.like_of(key, row) {
                Ok(like) if known_error(name).is_none() => like,
                Ok(_) => continue,
                Err(error) => {
                    errors.push(*error);
                    continue;
                }
            };
            if reserved.contains(&name) {
                let message = format!("`{name}` already has a meaning in the URLs of `upfault serve`");
                errors.push(file.at(key.range.clone(), message).help("give the error another name"));
            }
            match found.get(name) {
                Some((other, shown)) if *other != like => {
                    let message = format!("`{name}` is like `{like}` here and like `{other}` in {shown}");
                    let help = "an error means the same for every provider; give one of them another name";
                    errors.push(file.at(key.range.clone(), message).help(help));
                }
                _ => {
                    found.insert(name, (like, &file.file.shown));
                }
            }
        }
    }
    found.into_iter().map(|(name, (like, _))| (name.to_owned(), like)).collect()
}

/// A file, parsed.
struct ParsedFile<'f> {
    file: &'f ProviderFile,
    source: Arc<str>,
    /// What it contains, without `like`.
    tree: Node,
    /// The provider whose dialect it speaks: itself, if upfault knows it.
    like: Provider,
}

impl<'f> ParsedFile<'f> {
    fn new(file: &'f ProviderFile) -> Result<Self, LoadErrors> {
        let source: Arc<str> = file.text.as_str().into();
        let tree = parse_tree(&file.shown, &source)?;
        let mut parsed = Self { file, source, tree, like: Provider::Openai };
        let like = match parsed.tree.entries() {
            Some(_) => parsed.like(),
            None => {
                let error = parsed.at(0..1, "a file about a provider contains keys with values");
                Err(error.help("for example `like: openai`, then `errors:`"))
            }
        };
        parsed.like = like.map_err(|error| LoadErrors(vec![error]))?;
        Ok(parsed)
    }

    /// The provider whose dialect it speaks.
    fn like(&mut self) -> Result<Provider, Diagnostic> {
        let file = self.file;
        let name = &file.name;
        match (known_provider(name), self.tree.take("like")) {
            (Some(provider), None) => Ok(provider),
            (Some(_), Some(like)) => {
                let message = format!("upfault knows {name}, so it is like itself");
                let help = "remove `like`, or give the file the name of a new provider";
                Err(self.at(like.range, message).help(help))
            }
            (None, _) if !is_name(name) => {
                let message =
                    format!("`{name}` cannot be the name of a provider, which is in the URLs of mocks");
                let help =
                    "name the file with 1 to 32 lower-case letters and digits, beginning with a letter";
                Err(self.at(0..1, message).help(help))
            }
            (None, Some(like)) => {
                let word = like.text().unwrap_or_default();
                known_provider(word).ok_or_else(|| {
                    let message = match word {
                        "" => "`like` is the name of a provider".to_owned(),
                        _ => format!("`{word}` is not a provider that upfault knows"),
                    };
                    self.at(like.range.clone(), message).help(meant(word, Provider::NAMES))
                })
            }
            (None, None) => {
                let near = nearest(name, Provider::NAMES.iter().copied());
                let near = near.map(|near| format!("did you mean {near}? Otherwise ")).unwrap_or_default();
                let help = format!("{near}write `like: openai`, or another known provider whose API it has");
                let message =
                    format!("`{name}` is a new provider, and the file does not say whose dialect it speaks");
                Err(self.at(0..1, message).help(help))
            }
        }
    }

    /// The known error that an error of the file is: by its name, or by the one that it is like.
    fn like_of(&self, key: &Node, row: &Node) -> Result<ErrorName, Box<Diagnostic>> {
        let name = key.text().unwrap_or_default();
        let wrong = |at: &Node, message: String, help: String| {
            Err(Box::new(self.at(at.range.clone(), message).help(help)))
        };
        let like = match (row.get("like"), known_error(name)) {
            (Some(like), _) => like,
            (None, Some(known)) => return Ok(known),
            (None, None) => {
                let help = match nearest(name, ErrorName::NAMES.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`? Otherwise add `like: {near}`"),
                    None => "add the known error that other providers send instead, for example `like: rate_limit`".to_owned(),
                };
                let message =
                    format!("`{name}` is a new error, and its row does not say which known one it is like");
                return wrong(key, message, help);
            }
        };
        let word = like.text().unwrap_or_default();
        match known_error(word) {
            None => wrong(
                like,
                format!("`{word}` is not an error that upfault knows"),
                meant(word, ErrorName::NAMES),
            ),
            Some(_) if known_error(name).is_some() => wrong(
                like,
                format!("upfault knows `{name}`, so it is like itself"),
                "remove `like`, or give the error a new name".to_owned(),
            ),
            Some(_) if !is_error_name(name) => wrong(
                key,
                format!("`{name}` cannot be the name of an error"),
                "write lower-case letters, digits and underscores: `billing_on_hold`".to_owned(),
            ),
            Some(like) => Ok(like),
        }
    }

    /// The profile: that of the known provider, with what the file changes.
    fn profile(mut self) -> Result<(Provider, Box<Profile>), LoadErrors> {
        let file = self.file;
        let name = &file.name;
        let provider = name.parse().unwrap_or(self.like);
        let mut base = profile::members(self.like);
        let base_errors = dated(&mut base);
        let mut base = Node::from(&Value::Object(base));
        if provider != self.like {
            // A host belongs to one provider.
            base.take("hosts");
            self.tree.complete("title", name.as_str().into());
            self.tree.complete("source", file.shown.as_str().into());
        }
        if let Some(rows) = self.tree.entries_mut()
            && let Some((_, errors)) = rows.iter_mut().find(|(key, _)| key.text() == Some("errors"))
        {
            for (key, row) in errors.entries_mut().into_iter().flatten() {
                complete(row, key.text().unwrap_or_default(), &base_errors);
            }
            errors.complete_with(base_errors.clone());
        }
        self.tree.complete("errors", base_errors);
        self.tree.complete_with(base);
        let Self { source, tree, .. } = self;
        let ranges: Vec<Range<usize>> = match tree.get("routes") {
            Some(routes) => routes.items().iter().map(|route| route.range.clone()).collect(),
            None => Vec::new(),
        };
        let profile: Profile = deserialized(&file.shown, &source, tree)?;
        let wrong = profile.routes.iter().zip(ranges).filter(|(route, _)| !route.has_one_method());
        let wrong: Vec<Diagnostic> = wrong
            .map(|(route, range)| {
                let message =
                    format!("a route of {} has exactly one of `get`, `post` and `delete`", route.api);
                Diagnostic::new(&file.shown, &source, range, message)
            })
            .collect();
        if wrong.is_empty() { Ok((provider, Box::new(profile))) } else { Err(LoadErrors(wrong)) }
    }

    fn at(&self, range: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(&self.file.shown, &self.source, range, message)
    }
}

/// Takes the rows of the errors out of a bundled profile. The day on which its sources were read is then in the rows, because
/// it is not that of the rows of a project.
fn dated(base: &mut serde_json::Map<String, Value>) -> Node {
    let day = base.shift_remove("checked").unwrap_or_default();
    let mut rows = base.shift_remove("errors").unwrap_or_default();
    let others = base.get_mut("overrides").and_then(Value::as_object_mut).into_iter().flatten();
    let tables = std::iter::once(&mut rows).chain(others.map(|(_, rows)| rows));
    for row in tables.filter_map(Value::as_object_mut).flatten().filter_map(|(_, row)| row.as_object_mut()) {
        row.entry("checked").or_insert_with(|| day.clone());
    }
    Node::from(&rows)
}

/// Completes a row of the file by the provider's own row for the error, or for the one that it is like. The evidence is the one
/// that the file names.
fn complete(row: &mut Node, name: &str, rows: &Node) {
    let like = row.take("like");
    let like = like.as_ref().and_then(Node::text).unwrap_or(name);
    let wider = known_error(like).and_then(ErrorName::wider).map_or("", ErrorName::as_str);
    row.complete("confidence", if row.get("source").is_some() { "reported" } else { "recalled" }.into());
    row.complete("source", "".into());
    row.complete("checked", Node::from(&Value::Null));
    if let Some(base) = [name, like, wider].iter().find_map(|name| rows.get(name)) {
        row.complete_with(base.clone());
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|char: char| char.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_error_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|char: char| char.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
