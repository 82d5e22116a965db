//! How callers reach a running proxy, whether upfault or a user started it.

use super::{
    definition::Definition, error::ProxyError, render::RenderContext, request::Mapping, route::ProxyRoute,
};
use crate::{observation::Volatile, scenario::Api};

/// Where a running proxy listens, and what its definition says about requests and responses.
#[derive(Debug)]
pub struct Addressing {
    root: String,
    proxy_key: Option<String>,
    mapping: Mapping,
    caches: bool,
    volatile: Vec<Volatile>,
}

impl Addressing {
    pub(super) fn new(
        root: String,
        proxy_key: Option<String>,
        mapping: Mapping,
        definition: &Definition,
    ) -> Self {
        let (caches, volatile) = (definition.caches(), definition.volatile().to_vec());
        Self { root, proxy_key, mapping, caches, volatile }
    }

    /// Sets the port on loopback that the proxy listens on, if it has chosen one itself.
    pub(super) fn listens_on(&mut self, port: u16) {
        self.root = format!("http://127.0.0.1:{port}");
    }

    /// Returns the base URL without a slash at the end: `http://127.0.0.1:PORT`.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Returns the key with which callers authenticate, if there is one.
    pub fn proxy_key(&self) -> Option<&str> {
        self.proxy_key.as_deref()
    }

    /// Returns the secrets that must never appear in the proxy's responses: its key, which is also its master
    /// key.
    pub fn secrets(&self) -> Vec<String> {
        self.proxy_key.iter().cloned().collect()
    }

    /// Returns whether the proxy answers a request like an earlier one from a cache.
    pub fn caches(&self) -> bool {
        self.caches
    }

    /// Returns the patterns of text in the proxy's responses that varies between runs.
    pub fn volatile(&self) -> &[Volatile] {
        &self.volatile
    }

    /// Returns the headers to add to the API's own headers in a request for this route: authentication, and
    /// the definition's `request.headers`. The names are in lower case.
    pub fn headers(&self, route: &ProxyRoute) -> Vec<(String, String)> {
        self.mapping.headers(route)
    }

    /// Returns the path of a request for this route below [`Addressing::root`], or `None` if the definition
    /// does not specify one; then it is the API's own path.
    pub fn path(&self, api: Api, stream: bool, route: &ProxyRoute) -> Option<String> {
        self.mapping.path(api, stream, route)
    }

    /// Returns the members of the definition's `request.body`. They replace or extend those in the body of a
    /// request for this route.
    pub fn body(&self, route: &ProxyRoute) -> serde_json::Map<String, serde_json::Value> {
        self.mapping.body(route)
    }
}

impl Definition {
    /// Returns how callers reach a proxy at `root` that was configured with these routes. `key` is the key of callers.
    ///
    /// # Errors
    /// [`ProxyError::Invalid`] with the line in the template.
    pub(crate) fn addressed_at(
        &self,
        root: &str,
        key: Option<&str>,
        routes: &[ProxyRoute],
        context: &RenderContext,
    ) -> Result<Addressing, ProxyError> {
        let context = RenderContext { proxy_key: key.unwrap_or_default().to_owned(), ..context.clone() };
        let mapping = Mapping::new(self, routes, &self.context(routes, &context))?;
        Ok(Addressing::new(root.to_owned(), key.map(str::to_owned), mapping, self))
    }

    /// Returns whether callers need a key.
    pub(crate) fn has_caller_keys(&self) -> bool {
        self.document.auth.is_some()
    }
}
