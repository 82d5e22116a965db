//! Reads the deployments in a configuration that a user wrote for the proxy.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::{
    adopt_document::{AdoptDocument, AdoptedSettingsDocument, ExclusionDocument, KindDocument},
    adopted_settings::{member, strip_variables},
    error::did_you_mean,
};
use crate::{
    provider,
    scenario::{Api, Cooldown, OwnDeployment, OwnModel, OwnSettings, Provider, Setting},
};

/// A deployment that can be tested, and what decides whether another one is alike.
pub(super) struct ReadModel {
    pub(super) own: OwnModel,
    pub(super) likeness: Value,
    /// The names of parameters that read variables without a value: `api_version reads AZURE_VERSION`.
    pub(super) unset: Vec<(String, String)>,
    /// Whether it serves models of any provider, of which one is tested.
    pub(super) any_provider: bool,
}

/// What a deployment is read with.
pub(super) struct ModelReader<'a> {
    pub(super) document: &'a AdoptDocument,
    /// The APIs that callers can use, each with the providers.
    pub(super) apis: &'a IndexMap<Api, Vec<Provider>>,
    /// The whole configuration.
    pub(super) config: &'a Value,
    /// The environment variables that have a value.
    pub(super) variables: &'a [String],
    pub(super) patience: Duration,
}

impl ModelReader<'_> {
    /// Returns the name that callers use, if the deployment has one.
    pub(super) fn name<'v>(&self, entry: &'v Value) -> Option<&'v str> {
        entry.get(&self.document.models.name)?.as_str()
    }

    /// Reads a deployment.
    ///
    /// # Errors
    /// The reason why it cannot be tested.
    pub(super) fn read(&self, entry: &Value) -> Result<ReadModel, String> {
        let models = &self.document.models;
        let name = self.name(entry).ok_or_else(|| format!("it has no `{}`", models.name))?;
        let parameters = entry.get(&models.parameters).and_then(Value::as_object);
        let parameters = parameters.ok_or_else(|| format!("it has no `{}`", models.parameters))?;
        let model = parameters.get(&models.model).and_then(Value::as_str);
        let model = model.ok_or_else(|| format!("it has no `{}.{}`", models.parameters, models.model))?;
        if !self.document.variable.is_empty() && model.starts_with(&self.document.variable) {
            return Err(format!("`{model}` is an environment variable; write the name of the model"));
        }
        let untestable = self.document.untestable.iter().find(|(name, _)| parameters.contains_key(*name));
        if let Some((name, reason)) = untestable {
            return Err(format!("`{name}`: {reason}"));
        }
        let any = models.any.as_deref().filter(|any| name.contains(any));
        let (provider, rest) = self.provider(model, parameters, any)?;
        let apis = self.apis(entry, provider, rest)?;
        let mut kept = Value::Object(parameters.clone());
        let mut unset = Vec::new();
        if let Value::Object(members) = &mut kept {
            members.retain(|name, _| *name != models.model && !self.document.replaced.0.is_match(name));
        }
        strip_variables(&mut kept, &self.document.variable, self.variables, "", &mut unset);
        let mut alike = kept.clone();
        if let Value::Object(members) = &mut alike {
            members.retain(|name, _| !self.document.alike.0.is_match(name));
        }
        let settings = self.settings(parameters);
        let suffix = any.map(|any| match model.contains(any) {
            // Any name reaches this deployment, and the name has to say which provider it means.
            true if model == any => format!("/{provider}/{}", provider::model(provider)),
            _ => format!("/{}", provider::model(provider)),
        });
        let likeness =
            json!([provider, apis, self.family(rest), alike, format!("{settings:?}"), suffix.is_some(),]);
        let entry = json!({
            "name": name,
            "model": model,
            "parameters": kept,
            "members": self.other_members(entry),
            "suffix": suffix.clone().unwrap_or_default(),
        });
        let suffix = suffix.unwrap_or_default();
        let main = OwnDeployment { provider, entry };
        let own = OwnModel { name: name.to_owned(), main, fallbacks: Vec::new(), apis, suffix, settings };
        Ok(ReadModel { own, likeness, unset, any_provider: any == Some(model) })
    }

    /// Returns the provider, and the name of its model.
    fn provider<'m>(
        &self,
        model: &'m str,
        parameters: &Map<String, Value>,
        any: Option<&str>,
    ) -> Result<(Provider, &'m str), String> {
        let document = self.document;
        let named = document.models.provider.as_ref().and_then(|name| parameters.get(name)?.as_str());
        let (prefix, rest) = match (named, model.split_once('/')) {
            (Some(named), Some((prefix, rest))) if prefix == named => (named, rest),
            (Some(named), _) => (named, model),
            (None, Some((prefix, rest))) => (prefix, rest),
            (None, None) => ("", model),
        };
        if let Some(provider) = document.providers.get(prefix) {
            return Ok((*provider, rest));
        }
        if let Some(reason) = document.unknown_providers.get(prefix) {
            return Err(format!("`{prefix}`: {reason}"));
        }
        if let Some(row) = document.unprefixed.iter().find(|row| row.model.0.is_match(model)) {
            return Ok((row.provider, model));
        }
        match any {
            // Any model of any provider: the first provider is tested.
            Some(any) if model == any => {
                let first = document.providers.values().next().copied();
                first.map(|provider| (provider, model)).ok_or_else(|| "no provider is known".to_owned())
            }
            _ if prefix.is_empty() => Err(format!("upfault does not know which provider serves `{model}`")),
            _ => {
                let known = document.providers.keys().chain(document.unknown_providers.keys());
                let hint = did_you_mean(prefix, known.map(String::as_str));
                Err(format!("upfault does not simulate the provider `{prefix}`{hint}"))
            }
        }
    }

    fn apis(&self, entry: &Value, provider: Provider, model: &str) -> Result<Vec<Api>, String> {
        let mode = self.document.models.mode.as_ref().and_then(|path| member(entry, path)?.as_str());
        let fits = |kind: &&KindDocument| match (mode, &kind.mode) {
            (Some(mode), Some(own)) => mode == own,
            (Some(_), None) => false,
            (None, _) => kind.model.as_ref().is_none_or(|pattern| pattern.0.is_match(model)),
        };
        let kind = self.document.kinds.iter().find(fits);
        let served = |api: &Api| self.apis.get(api).is_some_and(|providers| providers.contains(&provider));
        let apis: Vec<Api> =
            kind.map(|kind| kind.apis.iter().copied().filter(served).collect()).unwrap_or_default();
        if apis.is_empty() {
            let what = kind.and_then(|kind| kind.mode.as_deref()).or(mode).unwrap_or("chat");
            return Err(format!("upfault has no cases for models of the kind `{what}` from {provider}"));
        }
        Ok(apis)
    }

    /// What of the name of a model matters.
    fn family(&self, model: &str) -> Option<String> {
        let found = self.document.families.iter().find_map(|pattern| pattern.0.captures(model))?;
        found.get(1).or(found.get(0)).map(|text| text.as_str().to_owned())
    }

    /// The other members of an entry, without ids, which must be unique.
    fn other_members(&self, entry: &Value) -> Value {
        let models = &self.document.models;
        let mut members = entry.as_object().cloned().unwrap_or_default();
        members.retain(|name, _| *name != models.name && *name != models.parameters);
        for value in members.values_mut() {
            if let Value::Object(inner) = value {
                inner.shift_remove("id");
            }
        }
        Value::Object(members)
    }

    /// The names of the models that the proxy uses if one fails, in order.
    pub(super) fn fallbacks(&self, name: &str) -> Vec<String> {
        let settings = &self.document.settings;
        let texts = |value: &Value| -> Vec<String> {
            let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
            names.map(str::to_owned).collect()
        };
        let lists = settings.fallbacks.iter().filter_map(|path| member(self.config, path)?.as_array());
        let own = lists.flatten().find_map(|entry| entry.get(name)).map(texts);
        let default =
            || settings.default_fallbacks.iter().find_map(|path| member(self.config, path)).map(texts);
        let mut names = own.or_else(default).unwrap_or_default();
        names.retain(|other| other != name);
        names
    }

    fn settings(&self, parameters: &Map<String, Value>) -> OwnSettings {
        let AdoptedSettingsDocument {
            timeout,
            stream_timeout,
            default_timeout,
            retries,
            default_retries,
            retries_vary,
            keep_alive,
            cooldown: lengths,
            default_cooldown,
            excludes,
            ..
        } = &self.document.settings;
        let own = (self.document.models.parameters.clone(), Value::Object(parameters.clone()));
        let own = Value::Object(Map::from_iter([own]));
        let value = |path: &String| member(&own, path).or_else(|| member(self.config, path));
        let number = |paths: &[String]| paths.iter().filter_map(value).find_map(number);
        let seconds = |n: f64| Duration::try_from_secs_f64(n).unwrap_or(Duration::MAX / 4);
        let plain = number(timeout).unwrap_or_else(|| f64::from(*default_timeout));
        let is_given = |row: &&ExclusionDocument| match &row.path {
            Some(path) => value(path).is_some_and(|now| row.value.as_ref().is_none_or(|value| value == now)),
            None => true,
        };
        let excluded: IndexMap<String, String> =
            excludes.iter().filter(is_given).map(|row| (row.needs.clone(), row.reason.clone())).collect();
        // The proxy decides after which failures of which kind it begins.
        let cooldown = number(lengths)
            .or(default_cooldown.map(f64::from))
            .filter(|_| !excluded.contains_key(Setting::Cooldown.as_str()))
            .map(|length| Cooldown { after: u32::MAX, lasting: seconds(length) });
        OwnSettings {
            timeout: seconds(plain),
            stream_timeout: seconds(number(stream_timeout).unwrap_or(plain)),
            retries: count(number(retries).unwrap_or_else(|| f64::from(*default_retries))),
            retries_vary: retries_vary.iter().any(|path| value(path).is_some_and(|value| !value.is_null())),
            keep_alive: number(keep_alive).map(seconds),
            cooldown,
            patience: self.patience,
            excluded,
        }
    }
}

/// A number, or the text of one.
fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

fn count(number: f64) -> u32 {
    // More than any case has attempts.
    format!("{:.0}", number.min(100.0)).parse().unwrap_or(100)
}
