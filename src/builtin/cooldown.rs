//! Cooldowns: rejects requests to a failing route for some time. Pure except for a lock: callers pass the
//! time in.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    extension::Extension,
    failure::{CallFailure, Cause},
    retry,
};
use crate::scenario::Cooldown;

/// The failures and the cooldown of each route.
#[derive(Debug)]
pub(super) struct CooldownMemory {
    cooldown: Option<Cooldown>,
    extension: Arc<dyn Extension>,
    routes: Mutex<HashMap<String, RouteMemory>>,
}

#[derive(Debug, Default)]
struct RouteMemory {
    /// The number of failures since the last success.
    failures: u32,
    /// If the route is in cooldown: until when, and the failure that started it.
    cooldown: Option<(Instant, CallFailure)>,
}

impl CooldownMemory {
    pub(super) fn new(cooldown: Option<Cooldown>, extension: Arc<dyn Extension>) -> Self {
        Self { cooldown, extension, routes: Mutex::default() }
    }

    fn routes(&self) -> MutexGuard<'_, HashMap<String, RouteMemory>> {
        // No code panics while it holds the lock; if it did, the numbers would still be sound.
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The failure to send if the route is in cooldown, in which case the upstream must not be called.
    pub(super) fn refusal(&self, model: &str, now: Instant) -> Option<CallFailure> {
        let mut routes = self.routes();
        let memory = routes.get_mut(model)?;
        let (until, last) = memory.cooldown.as_ref()?;
        if now >= *until && self.extension.ends_cooldown() {
            memory.cooldown = None;
            memory.failures = 0;
            return None;
        }
        let left = (*until - now).as_secs_f64().ceil().max(1.0);
        let mut refusal = CallFailure {
            cause: Cause::CoolingDown,
            status: if last.status == 429 { 429 } else { 503 },
            error: last.error.clone(),
            headers: vec![("retry-after".to_owned(), left.to_string())],
            raw: None,
        };
        self.extension.in_cooldown(&mut refusal, last);
        Some(refusal)
    }

    /// Records the result of an attempt.
    pub(super) fn note(&self, model: &str, result: Result<(), &CallFailure>, now: Instant) {
        let mut routes = self.routes();
        let memory = routes.entry(model.to_owned()).or_default();
        match result {
            Ok(()) => memory.failures = 0,
            Err(failure) => {
                let counts = self.extension.counts(failure, retry::may_pass(failure));
                let Some(Cooldown { after, lasting }) = self.cooldown.filter(|_| counts) else { return };
                memory.failures = memory.failures.saturating_add(1);
                if memory.failures >= after {
                    // If the clock cannot represent the end of the cooldown, it ends in a year.
                    let lasting = self.extension.cooldown(lasting, failure);
                    let until = now.checked_add(lasting).unwrap_or(now + Duration::from_secs(86_400 * 365));
                    memory.cooldown = Some((until, failure.clone()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::extension::Unextended;

    fn memory() -> CooldownMemory {
        let cooldown = Cooldown { after: 2, lasting: Duration::from_secs(10) };
        CooldownMemory::new(Some(cooldown), Arc::new(Unextended))
    }

    fn status(status: u16) -> CallFailure {
        CallFailure::own(Cause::Status(status), status, "t", None, format!("says {status}"))
    }

    #[test]
    fn after_enough_failures_in_a_row_a_route_is_in_cooldown_and_then_is_tried_again() {
        let (memory, start) = (memory(), Instant::now());
        memory.note("m", Err(&status(429)), start);
        memory.note("m", Ok(()), start);
        memory.note("m", Err(&status(429)), start);
        assert!(memory.refusal("m", start).is_none());
        memory.note("m", Err(&status(429)), start);
        let refusal = memory.refusal("m", start + Duration::from_millis(7100)).unwrap();
        assert_eq!((refusal.status, refusal.header("retry-after")), (429, Some("3")));
        assert_eq!(refusal.error.error["message"], "says 429");
        assert!(memory.refusal("other", start).is_none());
        assert!(memory.refusal("m", start + Duration::from_secs(10)).is_none());
        memory.note("m", Err(&status(429)), start + Duration::from_secs(11));
        assert!(memory.refusal("m", start + Duration::from_secs(11)).is_none(), "counting starts again");
    }

    #[test]
    fn a_cooldown_after_server_errors_answers_503_and_errors_of_the_caller_never_count() {
        let (memory, now) = (memory(), Instant::now());
        for _ in 0..5 {
            memory.note("m", Err(&status(400)), now);
            memory.note("m", Err(&status(401)), now);
        }
        assert!(memory.refusal("m", now).is_none());
        memory.note("m", Err(&CallFailure::unreachable()), now);
        memory.note("m", Err(&status(500)), now);
        assert_eq!(memory.refusal("m", now).unwrap().status, 503);
    }
}
