//! Passes a stream on, event by event, as the caller takes it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::{
    attempt::{self, FrameSource, Success},
    chain::ProxyShared,
    classify,
    failure::CallFailure,
    rules::Resume,
    split::RawFrame,
    stream::{PieceKind, Reader, UpstreamStop},
    tamper,
    tamper_stream::StreamTamper,
    upstream_request::{Ask, UpstreamBody},
};
use crate::proxy::ProxyRoute;

/// A stream on its way to the caller. Dropping it ends the upstream request.
#[derive(Debug)]
pub(super) struct StreamRelay {
    shared: Arc<ProxyShared>,
    route: ProxyRoute,
    ask: Ask,
    source: Box<FrameSource>,
    reader: Reader,
    tamper: StreamTamper,
    out: VecDeque<Bytes>,
    /// The longest silence between two events.
    gap: Option<Duration>,
    /// Who is asked if it is cut, once.
    resume: Option<Resume>,
    over: bool,
}

impl StreamRelay {
    pub fn new(
        shared: Arc<ProxyShared>,
        route: ProxyRoute,
        ask: Ask,
        first: RawFrame,
        source: Box<FrameSource>,
    ) -> Self {
        let upstream = source.api;
        let include_usage = match &ask.body {
            UpstreamBody::Json(body) => {
                body.get("stream_options").is_some_and(|options| options["include_usage"] == true)
            }
            _ => false,
        };
        let mut relay = Self {
            source,
            reader: Reader::new(shared.secrets.clone(), ask.api, upstream, include_usage),
            tamper: StreamTamper::new(shared.defect, ask.api),
            out: VecDeque::new(),
            gap: shared.limit(&route),
            resume: shared.rules.resume,
            over: false,
            shared,
            route,
            ask,
        };
        relay.frame(first);
        relay
    }

    /// The next bytes for the caller; `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.out.pop_front() {
                return Some(bytes);
            }
            if self.over {
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
            self.tamper.now_and_then = self.shared.between.is_cut_now_and_then(&self.route);
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

    /// Tells the route's memory how the stream ended.
    fn note(&self, result: Result<(), &CallFailure>) {
        self.shared.memory.note(&self.route.model, result, Instant::now());
    }

    fn take(&mut self, piece: super::stream::StreamPiece) {
        self.over |= piece.kind.is_last();
        self.out.extend(
            self.tamper
                .apply(piece)
                .into_iter()
                .map(|piece| tamper::success(self.shared.defect, piece.bytes))
                .filter(|bytes| !bytes.is_empty()),
        );
    }

    /// Asks again and goes on with what comes (only ever done by a defect).
    async fn resume(&mut self, by: Resume) {
        let fallback = self.route.fallbacks.first().and_then(|model| self.shared.route(model));
        let route = match by {
            Resume::Same => &self.route,
            Resume::Fallback => match fallback {
                Some(route) => route,
                None => return self.stopped(UpstreamStop::Cut),
            },
        };
        match attempt::attempt(&self.shared.outbound, route, &self.ask, self.gap).await {
            Ok(Success::Stream { first, source, .. }) => {
                self.source = source;
                self.frame(first);
            }
            _ => self.stopped(UpstreamStop::Cut),
        }
    }
}
