//! The key of a route in an error of another route.

use std::sync::{Mutex, PoisonError};

use super::failures;
use crate::{
    builtin::{
        extension::{Extension, FailureContext},
        failure::CallFailure,
    },
    proxy::ProxyRoute,
};

/// Includes the key of the first route that was used in the errors of all others.
#[derive(Debug, Default)]
pub(super) struct ForeignKeyLeaked(Mutex<Option<ProxyRoute>>);

impl Extension for ForeignKeyLeaked {
    fn failure(&self, failure: &mut CallFailure, context: &FailureContext<'_>) {
        // No code panics while it holds the lock.
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = first.get_or_insert_with(|| context.route.clone());
        if first.group != context.route.group {
            failures::append(failure, &format!(" (keys in use: {})", first.api_key));
        }
    }
}
