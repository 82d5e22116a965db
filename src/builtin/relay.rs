//! Relays a stream from an upstream to the caller, event by event.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::{
    attempt::{self, FrameSource, Success},
    classify,
    extension::StreamExtension,
    failure::CallFailure,
    reply::BodyPieces,
    shared::ProxyShared,
    stream::{PieceKind, Reader, StreamPiece, UpstreamStop},
    upstream_request::{CallerRequest, UpstreamBody},
};
use crate::{proxy::ProxyRoute, wire::frames::RawFrame};

/// A stream that is being relayed to the caller. Dropping it ends the upstream request.
#[derive(Debug)]
pub(super) struct StreamRelay {
    shared: Arc<ProxyShared>,
    route: ProxyRoute,
    call: CallerRequest,
    source: Box<FrameSource>,
    reader: Reader,
    extension: Option<Box<dyn StreamExtension>>,
    out: VecDeque<Bytes>,
    /// The maximum time between two events.
    gap: Option<Duration>,
    /// Whether a cut stream was continued.
    continued: bool,
    is_over: bool,
}

impl StreamRelay {
    pub(super) fn new(
        shared: Arc<ProxyShared>,
        route: ProxyRoute,
        call: CallerRequest,
        first: RawFrame,
        source: Box<FrameSource>,
    ) -> Self {
        let upstream = source.api;
        let include_usage = match &call.body {
            UpstreamBody::Json(body) => {
                body.get("stream_options").is_some_and(|options| options["include_usage"] == true)
            }
            _ => false,
        };
        let mut relay = Self {
            source,
            reader: Reader::new(shared.secrets.clone(), call.api, upstream, include_usage),
            extension: shared.extension.stream(call.api, &route),
            out: VecDeque::new(),
            gap: shared.limit(&route),
            continued: false,
            is_over: false,
            shared,
            route,
            call,
        };
        relay.frame(first);
        relay
    }

    /// The stream as a response body.
    pub(super) fn into_body(self) -> BodyPieces {
        stream::unfold(self, async |mut relay| Some((Ok(relay.next().await?), relay))).boxed()
    }

    /// Returns the next bytes for the caller; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.out.pop_front() {
                return Some(bytes);
            }
            if self.is_over {
                if self.extension.as_ref().is_some_and(|extension| extension.stays_open()) {
                    std::future::pending::<()>().await;
                }
                return None;
            }
            let next = match self.gap {
                Some(gap) => timeout(gap, self.source.next()).await.unwrap_or(Err(UpstreamStop::Gap(gap))),
                None => self.source.next().await,
            };
            match next {
                Ok(frame) => self.frame(frame),
                Err(UpstreamStop::Cut) if !self.continued => self.cut().await,
                Err(stop) => self.stopped(stop),
            }
        }
    }

    fn frame(&mut self, frame: RawFrame) {
        let piece = self.reader.frame(&frame);
        match piece.kind {
            PieceKind::Content | PieceKind::Other => {}
            PieceKind::Done => self.note(Ok(())),
            PieceKind::Interrupted => self.note(Err(&CallFailure::disconnected())),
            PieceKind::ErrorEvent => {
                let judged = classify::first_frame(self.source.api, Some(&frame), &[]);
                self.note(judged.as_ref().map(|_| ()));
            }
        }
        self.take(piece);
    }

    fn stopped(&mut self, stop: UpstreamStop) {
        if stop == UpstreamStop::Clean
            && let Some(piece) = self.reader.bare(&self.source.rest())
        {
            self.note(Err(&CallFailure::disconnected()));
            return self.take(piece);
        }
        let mut piece = self.reader.stopped(stop);
        if let Some(extension) = &mut self.extension {
            piece = extension.stopped(piece, &self.reader);
        }
        match (piece.kind, stop) {
            (PieceKind::Interrupted, UpstreamStop::Gap(limit)) => {
                self.note(Err(&CallFailure::timeout(limit)))
            }
            (PieceKind::Interrupted, _) => self.note(Err(&CallFailure::disconnected())),
            _ => self.note(Ok(())),
        }
        self.take(piece);
    }

    /// Records how the stream ended, for the cooldown of the route.
    fn note(&self, result: Result<(), &CallFailure>) {
        self.shared.note(&self.route, &self.call, result);
    }

    fn take(&mut self, piece: StreamPiece) {
        self.is_over |= match &self.extension {
            None => piece.kind.is_last(),
            Some(extension) => !extension.reads_on(&piece),
        };
        let mut send = |piece: StreamPiece| {
            let bytes = self.shared.extension.content(piece.bytes);
            if !bytes.is_empty() {
                self.out.push_back(bytes);
            }
        };
        match &mut self.extension {
            None => send(piece),
            Some(extension) => extension.pieces(piece).into_iter().for_each(send),
        }
    }

    /// Continues a stream that was cut if the extension names a model for it, and ends it otherwise.
    async fn cut(&mut self) {
        self.continued = true;
        let model = self.shared.extension.continuation(&self.route);
        if let Some(route) = model.and_then(|model| self.shared.route(model))
            && let Ok(Success::Stream { first, source, .. }) =
                attempt::attempt(&self.shared.outbound, route, &self.call, self.gap).await
        {
            self.source = source;
            return self.frame(first);
        }
        self.stopped(UpstreamStop::Cut);
    }
}
