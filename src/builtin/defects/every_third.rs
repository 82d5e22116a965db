//! Defects that show only in every third error or cut stream of a route.

use std::sync::Arc;

use super::{route_memory::RouteMemory, streams::finished};
use crate::{
    builtin::{
        extension::{Extension, FailureContext, StreamExtension},
        failure::CallFailure,
        stream::{PieceKind, Reader, StreamPiece},
    },
    proxy::ProxyRoute,
    scenario::Api,
};

/// Changes every third error of a route.
#[derive(Debug)]
pub(super) struct ThirdErrorChanged {
    errors: RouteMemory<u32>,
    change: fn(&mut CallFailure),
}

impl ThirdErrorChanged {
    pub(super) fn new(change: fn(&mut CallFailure)) -> Self {
        Self { errors: RouteMemory::default(), change }
    }
}

impl Extension for ThirdErrorChanged {
    fn failure(&self, failure: &mut CallFailure, context: &FailureContext<'_>) {
        if self.errors.is_third(context.route) {
            (self.change)(failure);
        }
    }
}

/// Ends every third cut stream of a route like a complete one.
#[derive(Debug, Default)]
pub(super) struct ThirdCutHidden(Arc<RouteMemory<u32>>);

#[derive(Debug)]
struct CountedStream {
    api: Api,
    route: ProxyRoute,
    cuts: Arc<RouteMemory<u32>>,
    is_third: bool,
}

impl Extension for ThirdCutHidden {
    fn stream(&self, api: Api, route: &ProxyRoute) -> Option<Box<dyn StreamExtension>> {
        let (route, cuts) = (route.clone(), self.0.clone());
        Some(Box::new(CountedStream { api, route, cuts, is_third: false }))
    }
}

impl StreamExtension for CountedStream {
    fn stopped(&mut self, piece: StreamPiece, _: &Reader) -> StreamPiece {
        self.is_third = piece.kind == PieceKind::Interrupted && self.cuts.is_third(&self.route);
        piece
    }

    fn pieces(&mut self, piece: StreamPiece) -> Vec<StreamPiece> {
        if self.is_third && piece.kind == PieceKind::Interrupted {
            return finished(self.api);
        }
        vec![piece]
    }
}
