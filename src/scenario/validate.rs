//! Checks of a whole file that the types cannot express; each error has a position.

use std::{collections::HashSet, hash::Hash, sync::Arc};

use indexmap::IndexMap;

use super::{
    account::account,
    check::{FileChecker, known_deployment},
    conduct::{conduct, pings},
    diagnostic::Diagnostic,
    expectations::expectations,
    file::{DeploymentsFile, MatrixFile, ScenarioFile, TurnFile},
    known::known,
    located::Located,
    model::{Combination, Scenario, Step, Turn},
    proxy_settings::ProxySettings,
    session,
    speedup::speedup,
    step::{addressed, leaves, mistakes, pauses},
    transport::transport,
    turn::turns,
    words::Api,
};

/// Validates a file and returns its scenario.
///
/// # Errors
///
/// All errors of the file, in the order in which they are found.
pub(super) fn validate(
    id: &str,
    name: &str,
    source: &Arc<str>,
    mut file: ScenarioFile,
) -> Result<Scenario, Vec<Diagnostic>> {
    let mut check = FileChecker::new(name, source);
    for (text, key) in [(&file.title, "title"), (&file.why, "why")] {
        if text.value.trim().is_empty() {
            check.error(&text.range, format!("`{key}` is empty")).help =
                Some(format!("people who see this scenario in a failure report read its {key} first"));
        }
    }
    let speedup = speedup(&mut check, &mut file);
    let matrix = matrix(&mut check, &file.matrix);
    let deployments = deployments(&mut check, &file, &matrix);
    let transport =
        transport(&mut check, file.transport.as_ref(), file.upstream.as_ref(), file.deployments.as_ref());
    session::over_http1(&mut check, file.transport.as_ref(), &matrix);
    let account = file.account.as_ref().map(|at| account(&mut check, at));
    settings(&mut check, &file.proxy, &deployments);
    pings(&mut check, &file.proxy, &matrix);
    expectations(&mut check, &file.expect, &deployments, &matrix);
    let steps = match file.steps {
        None => vec![Step::default()],
        Some(steps) => {
            if steps.value.is_empty() {
                check.error(&steps.range, "`steps` is empty").help =
                    Some("leave `steps` out for one plain request, or write `steps: [{}]`".to_owned());
            }
            bodies(&mut check, &steps.value, &matrix);
            leaves(&mut check, &steps.value, &matrix);
            mistakes(&mut check, &steps.value, &matrix);
            pauses(&mut check, &steps.value);
            session::stays(&mut check, &steps, &matrix);
            addressed(&mut check, &steps.value, &deployments, &file.proxy.value.fallback, &matrix);
            steps.value.into_iter().map(|step| step.value).collect()
        }
    };
    let known = known(&mut check, file.known);
    if !check.errors.is_empty() {
        return Err(check.errors);
    }
    Ok(Scenario {
        id: id.to_owned(),
        file: name.to_owned(),
        line: source.get(..file.title.range.start).map_or(1, |before| 1 + before.matches('\n').count()),
        title: file.title.value.trim().to_owned(),
        why: file.why.value.trim().to_owned(),
        level: file.level,
        tags: file.tags.into_iter().map(|tag| tag.value).collect(),
        references: file.references,
        matrix,
        deployments: Arc::new(deployments),
        transport,
        account,
        speedup,
        proxy: file.proxy.value,
        steps,
        expect: file.expect.value,
        except: file.except,
        recorded: file.recorded,
        known,
    })
}

fn matrix(check: &mut FileChecker<'_>, matrix: &MatrixFile) -> Vec<Combination> {
    let apis = axis(check, matrix.api.as_ref()).unwrap_or_else(|| vec![Api::OpenaiChat]);
    let providers = axis(check, matrix.provider.as_ref());
    let streams = axis(check, matrix.stream.as_ref()).unwrap_or_else(|| vec![false]);
    let mut combinations = Vec::new();
    for &api in &apis {
        for provider in providers.clone().unwrap_or_else(|| vec![api.native_provider()]) {
            for &stream in &streams {
                if stream && !api.streams() {
                    let range = matrix.stream.as_ref().map_or(0..0, |at| at.range.clone());
                    check.error(&range, format!("{api} has no stream")).help =
                        Some("leave `stream` out, or put this API into a separate file".to_owned());
                    return combinations;
                }
                combinations.push(Combination { api, provider, stream });
            }
        }
    }
    combinations
}

/// Checks that the request of each case can carry the step's body.
fn bodies(check: &mut FileChecker<'_>, steps: &[Located<Step>], matrix: &[Combination]) {
    let first = |wanted: fn(Api) -> bool| matrix.iter().map(|one| one.api).find(|api| wanted(*api));
    let members = || steps.iter().flat_map(|step| step.value.body.iter().map(|member| (&step.range, member)));
    if let (Some(api), Some((step, (name, _)))) = (first(|api| api.method() == "GET"), members().next()) {
        check.error(&check.word(step, name), format!("a request of {api} has no body")).help =
            Some("leave `body` out, or put this API into a separate file".to_owned());
    }
    if let Some(api) = first(Api::is_form) {
        for (step, (name, _)) in members().filter(|(_, (_, value))| value.is_object() || value.is_array()) {
            let place = check.word(step, name);
            check.error(&place, format!("`{name}` cannot be a field of {api}'s form")).help =
                Some("a field is a text, a number or a boolean; `null` removes a field".to_owned());
        }
    }
}

fn axis<T: Copy + Eq + Hash + std::fmt::Debug>(
    check: &mut FileChecker<'_>,
    values: Option<&Located<Vec<T>>>,
) -> Option<Vec<T>> {
    let values = values?;
    if values.value.is_empty() {
        check.error(&values.range, "an empty list in the matrix leaves no case to run").help =
            Some("leave it out to use its default".to_owned());
    }
    let mut seen = HashSet::new();
    if !values.value.iter().all(|value| seen.insert(*value)) {
        check.error(&values.range, "a value is listed twice in this list of the matrix").help =
            Some("each value makes one case; keep one of them".to_owned());
    }
    Some(values.value.clone())
}

fn deployments(
    check: &mut FileChecker<'_>,
    file: &ScenarioFile,
    matrix: &[Combination],
) -> IndexMap<String, Vec<Turn>> {
    match (&file.upstream, &file.deployments) {
        (Some(upstream), Some(deployments)) => {
            check.error(&deployments.range, "`upstream` and `deployments` exclude each other");
            if let Some(last) = check.errors.last_mut() {
                last.labels
                    .push(super::Label { range: upstream.range.clone(), text: "`upstream` is here".into() });
                last.help = Some("`upstream` is a shorthand for one deployment named `primary`".to_owned());
            }
            IndexMap::new()
        }
        (None, None) => {
            check.error(&(0..1), "a scenario needs `upstream` or `deployments`").help = Some(
                "describe what the provider does, for example `upstream: [{error: rate_limit}]`".to_owned(),
            );
            IndexMap::new()
        }
        (upstream, deployments) => named(check, upstream.as_ref(), deployments.as_ref(), matrix),
    }
}

/// Returns the deployments by name; the deployment of `upstream` is named `primary`.
pub(super) fn named(
    check: &mut FileChecker<'_>,
    upstream: Option<&Located<Vec<Located<TurnFile>>>>,
    deployments: Option<&DeploymentsFile>,
    matrix: &[Combination],
) -> IndexMap<String, Vec<Turn>> {
    let mut result = IndexMap::new();
    if let Some(upstream) = upstream {
        result.insert("primary".to_owned(), turns(check, upstream, matrix));
    }
    if let Some(deployments) = deployments {
        if deployments.value.is_empty() {
            check.error(&deployments.range, "`deployments` is empty");
        }
        for (name, list) in &deployments.value {
            let text = &name.value;
            if text.is_empty() || !text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9')) {
                check.error(&name.range, format!("`{text}` is not a valid deployment name")).help = Some(
                    "use lower-case letters and digits: the name becomes a part of URLs and keys".to_owned(),
                );
            }
            result.insert(text.clone(), turns(check, list, matrix));
        }
    }
    result
}

fn settings(
    check: &mut FileChecker<'_>,
    settings: &Located<ProxySettings>,
    deployments: &IndexMap<String, Vec<Turn>>,
) {
    let range = &settings.range;
    let value = &settings.value;
    let key = |check: &FileChecker<'_>, key: &str| check.word(range, key);
    conduct(check, range, value);
    let mut seen = HashSet::new();
    for name in &value.fallback {
        known_deployment(check, range, name, deployments);
        if !seen.insert(name) {
            check.error(&key(check, "fallback"), format!("`{name}` is listed twice in `fallback`"));
        }
    }
    let mut members = HashSet::new();
    for name in &value.group {
        known_deployment(check, range, name, deployments);
        if !members.insert(name) {
            check.error(&key(check, "group"), format!("`{name}` is listed twice in `group`"));
        }
    }
    if let (Some(first), Some((addressed, _))) = (value.group.first(), deployments.first()) {
        let problem = if first != addressed {
            Some((format!("`group` must begin with `{addressed}`"), "callers address the first deployment"))
        } else if value.group.len() < 2 {
            Some((
                "a `group` of one deployment is not a group".to_owned(),
                "name at least one more deployment",
            ))
        } else if !value.fallback.is_empty() {
            Some((
                "`group` and `fallback` exclude each other".to_owned(),
                "put the two into separate scenarios",
            ))
        } else {
            None
        };
        if let Some((message, help)) = problem {
            check.error(&key(check, "group"), message).help = Some(help.to_owned());
        }
    }
    if let (Some(first), Some((addressed, _))) = (value.fallback.first(), deployments.first()) {
        if first != addressed {
            check.error(&key(check, "fallback"), format!("`fallback` must begin with `{addressed}`")).help =
                Some(
                    "callers address the first deployment; the fallback chain continues from there"
                        .to_owned(),
                );
        } else if value.fallback.len() < 2 {
            check
                .error(
                    &key(check, "fallback"),
                    "a `fallback` chain of one deployment has nothing to fall back to",
                )
                .help = Some("name at least one more deployment, or leave `fallback` out".to_owned());
        }
    }
}
