//! Headless Chromium, driven by the DevTools protocol: <https://chromedevtools.github.io/devtools-protocol/>.

use std::{path::Path, process::Stdio, time::Duration};

use futures_util::{SinkExt, StreamExt};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// Longer than any step takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one page. It ends with the value.
pub struct Chromium {
    process: Child,
    _profile: TempDir,
    socket: WebSocketStream<TcpStream>,
    session: Option<String>,
    sent: u64,
    /// The events that arrived while a result was awaited.
    events: Vec<Value>,
}

impl Chromium {
    /// Starts the browser with an empty profile and without a network.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromium");
        command
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
            ])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND"])
            .arg("--remote-debugging-port=0")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut process = command.spawn().expect("chromium starts");
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(address) = line.strip_prefix("DevTools listening on ws://") {
                    return address.to_owned();
                }
            }
            panic!("chromium ended");
        });
        let address = address.await.expect("chromium says where its DevTools listen");
        // A full pipe would stop the browser.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (host, _) = address.split_once('/').unwrap();
        let stream = TcpStream::connect(host).await.unwrap();
        let (socket, _) = client_async(format!("ws://{address}"), stream).await.unwrap();
        let mut browser =
            Self { process, _profile: profile, socket, session: None, sent: 0, events: Vec::new() };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// Calls a method of the protocol and returns its result.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let id = self.sent;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.socket.send(Message::text(message.to_string())).await.unwrap();
        loop {
            let message = self.next().await;
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    async fn next(&mut self) -> Value {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("chromium answers");
            if let Message::Text(text) = message.expect("chromium runs").unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Opens a report and waits until it reacts. Returns the milliseconds that this took, as the page measured them.
    pub async fn open(&mut self, file: &Path, hash: &str) -> u64 {
        self.call("Page.navigate", json!({"url": "about:blank"})).await;
        self.call("Page.navigate", json!({"url": format!("file://{}{hash}", file.display())})).await;
        self.wait("document.documentElement?.dataset.ready").await;
        let ready = self.eval("document.documentElement.dataset.ready").await;
        ready.as_str().unwrap().parse().unwrap()
    }

    /// The value of an expression.
    pub async fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", params).await;
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// The value of an expression that is a string.
    pub async fn text(&mut self, expression: &str) -> String {
        self.eval(expression)
            .await
            .as_str()
            .unwrap_or_else(|| panic!("{expression} is not a text"))
            .to_owned()
    }

    /// Waits until a condition of the page is true.
    pub async fn wait(&mut self, condition: &str) {
        let expression = format!(
            "new Promise((done) => {{ const end = Date.now() + 10000;
                const look = () => ({condition}) ? done(true) : Date.now() > end ? done(false) : setTimeout(look, 5);
                look(); }})"
        );
        let result = self.eval(&expression).await;
        if result != true {
            let page = self.text("location.hash + document.body.innerText.slice(0, 2000)").await;
            panic!("this did not become true: {condition}\n{page}");
        }
    }

    /// Clicks an element with the mouse.
    pub async fn click(&mut self, selector: &str) {
        let place = self
            .eval(&format!(
                "(() => {{ const one = document.querySelector({selector:?}); one.scrollIntoView({{block: 'center'}});
                    const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
            ))
            .await;
        for kind in ["mousePressed", "mouseReleased"] {
            let params =
                json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", params).await;
        }
    }

    /// Presses a key: `Enter`, `Escape`, `ArrowDown`, `/`.
    pub async fn press(&mut self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        let text = match key {
            "Enter" => "\r",
            key if key.len() == 1 => key,
            _ => "",
        };
        let mut params = json!({"type": "keyDown", "key": key, "windowsVirtualKeyCode": code, "text": text});
        self.call("Input.dispatchKeyEvent", params.clone()).await;
        params["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", params).await;
    }

    /// Types a text into the focused field.
    pub async fn insert(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text})).await;
    }

    /// Errors, warnings and messages of the page, and requests to a network. A correct page has none.
    pub fn problems(&self) -> Vec<String> {
        self.events
            .iter()
            .filter(|event| match event["method"].as_str() {
                Some("Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded") => true,
                Some("Network.requestWillBeSent") => {
                    let url = event["params"]["request"]["url"].as_str().unwrap_or_default();
                    !["file:", "data:", "blob:", "about:"].iter().any(|scheme| url.starts_with(scheme))
                }
                _ => false,
            })
            .map(Value::to_string)
            .collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The browser and its renderers are one process group.
        if let Some(pid) = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}
