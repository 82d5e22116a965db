//! Generates load: on connections that stay open, with as little client work as possible.

use std::{io, io::Write, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// The placeholder for the number of a request, in its body.
pub const NUMBER: &[u8] = b"00000000";

/// A connection that sends one request at a time.
pub struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    /// The position of the number in the request.
    number_at: usize,
    sent: u32,
    received: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr, request: Vec<u8>) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let number_at = request.windows(NUMBER.len()).position(|bytes| bytes == NUMBER);
        let number_at = number_at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { stream, request, number_at, sent: 0, received: Vec::new() })
    }

    /// Sends a request and reads the complete response.
    pub async fn exchange(&mut self) -> io::Result<()> {
        self.send_and_read_until(is_complete).await
    }

    /// Sends a request and reads until this many events of the stream have arrived.
    pub async fn read_events(&mut self, events: usize) -> io::Result<()> {
        let arrived =
            |received: &[u8]| received.windows(6).filter(|bytes| bytes == b"data: ").count() >= events;
        self.send_and_read_until(arrived).await?;
        // A benchmark keeps 10,000 connections open: this frees their buffers.
        self.received = Vec::new();
        Ok(())
    }

    async fn send_and_read_until(&mut self, done: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        // Every prompt differs, so that a server gains nothing from a cache.
        self.sent += 1;
        write!(&mut self.request[self.number_at..], "{:08}", self.sent)?;
        self.stream.write_all(&self.request).await?;
        self.received.clear();
        while self.stream.read_buf(&mut self.received).await? > 0 {
            if done(&self.received) {
                return Ok(());
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Whether this is a complete HTTP/1.1 response, in the format of these servers.
fn is_complete(received: &[u8]) -> bool {
    let Some(head) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let (head, body) = (&received[..head], &received[head + 4..]);
    const LENGTH: &[u8] = b"\r\ncontent-length: ";
    match head.windows(LENGTH.len()).position(|bytes| bytes == LENGTH) {
        Some(at) => {
            let digits = head[at + LENGTH.len()..].iter().take_while(|byte| byte.is_ascii_digit());
            body.len() >= digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
        }
        None => body.ends_with(b"\r\n0\r\n\r\n"),
    }
}

/// Several connections to one server.
pub struct Pool {
    connections: Vec<Connection>,
}

impl Pool {
    pub async fn open(address: SocketAddr, connections: usize, request: Vec<u8>) -> io::Result<Self> {
        let mut pool = Self { connections: Vec::with_capacity(connections) };
        for _ in 0..connections {
            pool.connections.push(Connection::open(address, request.clone()).await?);
        }
        Ok(pool)
    }

    /// Sends `each` requests on every connection.
    pub async fn send(&mut self, each: usize) -> io::Result<()> {
        let work = move |mut connection: Connection, _| async move {
            for _ in 0..each {
                connection.exchange().await?;
            }
            Ok((connection, ()))
        };
        self.drive(work).await.map(drop)
    }

    /// Does `work` on every connection concurrently and returns the results. `work` gets the connection and its number.
    pub async fn drive<T, F>(&mut self, work: impl Fn(Connection, usize) -> F) -> io::Result<Vec<T>>
    where
        T: Send + 'static,
        F: Future<Output = io::Result<(Connection, T)>> + Send + 'static,
    {
        let mut running = JoinSet::new();
        for (number, connection) in self.connections.drain(..).enumerate() {
            running.spawn(work(connection, number));
        }
        let mut results = Vec::new();
        while let Some(done) = running.join_next().await {
            let (connection, result) = done??;
            self.connections.push(connection);
            results.push(result);
        }
        Ok(results)
    }
}
