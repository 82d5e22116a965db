//! Performs a plan with hyper: as a future up to the head, as a response body after it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{
    delay_clock::DelayClock,
    ledger::AttemptRecorder,
    takeover::{ConnectionCut, SocketTakeover, TakeoverHandle},
};
use crate::{
    fault::{Framing, Head, Plan, WireAction},
    observation::AttemptEnd,
};

/// Performs a plan up to its head and returns the rest as the body of the response. If the plan has no head,
/// this never returns: hyper drops it with the connection.
pub(super) async fn perform(
    plan: Plan,
    recorder: AttemptRecorder,
    line: Arc<TakeoverHandle>,
    stop: CancellationToken,
) -> Response<Performance> {
    let mut performance = Performance {
        actions: plan.actions.into(),
        recorder: Some(recorder),
        line,
        stop,
        pause: None,
        clock: DelayClock::default(),
        stopped: None,
        framing: None,
        wrote: false,
        cut: false,
    };
    poll_fn(|cx| performance.poll_before_head(cx)).await;
    performance.into_response()
}

/// The part of a plan that has not been performed yet.
pub(super) struct Performance {
    actions: VecDeque<WireAction>,
    /// `None` once the attempt's end is recorded or the connection's owner records it.
    recorder: Option<AttemptRecorder>,
    line: Arc<TakeoverHandle>,
    stop: CancellationToken,
    pause: Option<(Instant, Pin<Box<Sleep>>)>,
    clock: DelayClock,
    stopped: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// After the head: the framing of the body, with the rest of its length.
    framing: Option<Framing>,
    /// Whether a byte of the body has been passed to hyper.
    wrote: bool,
    /// Whether the connection will be cut, so that nothing may follow.
    cut: bool,
}

impl Performance {
    /// Ready when the next action is the head.
    fn poll_before_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.poll_pause(cx));
            match self.actions.front() {
                Some(WireAction::Head(_)) => return Poll::Ready(()),
                Some(WireAction::Wait(time)) => self.start_pause(*time),
                Some(WireAction::Write { .. } | WireAction::Raw { .. } | WireAction::Flush) => {}
                Some(ending) => {
                    let ending = ending.clone();
                    return self.poll_ending(&ending, cx);
                }
                None => return Poll::Pending,
            }
            self.actions.pop_front();
        }
    }

    fn into_response(mut self) -> Response<Self> {
        let Some(WireAction::Head(head)) = self.actions.pop_front() else {
            // Not reached, because `poll_before_head` is only ready at a head.
            return Response::new(self);
        };
        let (status, framing) = (head.status, head.framing);
        let headers = header_map(&head);
        if let Some(recorder) = &self.recorder {
            recorder.head(head, length(&self.actions));
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // These two statuses never have a body (RFC 9110 sections 15.3.5 and 15.4.5), so it counts as sent.
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        self.framing = Some(if bodiless { Framing::Length(0) } else { framing });
        let mut response = Response::new(self);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    fn start_pause(&mut self, time: Duration) {
        let due = self.clock.due(time);
        self.pause = Some((due, Box::pin(sleep_until(due))));
    }

    /// Ready when no wait is in progress.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((due, sleep)) = &mut self.pause else { return Poll::Ready(()) };
        if sleep.as_mut().poll(cx).is_pending() {
            return self.poll_stopped(cx);
        }
        let late_ms = self.clock.woke(*due);
        if let Some(recorder) = &self.recorder {
            recorder.woke(late_ms);
        }
        self.pause = None;
        Poll::Ready(())
    }

    /// Never ready. Closes the connection when the case is over.
    fn poll_stopped<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let stop = &self.stop;
        let stopped = self.stopped.get_or_insert_with(|| Box::pin(stop.clone().cancelled_owned()));
        if !self.cut && stopped.as_mut().poll(cx).is_ready() {
            self.cut = true;
            self.line.take_over(SocketTakeover::Cut(ConnectionCut::Close, self.recorder.take()));
        }
        Poll::Pending
    }

    /// Ready for all endings that finish the reply properly.
    fn poll_ending(&mut self, ending: &WireAction, cx: &mut Context<'_>) -> Poll<()> {
        let how = match ending {
            WireAction::Close | WireAction::Goaway(_) => ConnectionCut::Close,
            WireAction::Reset | WireAction::RstStream(_) => ConnectionCut::Reset,
            WireAction::Hang => return self.poll_stopped(cx),
            _ => {
                self.note_finished();
                return Poll::Ready(());
            }
        };
        if !self.cut {
            self.cut = true;
            self.line.take_over(SocketTakeover::Cut(how, self.recorder.take()));
        }
        Poll::Pending
    }

    fn note_finished(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.end(AttemptEnd::Finished);
        }
    }
}

/// Returns the length of the body in bytes.
fn length(actions: &VecDeque<WireAction>) -> usize {
    let length = |action: &WireAction| match action {
        WireAction::Write { bytes, .. } => bytes.len(),
        _ => 0,
    };
    actions.iter().map(length).sum()
}

pub(super) fn header_map(head: &Head) -> HeaderMap {
    // hyper adds the date and the framing.
    let mut headers = HeaderMap::with_capacity(head.headers.len() + 2);
    for (name, value) in &head.headers {
        // Leave out invalid headers. Loading the scenario has already reported them.
        if let (Some(name), Ok(value)) =
            (name.http(), HeaderValue::from_maybe_shared(value.as_bytes().clone()))
        {
            headers.append(name.clone(), value);
        }
    }
    headers
}

impl Body for Performance {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.cut {
            return Poll::Pending;
        }
        loop {
            ready!(self.poll_pause(cx));
            match self.actions.front() {
                Some(WireAction::Write { .. }) => {
                    let Some(WireAction::Write { mut bytes, completes_frame }) = self.actions.pop_front()
                    else {
                        continue;
                    };
                    if let Some(Framing::Length(left)) = &mut self.framing {
                        bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                        *left -= bytes.len() as u64;
                    }
                    if bytes.is_empty() {
                        continue;
                    }
                    self.wrote = true;
                    if let Some(recorder) = &self.recorder {
                        recorder.wrote(&bytes, completes_frame);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(WireAction::Wait(time)) => {
                    let time = *time;
                    self.start_pause(time);
                    self.actions.pop_front();
                }
                // Without a wait, hyper polls again after its flush.
                Some(WireAction::Flush) => {
                    self.actions.pop_front();
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // An action with bytes is performed below HTTP. One without bytes only says that the rest
                // cannot be read.
                Some(WireAction::Raw { breaks, .. }) => {
                    if let (true, Some(recorder)) = (*breaks, &self.recorder) {
                        recorder.broke();
                    }
                    self.actions.pop_front();
                }
                Some(WireAction::Head(_)) => {
                    self.actions.pop_front();
                }
                Some(ending) => {
                    let ending = ending.clone();
                    ready!(self.poll_ending(&ending, cx));
                    return Poll::Ready(None);
                }
                None => return Poll::Ready(None),
            }
        }
    }

    /// Returns true early, so that hyper sends the end of the framing together with the last bytes.
    fn is_end_stream(&self) -> bool {
        let complete = match self.framing {
            Some(Framing::Chunked) => self.wrote,
            Some(Framing::Length(left)) => left == 0,
            _ => false,
        };
        complete && self.pause.is_none() && self.actions.front() == Some(&WireAction::Finish)
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Some(Framing::Length(left)) => SizeHint::with_exact(left),
            _ => SizeHint::default(),
        }
    }
}

impl Drop for Performance {
    fn drop(&mut self) {
        if self.is_end_stream() {
            return self.note_finished();
        }
        // hyper drops a body as soon as its length has been reached. A cut that the plan contains after that
        // still has to be performed on the connection.
        if !self.cut && matches!(self.framing, Some(Framing::Length(0))) {
            match self.actions.back() {
                Some(WireAction::Close) => {
                    self.line.take_over(SocketTakeover::Cut(ConnectionCut::Close, self.recorder.take()))
                }
                Some(WireAction::Reset) => {
                    self.line.take_over(SocketTakeover::Cut(ConnectionCut::Reset, self.recorder.take()))
                }
                _ => self.note_finished(),
            }
        }
    }
}
