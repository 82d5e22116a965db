//! HTTP/2 connections that stall before a request is answered.

use std::{future::poll_fn, task::Poll};

use bytes::Bytes;
use h2::server;
use tokio::io::AsyncReadExt;

use super::{lent_socket::lend, socket::Socket};

/// Reads an HTTP/2 connection and sends nothing. Resolves when the client cancels a request (RST_STREAM, RFC
/// 9113 section 6.4) or leaves.
pub(super) async fn send_nothing(mut socket: Socket) {
    const PREFACE: usize = 24;
    const HEAD: usize = 9;
    const RST_STREAM: u8 = 3;
    let mut skip = PREFACE;
    let mut head = Vec::with_capacity(HEAD);
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = socket.read(&mut bytes).await {
        let mut rest = &bytes[..n];
        while !rest.is_empty() {
            let skipped = skip.min(rest.len());
            skip -= skipped;
            rest = &rest[skipped..];
            let taken = rest.len().min(HEAD - head.len());
            head.extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if let [a, b, c, kind, ..] = head[..]
                && head.len() == HEAD
            {
                if kind == RST_STREAM {
                    return;
                }
                skip = u32::from_be_bytes([0, a, b, c]) as usize;
                head.clear();
            }
        }
    }
}

/// Accepts requests but neither reads them to their end nor answers them, so the client's window is never
/// opened again. Resolves when the client cancels a request or leaves.
pub(super) async fn never_open_the_window(socket: Socket) {
    let (lent, _owner) = lend(socket);
    // The initial window of RFC 9113 section 6.9.2, which the mock does not change.
    let Ok(mut connection) = server::Builder::new().handshake::<_, Bytes>(lent).await else { return };
    // Reading or dropping these would open the client's window.
    let mut held = Vec::new();
    poll_fn(|cx| {
        while let Poll::Ready(accepted) = connection.poll_accept(cx) {
            match accepted {
                Some(Ok(accepted)) => held.push(accepted),
                _ => return Poll::Ready(()),
            }
        }
        let given_up = held.iter_mut().any(|(_, out)| out.poll_reset(cx).is_ready());
        if given_up { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
