//! Passes a stream on, event by event, as the caller takes it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::{
    ask::{Ask, AskBody},
    attempt::{self, FrameSource, Success},
    chain::Shared,
    classify,
    failure::Failure,
    rules::Resume,
    split::RawFrame,
    stream::{PieceKind, Reader, Stop},
    tamper,
    tamper_stream::Tamper,
};
use crate::proxy::Route;

/// A stream on its way to the caller. Dropping it ends the upstream request.
#[derive(Debug)]
pub(super) struct Relay {
    shared: Arc<Shared>,
    route: Route,
    ask: Ask,
    source: Box<FrameSource>,
    reader: Reader,
    tamper: Tamper,
    out: VecDeque<Bytes>,
    /// The longest silence between two events.
    gap: Option<Duration>,
    /// Who is asked if it is cut, once.
    resume: Option<Resume>,
    over: bool,
}

impl Relay {
    pub fn new(
        shared: Arc<Shared>,
        route: Route,
        ask: Ask,
        first: RawFrame,
        source: Box<FrameSource>,
    ) -> Self {
        let upstream = source.api;
        let include_usage = match &ask.body {
            AskBody::Json(body) => {
                body.get("stream_options").is_some_and(|options| options["include_usage"] == true)
            }
            _ => false,
        };
        let mut relay = Self {
            source,
            reader: Reader::new(shared.secrets.clone(), ask.api, upstream, include_usage),
            tamper: Tamper::new(shared.defect, ask.api),
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
                Some(gap) => timeout(gap, self.source.next()).await.unwrap_or(Err(Stop::Gap(gap))),
                None => self.source.next().await,
            };
            match next {
                Ok(frame) => self.frame(frame),
                Err(stop) => match self.resume.take().filter(|_| stop == Stop::Cut) {
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
            PieceKind::Interrupted => self.note(Err(&Failure::disconnected())),
            PieceKind::ErrorEvent => {
                let judged = classify::first_frame(self.source.api, Some(&frame), &[]);
                self.note(judged.as_ref().map(|_| ()));
            }
        }
        self.take(piece);
    }

    fn stopped(&mut self, stop: Stop) {
        if stop == Stop::Clean
            && let Some(piece) = self.reader.bare(&self.source.rest())
        {
            self.note(Err(&Failure::disconnected()));
            return self.take(piece);
        }
        let piece = self.tamper.stopped(self.reader.stopped(stop), &self.reader);
        match (piece.kind, stop) {
            (PieceKind::Interrupted, Stop::Gap(limit)) => self.note(Err(&Failure::timeout(limit))),
            (PieceKind::Interrupted, _) => self.note(Err(&Failure::disconnected())),
            _ => self.note(Ok(())),
        }
        self.take(piece);
    }

    /// Tells the route's memory how the stream ended.
    fn note(&self, result: Result<(), &Failure>) {
        self.shared.memory.note(&self.route.model, result, Instant::now());
    }

    fn take(&mut self, piece: super::stream::Piece) {
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
                None => return self.stopped(Stop::Cut),
            },
        };
        match attempt::attempt(&self.shared.outbound, route, &self.ask, self.gap).await {
            Ok(Success::Stream { first, source, .. }) => {
                self.source = source;
                self.frame(first);
            }
            _ => self.stopped(Stop::Cut),
        }
    }
}
