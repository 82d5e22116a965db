//! A program that listens until a signal ends it (`serve`, `record`, `run --watch`), and raw requests to it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::stage::Stage;

/// Longer than any step of the tests takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program.
pub struct Listening {
    child: Child,
    /// `127.0.0.1:PORT`; empty if the program does not listen.
    pub address: String,
    /// The lines of standard output and standard error, in the order in which they were written.
    lines: Receiver<String>,
    /// The lines so far.
    pub seen: Vec<String>,
}

/// A response as bytes.
pub struct RawResponse {
    pub bytes: Vec<u8>,
}

impl Listening {
    /// Starts a program whose first line names its address.
    pub fn start(stage: &Stage, args: &[&str]) -> Self {
        Self::of(stage.command(args))
    }

    /// Starts a command whose first line names its address.
    pub fn of(command: Command) -> Self {
        let mut started = Self::silent(command);
        let first = started.line_with("listening on http://");
        let (_, address) = first.split_once("listening on http://").expect("the address is in the line");
        started.address = address.trim().to_owned();
        started
    }

    /// Starts a command that need not listen.
    pub fn silent(mut command: Command) -> Self {
        // One pipe for both streams, so that their lines stay in the order in which they were written.
        let (reader, writer) = std::io::pipe().unwrap();
        let child = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
        // The command holds the writing end open.
        drop(command);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, address: String::new(), lines, seen: Vec::new() }
    }

    /// Waits for a line that contains this text.
    #[track_caller]
    pub fn line_with(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => panic!("no line with `{text}`; there were:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Sends a request on a connection of its own and reads the response to its end.
    pub fn post(&self, path: &str, body: &str) -> RawResponse {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.send(&mut stream, path, body);
        let mut bytes = Vec::new();
        // A reset ends the response too.
        let _ = stream.read_to_end(&mut bytes);
        RawResponse { bytes }
    }

    /// Sends a request and leaves the connection open.
    pub fn send(&self, stream: &mut TcpStream, path: &str, body: &str) {
        let (host, length) = (&self.address, body.len());
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
    }

    /// Arms a mock on `serve` and returns the path of its base URL.
    pub fn arm(&self, request: &str) -> String {
        let answer = self.post("/_upfault/arm", request);
        let text = String::from_utf8(answer.body()).unwrap();
        let armed: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let url = armed["base_url"].as_str().unwrap_or_else(|| panic!("{text}"));
        url.strip_prefix(&format!("http://{}", self.address)).unwrap().to_owned()
    }

    /// Waits for the end of the program, and returns its exit code.
    pub fn code(&mut self) -> Option<i32> {
        let code = self.child.wait().unwrap().code();
        self.seen.extend(self.lines.iter());
        code
    }

    /// Sends a signal, and returns the exit code.
    pub fn end(&mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
        self.code()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The key of every request.
pub const KEY: &str = "sk-proj-9f8Zq1Lk77TrW0";

impl RawResponse {
    /// The bytes after the head.
    pub fn body(&self) -> Vec<u8> {
        self.bytes[self.head_length()..].to_vec()
    }

    /// The head without its date, and the rest.
    pub fn undated(&self) -> String {
        let (head, body) = self.bytes.split_at(self.head_length());
        let head = String::from_utf8(head.to_vec()).unwrap();
        let lines: Vec<&str> = head.split("\r\n").filter(|line| !line.starts_with("date: ")).collect();
        lines.join("\r\n") + &String::from_utf8_lossy(body)
    }

    fn head_length(&self) -> usize {
        let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n");
        end.map_or(self.bytes.len(), |end| end + 4)
    }
}
