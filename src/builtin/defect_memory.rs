//! State that defects carry over from one request to another. None of these defects shows in a single
//! request. The honest proxy carries over nothing but its cooldowns.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    Defect,
    attempt::Success,
    chain::Failed,
    concurrent_requests::{ConcurrentRequests, OpenRequest},
    failure::{CallFailure, Cause},
};
use crate::proxy::ProxyRoute;

/// The number of errors after which a route has no free slot.
const SLOTS: u32 = 3;

/// Some defects show only in every third error or cut stream of a route.
const EVERY: u32 = 3;

/// The headers with which a response asks the client to wait.
const WAITS: [&str; 2] = ["retry-after", "retry-after-ms"];

/// What a defect remembers from one request to another.
#[derive(Debug)]
pub(super) struct DefectMemory {
    defect: Option<Defect>,
    routes: Mutex<HashMap<String, RouteHistory>>,
    concurrent: ConcurrentRequests<Outcome>,
    turn: tokio::sync::Mutex<()>,
}

/// The result of a request.
type Outcome = Result<Success, Failed>;

/// What happened earlier on one route.
#[derive(Debug, Default)]
struct RouteHistory {
    /// The number of errors that were sent to callers.
    errors: u32,
    /// The number of streams that were cut.
    cuts: u32,
    /// Whether a connection was lost.
    lost: bool,
    /// The headers with the last wait that an upstream requested.
    waits: Vec<(String, String)>,
    /// The first error of an upstream.
    first: Option<CallFailure>,
    /// The last complete response: status, headers, body.
    last_response: Option<(u16, Vec<(String, String)>, bytes::Bytes)>,
}

impl DefectMemory {
    pub(super) fn new(defect: Option<Defect>) -> Self {
        Self {
            defect,
            routes: Mutex::default(),
            concurrent: ConcurrentRequests::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    fn route(&self, model: &str, change: impl FnOnce(&mut RouteHistory)) {
        let mut routes: MutexGuard<'_, HashMap<_, _>> =
            self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        change(routes.entry(model.to_owned()).or_default());
    }

    /// If the defect serves one request after the other: waits until the previous one is done.
    pub(super) async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match self.defect {
            Some(Defect::OneAtATime) => Some(self.turn.lock().await),
            _ => None,
        }
    }

    /// Counts a request as in progress if the defect swaps concurrent requests; `None` otherwise.
    pub(super) fn enter<'a>(&'a self, route: &'a ProxyRoute) -> Option<OpenRequest<'a, Outcome>> {
        let swaps = matches!(
            self.defect,
            Some(Defect::ErrorsSwapped | Defect::AnswersSwapped | Defect::HeadersSwapped)
        );
        swaps.then(|| self.concurrent.enter(&route.group))
    }

    /// The failure with which the defect rejects a request because of earlier requests on the route. The
    /// request is then not sent to any upstream.
    pub(super) fn refusal(&self, route: &ProxyRoute) -> Option<Failed> {
        let mut refusal = None;
        self.route(&route.model, |before| {
            refusal = match self.defect {
                Some(Defect::ResetPoisonsRoute) if before.lost => Some(CallFailure::disconnected()),
                Some(Defect::SlotsLeaked) if before.errors >= SLOTS => Some(CallFailure::own(
                    Cause::CoolingDown,
                    429,
                    "rate_limit_error",
                    None,
                    "Too many requests are under way on this route.",
                )),
                _ => None,
            };
        });
        refusal.map(|failure| Failed { failure, routes: 1 })
    }

    /// Applies the defect to the result of a request.
    pub(super) async fn instead(
        &self,
        route: &ProxyRoute,
        inside: Option<&OpenRequest<'_, Outcome>>,
        mut outcome: Outcome,
    ) -> Outcome {
        self.route(&route.model, |before| match &mut outcome {
            Ok(Success::Whole { status, headers, body }) => {
                let last = before.last_response.replace((*status, headers.clone(), body.clone()));
                if let Some(last) = last.filter(|_| before.lost && self.defect == Some(Defect::AnswerStale)) {
                    (*status, *headers, *body) = last;
                }
            }
            Ok(Success::Stream { .. } | Success::Session { .. }) => {}
            Err(Failed { failure, .. }) => before.failed(self.defect, failure),
        });
        let Some(inside) = inside else { return outcome };
        match (self.defect, outcome) {
            (Some(Defect::ErrorsSwapped), outcome @ Err(_)) => inside.swap(outcome).await,
            (Some(Defect::AnswersSwapped), outcome @ Ok(_)) => inside.swap(outcome).await,
            (Some(Defect::HeadersSwapped), Err(mut failed)) => {
                let mut shown = failed.failure.clone();
                shown.raw = None;
                let swapped = inside.swap(Err(Failed { failure: shown, routes: failed.routes })).await;
                if let Err(others) = swapped {
                    failed.failure.headers = others.failure.headers;
                }
                Err(failed)
            }
            (_, outcome) => outcome,
        }
    }

    /// Whether the error that is being sent is the third, sixth, … of its route.
    pub(super) fn is_third_error(&self, route: &ProxyRoute) -> bool {
        let mut errors = 0;
        self.route(&route.model, |before| errors = before.errors);
        errors > 0 && errors.is_multiple_of(EVERY)
    }

    /// Counts a cut stream, and returns whether it is the third, sixth, … of its route.
    pub(super) fn is_third_cut(&self, route: &ProxyRoute) -> bool {
        let mut cuts = 0;
        self.route(&route.model, |before| {
            before.cuts += 1;
            cuts = before.cuts;
        });
        cuts.is_multiple_of(EVERY)
    }
}

impl RouteHistory {
    fn failed(&mut self, defect: Option<Defect>, failure: &mut CallFailure) {
        self.errors += 1;
        self.lost |= failure.cause == Cause::Disconnected;
        let named: Vec<_> =
            failure.headers.iter().filter(|(name, _)| WAITS.contains(&name.as_str())).cloned().collect();
        if !named.is_empty() {
            self.waits = named;
        } else if defect == Some(Defect::RetryAfterStale) {
            failure.headers.extend(self.waits.iter().cloned());
        }
        if !failure.is_from_upstream() {
            return;
        }
        let first = self.first.get_or_insert_with(|| failure.clone());
        if defect == Some(Defect::ErrorStale) && first.status == failure.status {
            failure.error = first.error.clone();
        }
    }
}
