//! What a defect remembers of each route from one request to another.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::proxy::ProxyRoute;

/// A value for each route.
#[derive(Debug, Default)]
pub(super) struct RouteMemory<T>(Mutex<HashMap<String, T>>);

impl<T: Default> RouteMemory<T> {
    /// Uses the value of a route.
    pub(super) fn with<R>(&self, route: &ProxyRoute, act: impl FnOnce(&mut T) -> R) -> R {
        // No code panics while it holds the lock.
        let mut routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(routes.entry(route.model.clone()).or_default())
    }
}

impl RouteMemory<u32> {
    /// Counts, and returns whether it is the third, sixth, … time on this route.
    pub(super) fn is_third(&self, route: &ProxyRoute) -> bool {
        self.with(route, |count| {
            *count += 1;
            count.is_multiple_of(3)
        })
    }
}
