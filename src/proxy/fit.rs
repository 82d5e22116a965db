//! A case as a proxy can run it: with the settings that the proxy really has.

use serde_json::Value;

use super::{
    definition::Definition,
    document::{UnservedFeature, UpstreamChoice},
    fixed::FixedSettings,
    own_fit,
};
use crate::{
    observation::OwnRetries,
    scenario::{
        Case, Combination, ConnectionFault, Fault, OwnModel, Provider, ProxySettings, Scenario, Setting,
        Transport,
    },
};

impl Definition {
    /// Returns the case with the settings that the proxy has when it runs it: those of the scenario, those that the
    /// definition declares as fixed, and a pass-through route if the proxy has no other one.
    ///
    /// # Errors
    /// The reason why the proxy cannot run the case.
    pub fn fitted(&self, case: &Case) -> Result<Case, String> {
        let scenario = &case.scenario;
        if let Some(reason) = self.lacks_feature(scenario) {
            return Err(reason);
        }
        let mut proxy = match &case.own {
            Some(own) => {
                let settings = own_fit::settings(own, case)?;
                self.serves_fallbacks(own, case)?;
                settings
            }
            None => self.own_settings(scenario)?,
        };
        proxy.pass_through |= self.only_passes_through(&case.combination);
        match self.lacks(&case.combination, &proxy, scenario.transport, &scenario.steps) {
            Some(reason) => Err(reason),
            None => Ok(case.with_proxy(proxy)),
        }
    }

    /// Checks that the proxy serves the API of a case from the fallbacks of a user's own model.
    fn serves_fallbacks(&self, own: &OwnModel, case: &Case) -> Result<(), String> {
        let (api, settings) = (case.combination.api, &case.scenario.proxy);
        let providers = settings.fallback.iter().map(|name| own.deployment(settings, name).provider);
        let served =
            |provider: &Provider| self.apis.get(&api).is_some_and(|all| all.contains(&provider.known()));
        match providers.into_iter().find(|provider| !served(provider)) {
            Some(provider) => Err(format!("{} does not serve {api} from {provider}", self.name)),
            None => Ok(()),
        }
    }

    /// Returns why the proxy cannot use the upstreams of a scenario, or serve its requests.
    fn lacks_feature(&self, scenario: &Scenario) -> Option<String> {
        if self.document.upstream == UpstreamChoice::Shared && scenario.needs_own_address() {
            return Some(format!(
                "{} has one upstream for all routes, and the provider of this case needs an address of its own",
                self.name
            ));
        }
        let because = |feature| self.document.lacks.get(&feature);
        let unresolvable = Fault::Connection(ConnectionFault::UnresolvableName);
        let is_unresolvable =
            scenario.deployments.values().flatten().any(|turn| turn.faults.contains(&unresolvable));
        if let Some(reason) = because(UnservedFeature::UnresolvableName).filter(|_| is_unresolvable) {
            return Some(format!(
                "{} cannot have a provider whose name does not resolve: {reason}",
                self.name
            ));
        }
        let is_for_several =
            scenario.steps.iter().any(|step| step.body.get("n").and_then(Value::as_u64) > Some(1));
        if let Some(reason) = because(UnservedFeature::SeveralChoices).filter(|_| is_for_several) {
            return Some(format!("{} cannot be asked for several choices: {reason}", self.name));
        }
        let reason =
            because(UnservedFeature::IpCertificate).filter(|_| scenario.transport != Transport::Plain)?;
        Some(format!("{} cannot check a certificate for an IP address: {reason}", self.name))
    }

    /// Returns how often the proxy retries, if a scenario cannot set it.
    pub fn own_retries(&self) -> Option<OwnRetries> {
        let is_set = self.settings.contains_key(&Setting::Retries);
        (!is_set).then(|| self.fixed.retries.map_or(OwnRetries::Unknown, OwnRetries::Declared))
    }

    /// Whether pass-through routes are the only ones of the proxy for this combination.
    fn only_passes_through(&self, combination: &Combination) -> bool {
        let Combination { api, provider, .. } = combination;
        let is_in = |providers: &Vec<Provider>| providers.contains(&provider.known());
        let mut passed = self.passed_through();
        !self.apis.get(api).is_some_and(is_in)
            && (self.apis.is_empty() || passed.any(|(passed, providers)| passed == api && is_in(providers)))
    }

    /// Returns the settings of the proxy in a scenario.
    fn own_settings(&self, scenario: &Scenario) -> Result<ProxySettings, String> {
        let FixedSettings { timeout, retries, keep_alive } = self.fixed;
        let mut settings = scenario.proxy.clone();
        if let Some(reason) = self.document.lacks.get(&UnservedFeature::AttemptTimeout)
            && settings.retries > 0
            && !scenario.has_same_silences_with(None)
        {
            return Err(format!("{} cannot retry after a timeout: {reason}", self.name));
        }
        let cannot = |words: &str, fixed: String| {
            Err(format!("{} cannot be configured with {words}: it is fixed at {fixed}", self.name))
        };
        if !self.settings.contains_key(&Setting::Timeout) {
            if let Some(by) = scenario.speedup {
                return Err(format!(
                    "{} cannot be configured with a timeout, so its own would not be divided by {by} (`speedup`)",
                    self.name
                ));
            }
            if scenario.has_same_silences_with(timeout) {
                settings.timeout = timeout.unwrap_or(ProxySettings::default().timeout);
            } else if let Some(timeout) = timeout {
                let wanted = humantime::format_duration(settings.timeout);
                return cannot(
                    &format!("a timeout of {wanted}"),
                    humantime::format_duration(timeout).to_string(),
                );
            }
        }
        if let Some(fixed) = retries {
            if settings.retries != 0 && settings.retries != fixed {
                return cannot(&format!("retries ({})", settings.retries), fixed.to_string());
            }
            settings.retries = fixed;
        }
        if let Some(fixed) = keep_alive {
            if settings.keep_alive.is_some_and(|wanted| wanted != fixed) {
                return cannot(
                    "keep-alive pings of another interval",
                    humantime::format_duration(fixed).to_string(),
                );
            }
            settings.keep_alive = Some(fixed);
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, sync::Arc, time::Duration};

    use super::*;
    use crate::scenario::{expand, load_text};

    /// Returns the definition of a proxy for chat that ends with `rest`.
    fn definition(rest: &str) -> Definition {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("name: fake\nlaunch: {{command: [x]}}\nready: {{get: /}}\n{rest}");
        fs::create_dir(folder.path().join("fake")).unwrap();
        fs::write(folder.path().join("fake/proxy.yaml"), text).unwrap();
        Definition::find("./fake", Path::new(folder.path())).unwrap()
    }

    fn chat(settings: &str) -> Definition {
        definition(&format!("apis: {{openai/chat: [openai]}}\nsettings: {{{settings}}}"))
    }

    fn case(rest: &str) -> Case {
        let text = format!("title: t\nwhy: w\n{rest}");
        let scenario =
            load_text("x", "x.yaml", &text).unwrap_or_else(|error| panic!("{}", error.render(false)));
        expand(&Arc::new(scenario)).remove(0)
    }

    const RATE_LIMIT: &str = "upstream: [{error: rate_limit}]\nproxy: {timeout: 5s}";
    const SILENT: &str = "upstream: [{faults: [hang: {at: before_headers}]}]\nproxy: {timeout: 1s}";

    #[test]
    fn a_case_that_only_names_a_timeout_runs_on_a_proxy_without_one() {
        let fitted = chat("").fitted(&case(RATE_LIMIT)).unwrap();
        assert_eq!(fitted.scenario.proxy.timeout, ProxySettings::default().timeout);
        insta::assert_snapshot!(
            chat("").fitted(&case(SILENT)).unwrap_err(),
            @"fake cannot be configured with a timeout"
        );
    }

    #[test]
    fn a_caller_that_leaves_a_silent_provider_needs_no_timeout() {
        let left = "upstream: [{faults: [hang: {at: before_headers}]}]\nproxy: {timeout: 9s}\n\
                    steps: [{leave: {at: before_headers}}]\n";
        assert!(chat("").fitted(&case(left)).is_ok());
    }

    #[test]
    fn a_fixed_timeout_replaces_that_of_a_case_if_the_same_silences_exceed_it() {
        let fixed = |timeout: &str, text: &str| {
            let fitted = chat(&format!("timeout: {{fixed: {timeout}}}")).fitted(&case(text));
            fitted.map(|case| case.scenario.proxy.timeout.as_secs())
        };
        assert_eq!(fixed("30s", RATE_LIMIT), Ok(30));
        // Endless silence exceeds every timeout.
        assert_eq!(fixed("30s", SILENT), Ok(30));
        let late =
            "upstream: [{reply: ok, faults: [stall: {at: before_headers, for: 3s}]}]\nproxy: {timeout: 1s}";
        assert_eq!(fixed("2s", late), Ok(2));
        insta::assert_snapshot!(
            fixed("30s", late).unwrap_err(),
            @"fake cannot be configured with a timeout of 1s: it is fixed at 30s"
        );
        let pause =
            "upstream: [{reply: ok, faults: [delay: {at: before_headers, for: 2s}]}]\nproxy: {timeout: 6s}";
        assert_eq!(fixed("30s", pause), Ok(30));
        insta::assert_snapshot!(
            fixed("1s", pause).unwrap_err(),
            @"fake cannot be configured with a timeout of 6s: it is fixed at 1s"
        );
    }

    #[test]
    fn a_timeout_for_a_call_with_all_its_retries_cannot_be_followed_by_one() {
        let whole = definition(
            "apis: {openai/chat: [openai]}\nsettings: {timeout: route, retries: route}\n\
             lacks: {attempt_timeout: its timeout limits a call with all its retries}",
        );
        insta::assert_snapshot!(
            whole.fitted(&case(&SILENT.replace("1s}", "1s, retries: 1}"))).unwrap_err(),
            @"fake cannot retry after a timeout: its timeout limits a call with all its retries"
        );
        assert!(whole.fitted(&case(SILENT)).is_ok());
        assert!(whole.fitted(&case(&RATE_LIMIT.replace("5s}", "5s, retries: 1}"))).is_ok());
    }

    #[test]
    fn fixed_retries_serve_the_cases_that_want_them_or_none() {
        let fixed = chat("timeout: route, retries: {fixed: 2}");
        assert_eq!(fixed.own_retries(), Some(OwnRetries::Declared(2)));
        assert_eq!(chat("").own_retries(), Some(OwnRetries::Unknown));
        assert_eq!(chat("retries: route").own_retries(), None, "a scenario sets them");
        let retries = |n: u32| {
            let text = format!("upstream: [{{error: internal}}]\nproxy: {{timeout: 4s, retries: {n}}}");
            fixed.fitted(&case(&text)).map(|case| case.scenario.proxy.retries)
        };
        assert_eq!((retries(0), retries(2)), (Ok(2), Ok(2)));
        insta::assert_snapshot!(
            retries(1).unwrap_err(),
            @"fake cannot be configured with retries (1): it is fixed at 2"
        );
    }

    #[test]
    fn a_proxy_that_answers_200_before_it_asks_owes_no_status_and_no_header_to_a_stream() {
        let early = chat("keep_alive: {fixed: 0s}");
        let text = "matrix: {stream: [STREAM]}\nupstream: [{error: rate_limit}]\n\
                    expect: {status: 429, ending: failure, headers: {retry-after: '7'}}";
        let fitted = |stream| early.fitted(&case(&text.replace("STREAM", stream))).unwrap();
        let stream = fitted("true");
        assert_eq!(stream.scenario.proxy.keep_alive, Some(Duration::ZERO));
        assert!(stream.scenario.expect.status.is_none() && stream.scenario.expect.headers.is_empty());
        assert!(stream.scenario.expect.ending.is_some());
        assert!(fitted("false").scenario.expect.status.is_some());
    }

    #[test]
    fn upstreams_and_requests_that_a_proxy_cannot_serve_are_declared() {
        let limited = definition(
            "apis: {openai/chat: [openai]}\nsettings: {timeout: route, tls: instance}\n\
             lacks: {unresolvable_name: it resolves names when it starts, ip_certificate: it compares only names, \
             several_choices: it asks for one}",
        );
        let reason = |text: &str| limited.fitted(&case(text)).unwrap_err();
        insta::assert_snapshot!(
            reason("upstream: [{faults: [connection: unresolvable_name]}]"),
            @"fake cannot have a provider whose name does not resolve: it resolves names when it starts"
        );
        insta::assert_snapshot!(
            reason("transport: tls\nupstream: [{reply: ok}]"),
            @"fake cannot check a certificate for an IP address: it compares only names"
        );
        insta::assert_snapshot!(
            reason("upstream: [{reply: ok}]\nsteps: [{body: {n: 2}}]"),
            @"fake cannot be asked for several choices: it asks for one"
        );
        assert!(limited.fitted(&case("upstream: [{reply: ok}]\nsteps: [{body: {n: 1}}]")).is_ok());
        let names: Vec<String> = limited.unserved().map(|(name, _)| name).collect();
        assert_eq!(names, ["unresolvable_name", "ip_certificate", "several_choices"]);
    }

    #[test]
    fn a_shared_upstream_cannot_have_the_faults_of_an_address() {
        let shared =
            definition("upstream: shared\napis: {openai/chat: [openai]}\nsettings: {timeout: instance}");
        assert!(shared.fitted(&case(RATE_LIMIT)).is_ok());
        assert!(chat("").fitted(&case("upstream: [{faults: [refuse]}]")).is_ok());
        insta::assert_snapshot!(
            shared.fitted(&case("upstream: [{faults: [refuse]}]")).unwrap_err(),
            @"fake has one upstream for all routes, and the provider of this case needs an address of its own"
        );
        let large = case("upstream: [{reply: {large_text: 1000000}}]");
        assert!(shared.fitted(&large).is_err());
    }

    #[test]
    fn a_proxy_that_only_passes_through_runs_every_case_of_the_providers_own_api() {
        let passing = definition(
            "lacks: {anthropic: it translates nothing}\n\
                 pass_through: {path: '/{{ route.model }}{{ path }}', apis: {openai/chat: [openai]}}",
        );
        let own = case("upstream: [{error: rate_limit}]\nexpect: {status: 429, attempts: 1}");
        let fitted = passing.fitted(&own).unwrap();
        assert!(fitted.scenario.proxy.pass_through);
        assert!(fitted.scenario.expect.status.is_none() && fitted.scenario.expect.attempts.is_some());
        let both = definition(
            "apis: {openai/chat: [openai]}\n\
             pass_through: {path: '/{{ route.model }}{{ path }}', apis: {openai/chat: [openai]}}",
        );
        assert!(!both.fitted(&own).unwrap().scenario.proxy.pass_through, "it has another route");
        let unknown = case("upstream: [{reply: ok}]\nsteps: [{mistake: unknown_model}]");
        insta::assert_snapshot!(
            passing.fitted(&unknown).unwrap_err(),
            @"fake cannot notice that a caller names a model that the proxy does not know: it passes requests through"
        );
        let key = case("upstream: [{reply: ok}]\nsteps: [{mistake: wrong_key}]");
        insta::assert_snapshot!(
            passing.fitted(&key).unwrap_err(),
            @"fake cannot notice that a caller sends a wrong key: it has no keys for callers"
        );
        let translated = case("matrix: {provider: [anthropic]}\nupstream: [{reply: ok}]");
        insta::assert_snapshot!(
            passing.fitted(&translated).unwrap_err(),
            @"fake does not pass openai/chat through to anthropic: it translates nothing"
        );
    }
}
