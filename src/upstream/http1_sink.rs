//! Performs a reply on an HTTP/1 connection. Writes also what no HTTP library would send.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::{
    attempt_recorder::AttemptRecorder,
    http1_connection::Http1Connection,
    http1_writer::{WrittenHead, end_body, write_body, write_head},
    performer::{ClientLeft, ReplySink},
    request_head::ReplyForm,
};
use crate::{
    fault::{Framing, Head, WireAction},
    observation::AttemptEnd,
};

/// The pause after a packet, as short as the runtime's clock allows.
pub(super) const BETWEEN_PACKETS: Duration = Duration::from_millis(1);

/// The number of packets that are followed by a pause. There are none after that, so that a split does not
/// make a long reply slow.
const MAX_PACED: u32 = 256;

/// The maximum number of bytes that wait in the buffer.
const MAX_DUE: usize = 64 * 1024;

pub(super) struct Http1Sink {
    connection: Http1Connection,
    form: ReplyForm,
    written: WrittenHead,
    packets: u32,
}

/// A connection after a reply that has not ended it.
pub(super) enum AfterReply {
    /// Another request may follow.
    Reusable(Http1Connection),
    /// The connection ends when the next request arrives, or when the case is healed.
    RefusesNext(Http1Connection),
    /// The connection has ended.
    Ended,
}

impl Http1Sink {
    pub(super) fn new(connection: Http1Connection, form: ReplyForm) -> Self {
        let written = WrittenHead { framing: Framing::None, last: false, dated: false };
        Self { connection, form, written, packets: 0 }
    }

    fn finish(&mut self) {
        if !self.form.head_only {
            end_body(self.written.framing, &mut self.connection.due);
        }
    }
}

impl ReplySink for Http1Sink {
    type Rest = AfterReply;

    async fn head(&mut self, head: &Head) -> Result<(), ClientLeft> {
        self.written = write_head(head, self.form, &mut self.connection.due);
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes, raw: bool) -> Result<(), ClientLeft> {
        if self.form.head_only {
            return Ok(());
        }
        let due = &mut self.connection.due;
        write_body(&bytes, if raw { Framing::None } else { self.written.framing }, due);
        if due.len() > MAX_DUE {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ClientLeft> {
        Ok(self.connection.flush().await?)
    }

    /// A packet must be sent before the next one is written, and read before the next one arrives, because
    /// the kernel joins bytes that wait for a reader.
    async fn packet(&mut self) -> Result<(), ClientLeft> {
        self.flush().await?;
        if self.packets < MAX_PACED {
            self.packets += 1;
            sleep(BETWEEN_PACKETS).await;
        } else {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn hear(&mut self, _: &str, _: &AttemptRecorder) -> Result<(), ClientLeft> {
        Ok(())
    }

    async fn left(&mut self, _: &AttemptRecorder) {
        self.connection.free_buffers();
        self.connection.left().await;
    }

    async fn end(mut self, ending: WireAction, recorder: AttemptRecorder) -> Result<AfterReply, ClientLeft> {
        let until_close = self.written.framing == Framing::UntilClose;
        // Write the ledger first, so that an observer who sees the end finds it there.
        match &ending {
            WireAction::Finish | WireAction::Overrun(_) | WireAction::CloseWhenReused => {
                self.finish();
                if let WireAction::Overrun(bytes) = &ending {
                    self.connection.due.extend_from_slice(bytes);
                }
                recorder.end(AttemptEnd::Finished);
                self.flush().await?;
            }
            other => {
                self.flush().await?;
                recorder.end(match other {
                    WireAction::CloseUnannounced if until_close => AttemptEnd::Finished,
                    WireAction::Reset | WireAction::RstStream(_) => AttemptEnd::Reset,
                    _ => AttemptEnd::Closed,
                });
            }
        }
        let Self { connection, written, .. } = self;
        match ending {
            WireAction::Finish | WireAction::Overrun(_) if !written.last => {
                return Ok(AfterReply::Reusable(connection));
            }
            WireAction::CloseWhenReused => return Ok(AfterReply::RefusesNext(connection)),
            WireAction::CloseUnannounced => connection.socket.close_unannounced(),
            WireAction::Reset | WireAction::RstStream(_) => connection.socket.reset(connection.written).await,
            _ => connection.socket.close().await,
        }
        Ok(AfterReply::Ended)
    }
}
