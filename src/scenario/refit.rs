//! A case for a proxy with other settings than those of its scenario.

use std::sync::Arc;

use super::{
    expect::Expect,
    model::{Case, Scenario},
    proxy_settings::ProxySettings,
};

impl Case {
    /// Returns the case for a proxy with these settings, with the expectations of the scenario that apply to it.
    pub(crate) fn with_proxy(&self, proxy: ProxySettings) -> Self {
        if proxy == self.scenario.proxy {
            return self.clone();
        }
        let expect = self.expectations(&proxy);
        let scenario = Scenario { proxy, expect, ..Scenario::clone(&self.scenario) };
        Self { scenario: Arc::new(scenario), ..self.clone() }
    }

    fn expectations(&self, proxy: &ProxySettings) -> Expect {
        let expect = self.expectations_of_route(proxy);
        if self.own.is_none() {
            return expect;
        }
        // A user's own timeout and retries decide how long the call takes, and how often the proxy asks.
        let is_slower =
            proxy.timeout > self.scenario.proxy.timeout || proxy.retries > self.scenario.proxy.retries;
        let within = expect.within.filter(|_| !is_slower);
        let first_byte_within = expect.first_byte_within.filter(|_| !is_slower);
        let attempts = expect.attempts.filter(|_| proxy.retries == self.scenario.proxy.retries);
        // A user's own model and keys decide what a request contains.
        Expect { within, first_byte_within, attempts, requests: Vec::new(), ..expect }
    }

    fn expectations_of_route(&self, proxy: &ProxySettings) -> Expect {
        let scenario = &self.scenario;
        let Expect { attempts, requests, within, ending, finish, error, .. } = scenario.expect.clone();
        if proxy.pass_through != scenario.proxy.pass_through {
            // The response has to be that of the provider, which rules on pass-through routes check.
            Expect { attempts, requests, within, ..Expect::default() }
        } else if self.combination.stream && proxy.keep_alive != scenario.proxy.keep_alive {
            // The proxy may have sent the status and the headers before the provider did.
            Expect { attempts, requests, within, ending, finish, error, ..Expect::default() }
        } else {
            scenario.expect.clone()
        }
    }
}
