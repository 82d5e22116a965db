//! Relays a stream from an upstream to the caller, event by event.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::{
    attempt::{self, FrameSource, Success},
    chain::ProxyShared,
    classify,
    failure::CallFailure,
    rules::Resume,
    stream::{PieceKind, Reader, UpstreamStop},
    tamper,
    tamper_stream::StreamTamper,
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
    tamper: StreamTamper,
    out: VecDeque<Bytes>,
    /// The maximum time between two events.
    gap: Option<Duration>,
    /// Where a cut stream is continued, once. Only a defect sets this.
    resume: Option<Resume>,
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
            tamper: StreamTamper::new(shared.defect, call.api),
            out: VecDeque::new(),
            gap: shared.limit(&route),
            resume: shared.rules.resume,
            is_over: false,
            shared,
            route,
            call,
        };
        relay.frame(first);
        relay
    }

    /// Returns the next bytes for the caller; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.out.pop_front() {
                return Some(bytes);
            }
            if self.is_over {
                if self.tamper.stays_open() {
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
                Err(stop) => match self.resume.take().filter(|_| stop == UpstreamStop::Cut) {
                    Some(by) => self.resume(by).await,
                    None => self.stopped(stop),
                },
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
        let piece = self.tamper.stopped(self.reader.stopped(stop), &self.reader);
        if piece.kind == PieceKind::Interrupted {
            self.tamper.is_third_cut = self.shared.defect_memory.is_third_cut(&self.route);
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
        self.shared.cooldowns.note(&self.route.model, result, Instant::now());
    }

    fn take(&mut self, piece: super::stream::StreamPiece) {
        self.is_over |= piece.kind.is_last();
        self.out.extend(
            self.tamper
                .apply(piece)
                .into_iter()
                .map(|piece| tamper::success(self.shared.defect, piece.bytes))
                .filter(|bytes| !bytes.is_empty()),
        );
    }

    /// Sends the request again and continues with its stream. Only defects do this.
    async fn resume(&mut self, by: Resume) {
        let fallback = self.route.fallbacks.first().and_then(|model| self.shared.route(model));
        let route = match by {
            Resume::Same => &self.route,
            Resume::Fallback => match fallback {
                Some(route) => route,
                None => return self.stopped(UpstreamStop::Cut),
            },
        };
        match attempt::attempt(&self.shared.outbound, route, &self.call, self.gap).await {
            Ok(Success::Stream { first, source, .. }) => {
                self.source = source;
                self.frame(first);
            }
            _ => self.stopped(UpstreamStop::Cut),
        }
    }
}
