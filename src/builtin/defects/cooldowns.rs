//! Defects in cooldowns.

use std::{mem::take, time::Duration};

use super::route_memory::RouteMemory;
use crate::{
    builtin::{
        extension::Extension,
        failure::{CallFailure, Cause},
        upstream_request::CallerRequest,
    },
    proxy::ProxyRoute,
};

/// Decides which failures count towards a cooldown.
#[derive(Debug)]
pub(super) struct CountedFailures(pub fn(&CallFailure, bool) -> bool);

impl Extension for CountedFailures {
    fn counts(&self, failure: &CallFailure, may_pass: bool) -> bool {
        (self.0)(failure, may_pass)
    }
}

/// Does not say how long a cooldown lasts.
#[derive(Debug)]
pub(super) struct CooldownTimeHidden;

impl Extension for CooldownTimeHidden {
    fn in_cooldown(&self, refusal: &mut CallFailure, _: &CallFailure) {
        refusal.headers.clear();
    }
}

/// Never uses a route again that was once in cooldown.
#[derive(Debug)]
pub(super) struct CooldownEndless;

impl Extension for CooldownEndless {
    fn ends_cooldown(&self) -> bool {
        false
    }
}

/// Puts a route into cooldown only for the time that the latest failure asks for.
#[derive(Debug)]
pub(super) struct CooldownAsAsked;

impl Extension for CooldownAsAsked {
    fn cooldown(&self, _: Duration, failure: &CallFailure) -> Duration {
        let asked = failure.header("retry-after").and_then(|text| text.parse().ok());
        Duration::from_secs(asked.unwrap_or_default())
    }
}

/// Counts a rejected key, and reports it as a rate limit.
#[derive(Debug)]
pub(super) struct RejectedKeyCounted;

fn is_rejected_key(failure: &CallFailure) -> bool {
    matches!(failure.cause, Cause::Status(401 | 403))
}

impl Extension for RejectedKeyCounted {
    fn counts(&self, failure: &CallFailure, may_pass: bool) -> bool {
        may_pass || is_rejected_key(failure)
    }

    fn in_cooldown(&self, refusal: &mut CallFailure, cause: &CallFailure) {
        if is_rejected_key(cause) {
            let (code, text) = (Some("rate_limit_exceeded"), "Too many requests. Please try again later.");
            let limit = CallFailure::own(Cause::CoolingDown, 429, "requests", code, text);
            *refusal = CallFailure { headers: take(&mut refusal.headers), ..limit };
        }
    }
}

/// Fails the next request on a route after a failure.
#[derive(Debug, Default)]
pub(super) struct NextRequestFailed(RouteMemory<bool>);

impl Extension for NextRequestFailed {
    fn attempt_failed(&self, route: &ProxyRoute, _: &CallFailure, _: &CallerRequest) {
        self.0.with(route, |poisoned| *poisoned = true);
    }

    fn attempt_instead(&self, route: &ProxyRoute) -> Option<CallFailure> {
        let text = "This route is out of order.";
        let failure = || CallFailure::own(Cause::CoolingDown, 500, "api_error", None, text);
        self.0.with(route, take).then(failure)
    }
}
