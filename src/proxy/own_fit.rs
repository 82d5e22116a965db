//! The settings of the proxy in a case that runs with a model of a user's own configuration.

use std::time::Duration;

use crate::scenario::{Case, OwnModel, OwnSettings, ProxySettings, Scenario, Setting, Transport};

/// Returns the settings that the proxy has in this case: those of the user. A finding must never be about a choice of the
/// user, so a case that needs another setting does not run.
///
/// # Errors
/// The reason why the case cannot run with the user's settings.
pub(super) fn settings(own: &OwnModel, case: &Case) -> Result<ProxySettings, String> {
    let scenario = &*case.scenario;
    let chosen = &own.settings;
    excluded(chosen, scenario)?;
    let timeout = if case.combination.stream { chosen.stream_timeout } else { chosen.timeout };
    let retries = chosen.retries;
    if let Some(by) = scenario.speedup {
        return Err(format!("it divides all times by {by} (`speedup`), which cannot include your timeout"));
    }
    if !scenario.has_same_silences_with(Some(timeout)) {
        return Err(format!("it needs a shorter or longer timeout than yours ({})", shown(timeout)));
    }
    let total = (timeout + Duration::from_secs(1)).saturating_mul(retries + 1);
    if scenario.outlasts(timeout) && total > chosen.patience {
        let retries = if retries == 0 { String::new() } else { format!(" and {retries} retries") };
        return Err(format!(
            "it waits for your timeout: {total} with {timeout}{retries} (`--patience {option}` runs it)",
            option = shown(total).replace(' ', ""),
            total = shown(total),
            timeout = shown(timeout),
        ));
    }
    let chain = scenario.proxy.fallback.len().saturating_sub(1);
    if chain > own.fallbacks.len() {
        return Err(match own.fallbacks.len() {
            0 => "your configuration has no fallback for this model that can be tested".to_owned(),
            n => format!("it needs {chain} fallbacks, and this model has {n}"),
        });
    }
    let recovers = scenario.deployments.values().any(|turns| turns.len() > 1);
    let wants = scenario.proxy.retries;
    if (wants != 0 || recovers) && (wants != retries || chosen.retries_vary) {
        return Err(format!("it needs other retries than yours ({retries})"));
    }
    if scenario.proxy.cooldown.is_some() && scenario.proxy.cooldown != chosen.cooldown {
        return Err("it needs a cooldown that your settings do not have".to_owned());
    }
    if scenario.proxy.keep_alive.is_some() && scenario.proxy.keep_alive != chosen.keep_alive {
        return Err("it needs keep-alive pings that your settings do not have".to_owned());
    }
    Ok(ProxySettings {
        timeout,
        retries,
        cooldown: chosen.cooldown,
        keep_alive: chosen.keep_alive.filter(|_| case.combination.stream),
        ..scenario.proxy.clone()
    })
}

/// Whether the user's settings exclude a feature of the scenario.
fn excluded(chosen: &OwnSettings, scenario: &Scenario) -> Result<(), String> {
    let transport = (scenario.transport != Transport::Plain).then_some(Setting::Tls);
    let settings = scenario.proxy.chosen().map(|(setting, _)| setting).chain(transport);
    let mistakes = scenario.steps.iter().filter_map(|step| step.mistake);
    let needed = settings.map(|setting| setting.as_str()).chain(mistakes.map(|mistake| mistake.as_str()));
    let mut reasons = needed.filter_map(|name| chosen.excluded.get(name));
    reasons.next().map_or(Ok(()), |reason| Err(reason.clone()))
}

fn shown(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
