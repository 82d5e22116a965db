//! What `upfault adopt` tests of a configuration, and what not, as text for people.

use std::fmt::Write;

use indexmap::IndexMap;

use crate::{
    proxy::{AdoptedModel, Adoption, Definition},
    report::plural,
    scenario::{Case, OwnSettings},
};

/// Describes an adoption. `with_skipped` adds why cases are skipped, which a run says too.
pub(super) fn describe(
    definition: &Definition,
    adoption: &Adoption,
    cases: &[Case],
    with_skipped: bool,
) -> String {
    let mut skipped: IndexMap<String, usize> = IndexMap::new();
    let mut text = String::new();
    let tested = adoption.models.iter().map(|model| 1 + model.alike.len()).sum::<usize>();
    let all = tested + adoption.refused.len();
    let _ = writeln!(
        text,
        "{}: {tested} of {} can be tested with {}",
        adoption.file,
        plural(all, "model"),
        definition.title()
    );
    let width = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or_default();
    let name = width(&mut adoption.models.iter().map(|model| model.own.name.chars().count()));
    let provider = width(&mut adoption.models.iter().map(|model| model.own.main.provider.as_str().len()));
    for AdoptedModel { own, alike } in &adoption.models {
        let of_it = cases.iter().filter(|case| case.own.as_deref() == Some(own));
        let (mut runs, mut not) = (0, 0);
        for case in of_it {
            match definition.fitted(case) {
                Ok(_) => runs += 1,
                Err(reason) => {
                    not += 1;
                    *skipped.entry(reason).or_default() += 1;
                }
            }
        }
        let mut about = plural(runs, "case");
        if not > 0 {
            let _ = write!(about, " ({not} skipped)");
        }
        let _ = write!(about, ", {}", settings(&own.settings));
        if !own.fallbacks.is_empty() {
            let providers: Vec<&str> = own.fallbacks.iter().map(|one| one.provider.as_str()).collect();
            let _ = write!(about, ", fallback {}", providers.join(" then "));
        }
        if !alike.is_empty() {
            let _ = write!(about, "; as well as {}", alike.join(", "));
        }
        let _ = writeln!(text, "  {:name$}  {:provider$}  {about}", own.name, own.main.provider.as_str());
    }
    section(
        &mut text,
        "Not tested",
        adoption
            .refused
            .iter()
            .map(|model| (format!("{} (line {})", model.name, model.line), model.reason.clone())),
    );
    section(&mut text, "Not used, or changed", adoption.changed.iter().cloned());
    if with_skipped {
        section(&mut text, "Skipped", skipped.iter().map(|(reason, n)| (plural(*n, "case"), reason.clone())));
    }
    text.push('\n');
    text
}

/// A heading, and the reason of each entry below it. Entries with the same reason are listed together.
fn section(text: &mut String, heading: &str, entries: impl Iterator<Item = (String, String)>) {
    let mut by_reason: IndexMap<String, Vec<String>> = IndexMap::new();
    for (entry, reason) in entries {
        by_reason.entry(reason).or_default().push(entry);
    }
    if by_reason.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{heading}:");
    for (reason, entries) in by_reason {
        let _ = writeln!(text, "  {}", entries.join(", "));
        let _ = writeln!(text, "      {reason}");
    }
}

/// The settings that decide what a case must find.
fn settings(settings: &OwnSettings) -> String {
    let shown = humantime::format_duration;
    let mut text = format!("timeout {}", shown(settings.timeout));
    if settings.stream_timeout != settings.timeout {
        let _ = write!(text, " (streams {})", shown(settings.stream_timeout));
    }
    let _ = write!(
        text,
        ", {}",
        match settings.retries {
            1 => "1 retry".to_owned(),
            n => format!("{n} retries"),
        }
    );
    if settings.retries_vary {
        text.push_str(" or another number");
    }
    if let Some(cooldown) = settings.cooldown {
        let _ = write!(text, ", cooldown {}", shown(cooldown.lasting));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;
    use crate::{proxy::AdoptOptions, report::fit};

    /// Describes an example, without numbers of cases, which change when scenarios are added.
    fn example(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/adopt").join(name);
        let litellm = Definition::find("litellm@1.102.4", Path::new("/nonexistent")).unwrap();
        let options = AdoptOptions { patience: Duration::from_secs(120), all: false };
        let (definition, adoption) = litellm.adopt(&path, name, &options).unwrap();
        fit(&describe(&definition, &adoption, &[], true), 80)
    }

    #[test]
    fn a_group_of_deployments() {
        insta::assert_snapshot!(example("groups.yaml"), @"
        groups.yaml: 4 of 4 models can be tested with litellm 1.102.4
          gpt-4o    azure   0 cases, timeout 10s, 1 retry, cooldown 30s
          gpt-4o#2  openai  0 cases, timeout 20s, 1 retry, cooldown 30s; as well as
                            gpt-4o-mini
          llama     vllm    0 cases, timeout 10s, 1 retry, cooldown 30s

        Not used, or changed:
          general_settings.master_key
              each run has a key of its own
          router_settings.redis_host, router_settings.redis_port,
          router_settings.redis_password
              it is a service outside (the variant `redis` starts one)
        ");
    }

    #[test]
    fn fallbacks_of_every_kind() {
        insta::assert_snapshot!(example("fallbacks.yaml"), @"
        fallbacks.yaml: 3 of 4 models can be tested with litellm 1.102.4
          gpt-4o             azure      0 cases, timeout 15s, 2 retries or another
                                        number, cooldown 5s, fallback anthropic
          claude             anthropic  0 cases, timeout 15s, 2 retries or another
                                        number, cooldown 5s, fallback bedrock
          claude-on-bedrock  bedrock    0 cases, timeout 15s, 2 retries or another
                                        number, cooldown 5s, fallback anthropic

        Not tested:
          gemini-long-context (line 19)
              `vertex_ai`: LiteLLM exchanges its credentials at a token endpoint first,
              which upfault does not simulate

        Not used, or changed:
          litellm_settings.context_window_fallbacks,
          litellm_settings.content_policy_fallbacks
              no case is about them
          gpt-4o: litellm_params.api_version
              it reads AZURE_API_VERSION, which has no value (`--set
              AZURE_API_VERSION=VALUE`)
        ");
    }

    #[test]
    fn wildcards() {
        insta::assert_snapshot!(example("wildcard.yaml"), @"
        wildcard.yaml: 4 of 5 models can be tested with litellm 1.102.4
          openai/*     openai     0 cases, timeout 8s, 0 retries, cooldown 5s; as well
                                  as *
          anthropic/*  anthropic  0 cases, timeout 8s, 0 retries, cooldown 5s
          groq/*       groq       0 cases, timeout 8s, 0 retries, cooldown 5s

        Not tested:
          vertex_ai/* (line 15)
              `vertex_ai`: LiteLLM exchanges its credentials at a token endpoint first,
              which upfault does not simulate

        Not used, or changed:
          *
              it serves any provider, and openai is tested
        ");
    }

    #[test]
    fn guardrails() {
        insta::assert_snapshot!(example("guardrails.yaml"), @"
        guardrails.yaml: 1 of 2 models can be tested with litellm 1.102.4
          claude  anthropic  0 cases, timeout 10s (streams 5s), 0 retries, cooldown 5s

        Not tested:
          fake (line 9)
              `mock_response`: LiteLLM answers itself and calls no provider

        Not used, or changed:
          general_settings.master_key
              each run has a key of its own
          general_settings.database_url
              no database is started
          guardrails: presidio, guardrails: lakera_v2
              it asks a service outside
        ");
    }

    #[test]
    fn a_cache_and_callbacks() {
        insta::assert_snapshot!(example("caching.yaml"), @"
        caching.yaml: 3 of 3 models can be tested with litellm 1.102.4
          gpt-4o         openai   0 cases, timeout 10m, 2 retries, cooldown 5s
          mistral-small  mistral  0 cases, timeout 12s, 2 retries, cooldown 5s
          embeddings     openai   0 cases, timeout 1h 40m, 2 retries, cooldown 5s

        Not used, or changed:
          general_settings.master_key
              each run has a key of its own
          general_settings.database_url
              no database is started
          general_settings.alerting
              alerts go to a service outside
          litellm_settings.cache_params.host, litellm_settings.cache_params.port,
          litellm_settings.cache_params.password
              it is a service outside
          environment_variables
              it names keys and services outside (`--set NAME=VALUE` sets one)
          litellm_settings.callbacks: prometheus, litellm_settings.success_callback:
          langfuse, litellm_settings.failure_callback: sentry
              it sends data to a service outside, or needs an additional package
          litellm_settings.cache_params.type
              the cache is in the memory of the proxy, because a service outside is not
              used
        ");
    }

    #[test]
    fn the_cases_of_an_example_run_with_the_settings_of_its_user_or_are_skipped_with_a_reason() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/adopt/caching.yaml");
        let litellm = Definition::find("litellm@1.102.4", Path::new("/nonexistent")).unwrap();
        let options = AdoptOptions { patience: Duration::from_secs(120), all: false };
        let (definition, adoption) = litellm.adopt(&path, "caching.yaml", &options).unwrap();
        let cases = adoption.cases(&crate::scenario::Library::bundled());
        let of = |id: &str| {
            let case = cases.iter().find(|case| case.id == id).unwrap_or_else(|| panic!("no {id}"));
            definition.fitted(case).map(|case| case.scenario.proxy.timeout.as_secs())
        };
        assert_eq!(of("smoke/rate-limit[mistral]@mistral-small"), Ok(12));
        insta::assert_snapshot!(of("timeouts/no-answer@gpt-4o").unwrap_err(), @"it waits for your timeout: 30m 3s with 10m and 2 retries (`--patience 30m3s` runs it)");
        assert!(cases.iter().all(|case| case.own.is_some()));
    }
}
