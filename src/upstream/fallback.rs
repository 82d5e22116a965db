//! The handler of requests for paths that belong to no case.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};

/// Answers a request for a path that belongs to no case. The body has already been read; it is `None` if it
/// is larger than [`MAX_REQUEST_BYTES`](crate::provider::MAX_REQUEST_BYTES).
pub(crate) type Fallback = Arc<dyn Fn(Request<Option<Bytes>>) -> FallbackAnswer + Send + Sync>;

/// The future response of a [`Fallback`].
pub(crate) type FallbackAnswer = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;
