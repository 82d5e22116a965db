//! A proxy that answers repeated requests from a cache.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

use crate::{
    builtin::{
        attempt::Success,
        extension::{Extension, Headers},
        upstream_request::{CallerRequest, UpstreamBody},
    },
    proxy::ProxyRoute,
    scenario::Api,
};

/// Keeps plain successes, by the model, the API and the whole body of their requests.
#[derive(Debug, Default)]
pub(super) struct SuccessCache(Mutex<HashMap<String, (u16, Headers, Bytes)>>);

/// The key of a request; `None` if its response must not be kept: it creates something, or it is a stream.
fn key(route: &ProxyRoute, call: &CallerRequest) -> Option<String> {
    match &call.body {
        UpstreamBody::Json(body) if !call.stream && call.api != Api::OpenaiBatches => {
            Some(format!("{} {} {:?} {}", route.model, call.api, call.query, serde_json::json!(body)))
        }
        _ => None,
    }
}

impl Extension for SuccessCache {
    fn kept(&self, route: &ProxyRoute, call: &CallerRequest) -> Option<Success> {
        // No code panics while it holds the lock.
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (status, headers, body) = kept.get(&key(route, call)?)?.clone();
        Some(Success::Whole { status, headers, body })
    }

    fn keep(&self, route: &ProxyRoute, call: &CallerRequest, success: &Success) {
        if let (Some(key), Success::Whole { status, headers, body }) = (key(route, call), success) {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(key, (*status, headers.clone(), body.clone()));
        }
    }
}
