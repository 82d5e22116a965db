//! Whoever answers requests under paths that belong to no case.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};

/// Answers a request that no case is there for. Its body has been read; `None` stands for one above
/// [`MAX_REQUEST_BYTES`](crate::provider::MAX_REQUEST_BYTES).
pub type Fallback = Arc<dyn Fn(Request<Option<Bytes>>) -> FallbackAnswer + Send + Sync>;

/// What a [`Fallback`] will say.
pub type FallbackAnswer = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;
