//! A request that the client sends.

use crate::{observation::StepName, wire::frames::Carrier};

/// A request that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientCall {
    /// The step of the case to which the request belongs.
    pub step: StepName,
    /// The HTTP method.
    pub method: http::Method,
    /// The complete URL.
    pub url: String,
    /// The headers, in the order in which they are sent.
    pub headers: Vec<(String, String)>,
    /// The bytes of the body.
    pub body: Vec<u8>,
    /// The stream format of a response without a Content-Type, because the API's own clients do not check that header.
    pub carrier: Option<Carrier>,
}
