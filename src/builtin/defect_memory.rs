//! What is carried over from one request to another. The honest proxy carries over nothing but its
//! cooldowns; each thing here is a defect that does not show in a single request.

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

/// After so many errors a route has no slot left.
const SLOTS: u32 = 3;

/// One error in so many is told wrong.
const NOW_AND_THEN: u32 = 3;

/// The waits that an answer may name.
const WAITS: [&str; 2] = ["retry-after", "retry-after-ms"];

/// What a defect remembers from one request to another.
#[derive(Debug)]
pub(super) struct DefectMemory {
    defect: Option<Defect>,
    routes: Mutex<HashMap<String, RouteBefore>>,
    meeting: ConcurrentRequests<Outcome>,
    turn: tokio::sync::Mutex<()>,
}

/// What came of a request.
type Outcome = Result<Success, Failed>;

/// What went before on one route.
#[derive(Debug, Default)]
struct RouteBefore {
    /// Errors that were told.
    errors: u32,
    /// Streams that were cut.
    cuts: u32,
    /// A connection was lost.
    lost: bool,
    /// The last wait that an upstream asked for.
    waits: Vec<(String, String)>,
    /// The first error of an upstream.
    first: Option<CallFailure>,
    /// The last whole answer: status, headers, body.
    answer: Option<(u16, Vec<(String, String)>, bytes::Bytes)>,
}

impl DefectMemory {
    pub fn new(defect: Option<Defect>) -> Self {
        Self {
            defect,
            routes: Mutex::default(),
            meeting: ConcurrentRequests::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    fn route(&self, model: &str, change: impl FnOnce(&mut RouteBefore)) {
        let mut routes: MutexGuard<'_, HashMap<_, _>> =
            self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        change(routes.entry(model.to_owned()).or_default());
    }

    /// Waits until it is a request's turn, where they are served one after the other.
    pub async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match self.defect {
            Some(Defect::OneAtATime) => Some(self.turn.lock().await),
            _ => None,
        }
    }

    /// Notes that a request is under way, where somebody may want to know.
    pub fn enter<'a>(&'a self, route: &'a ProxyRoute) -> Option<OpenRequest<'a, Outcome>> {
        let swaps = matches!(
            self.defect,
            Some(Defect::ErrorsSwapped | Defect::AnswersSwapped | Defect::HeadersSwapped)
        );
        swaps.then(|| self.meeting.enter(&route.group))
    }

    /// What a request on this route is answered without asking anybody, because of what went before.
    pub fn refusal(&self, route: &ProxyRoute) -> Option<Failed> {
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

    /// What is told in place of `outcome`.
    pub async fn instead(
        &self,
        route: &ProxyRoute,
        inside: Option<&OpenRequest<'_, Outcome>>,
        mut outcome: Outcome,
    ) -> Outcome {
        self.route(&route.model, |before| match &mut outcome {
            Ok(Success::Whole { status, headers, body }) => {
                let last = before.answer.replace((*status, headers.clone(), body.clone()));
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

    /// Whether the error that is told now is one of those that are told wrong now and then.
    pub fn is_now_and_then(&self, route: &ProxyRoute) -> bool {
        let mut errors = 0;
        self.route(&route.model, |before| errors = before.errors);
        errors > 0 && errors.is_multiple_of(NOW_AND_THEN)
    }

    /// Notes that a stream was cut, and says whether this one is told wrong.
    pub fn is_cut_now_and_then(&self, route: &ProxyRoute) -> bool {
        let mut cuts = 0;
        self.route(&route.model, |before| {
            before.cuts += 1;
            cuts = before.cuts;
        });
        cuts.is_multiple_of(NOW_AND_THEN)
    }
}

impl RouteBefore {
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
        if !failure.is_upstreams_own() {
            return;
        }
        let first = self.first.get_or_insert_with(|| failure.clone());
        if defect == Some(Defect::ErrorStale) && first.status == failure.status {
            failure.error = first.error.clone();
        }
    }
}
