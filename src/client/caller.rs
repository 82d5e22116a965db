//! A caller: sends one request, waits for the parts of the response, and records them.

use std::{error::Error, pin::Pin};

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep_until};

use super::{body::BodyRecorder, ending::ending_of, leave::Leaving};
use crate::{
    observation::{ExchangeOutcome, Response, ResponseEnd},
    scenario::LeavePoint,
    wire::frames::Carrier,
};

/// The maximum size of a response, in bytes; a longer response to a test request would only fill memory.
pub(super) const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Milliseconds since the case began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(pub(super) Instant);

impl Clock {
    pub(super) fn now(self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1000.0
    }
}

/// A caller during one call.
pub(super) struct Caller<'a> {
    pub(super) clock: Clock,
    /// The time at which it stops waiting.
    pub(super) until: Instant,
    /// The stream format of a response without a Content-Type.
    carrier: Option<Carrier>,
    /// Its own connection, if it has one and that still needs to be polled.
    connection: Option<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>,
    connected: bool,
    /// When and how it disconnects early, if it does.
    pub(super) leaving: Option<Leaving<'a>>,
}

impl<'a> Caller<'a> {
    pub(super) fn new(clock: Clock, deadline: Instant, carrier: Option<Carrier>) -> Self {
        Self { clock, until: deadline, carrier, connection: None, connected: false, leaving: None }
    }

    /// Uses a connection of its own, which closes when the caller is dropped.
    pub(super) fn connect<E>(&mut self, connection: impl Future<Output = Result<(), E>> + Send + 'a) {
        self.connection = Some(Box::pin(async move {
            // The request and the body report its errors too.
            let _ = connection.await;
        }));
        self.connected = true;
    }

    /// Sends a request and records the response.
    pub(super) async fn record<B, E>(
        &mut self,
        sending: impl Future<Output = Result<http::Response<B>, E>>,
    ) -> ExchangeOutcome
    where
        B: Body<Data = Bytes, Error: Error + 'static> + Unpin,
        E: Error + 'static,
    {
        match self.response(sending).await {
            Ok(response) => ExchangeOutcome::Answer(self.read(response).await),
            Err(ending) => ExchangeOutcome::NoAnswer { ending },
        }
    }

    /// Waits for a result; its error, or the ending that comes first, is how the call ended.
    pub(super) async fn response<T, E: Error + 'static>(
        &mut self,
        what: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ResponseEnd> {
        self.wait(what).await?.map_err(|error| ending_of(&error))
    }

    /// Waits for `what` and polls the connection meanwhile; returns the ending as an error if it comes first.
    async fn wait<T>(&mut self, what: impl Future<Output = T>) -> Result<T, ResponseEnd> {
        let mut what = std::pin::pin!(what);
        loop {
            tokio::select! {
                biased;
                got = &mut what => return Ok(got),
                () = if_any(self.leaving.as_mut().map(|leaving| &mut leaving.asked)),
                    if self.leaves_at(LeavePoint::BeforeHeaders) =>
                {
                    if self.go() {
                        return Err(ResponseEnd::Left);
                    }
                }
                () = sleep_until(self.until) => {
                    return Err(if self.left().is_some() { ResponseEnd::Left } else { ResponseEnd::Deadline });
                }
                () = if_any(self.connection.as_mut()), if self.connected => self.connected = false,
            }
        }
    }

    /// The time at which it disconnected, in milliseconds since the epoch of the case.
    pub(super) fn left(&self) -> Option<f64> {
        self.leaving.as_ref()?.left
    }

    fn leaves_at(&self, point: LeavePoint) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.left.is_none() && leaving.leave.at == point)
    }

    /// Disconnects, if it is a caller that leaves; returns `true` if it reads nothing after it.
    fn go(&mut self) -> bool {
        let Some(leaving) = &mut self.leaving else { return false };
        leaving.left = Some(self.clock.now());
        leaving.disconnect(&mut self.until)
    }

    /// The head of a response, which is complete unless its body says something else.
    pub(super) fn head<B>(&self, response: &http::Response<B>) -> Response {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers =
            response.headers().iter().map(|(name, value)| (name.to_string(), text(value.as_bytes())));
        Response {
            status: response.status().as_u16(),
            headers: headers.collect(),
            head_ms: self.clock.now(),
            body: Default::default(),
            ending: ResponseEnd::Complete,
            closed: None,
        }
    }

    /// Records a response to its end, or until the caller stops.
    pub(super) async fn read<B>(&mut self, response: http::Response<B>) -> Response
    where
        B: Body<Data = Bytes, Error: Error + 'static> + Unpin,
    {
        let mut answer = self.head(&response);
        let mut recorder =
            BodyRecorder::new(answer.carrier_or(self.carrier), answer.header("content-encoding"));
        answer.ending = if self.leaves_at(LeavePoint::AfterHeaders) && self.go() {
            ResponseEnd::Left
        } else {
            self.read_body(&mut response.into_body(), &mut recorder).await
        };
        answer.body = recorder.finish();
        if let Some(leaving) = self.leaving.as_ref().filter(|_| answer.ending == ResponseEnd::Left) {
            leaving.forget_unread(&mut answer.body.frames);
        }
        answer
    }

    async fn read_body<B>(&mut self, body: &mut B, recorder: &mut BodyRecorder) -> ResponseEnd
    where
        B: Body<Data = Bytes, Error: Error + 'static> + Unpin,
    {
        loop {
            let frame = match self.wait(body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return ending_of(&error),
                Ok(None) => return ResponseEnd::Complete,
                Err(ending) => return ending,
            };
            let Some(bytes) = frame.data_ref() else { continue };
            recorder.take(bytes, self.clock.now());
            if recorder.bytes() > MAX_BYTES {
                return ResponseEnd::Broken("the body is longer than 64 MiB".into());
            }
            if self.leaving.as_ref().is_some_and(|leaving| leaving.has_enough(recorder.frames())) && self.go()
            {
                return ResponseEnd::Left;
            }
        }
    }
}

/// Resolves with the future; never without one.
async fn if_any(future: Option<impl Future<Output = ()>>) {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
