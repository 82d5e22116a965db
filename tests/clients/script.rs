//! Clients in other languages: scripts that read requests and write results as lines of JSON.

use std::{collections::HashMap, path::Path, process::Stdio};

use serde::Deserialize;
use tokio::{io::AsyncWriteExt, process::Command};

use super::client::{Ask, Got, TIME_OUT};

/// A program and the script that it runs.
pub struct Script {
    pub name: &'static str,
    program: String,
    /// Arguments with which the program succeeds if the client is installed.
    probe: &'static [&'static str],
    file: &'static str,
}

#[derive(Deserialize)]
struct Line {
    id: usize,
    #[serde(flatten)]
    got: Got,
}

impl Script {
    pub fn httpx(python: &str) -> Self {
        let probe: &[&str] = &["-c", "import httpx, h2"];
        Self { name: "httpx", program: python.to_owned(), probe, file: "httpx_client.py" }
    }

    /// Node's `fetch` is undici. Node 20 is the first version in which it supports HTTP/2.
    pub fn undici() -> Self {
        let probe: &[&str] = &["-e", "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)"];
        Self { name: "undici", program: "node".to_owned(), probe, file: "undici_client.mjs" }
    }

    pub async fn is_here(&self) -> bool {
        let mut command = Command::new(&self.program);
        command.args(self.probe).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.is_ok_and(|status| status.success())
    }

    /// Sends all requests concurrently, in one process.
    pub async fn ask(&self, asks: Vec<Ask>, ca: &Path) -> HashMap<usize, Got> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(self.file);
        let mut child = Command::new(&self.program)
            .arg(file)
            .arg(TIME_OUT.as_secs_f64().to_string())
            .arg(ca)
            .env("NODE_EXTRA_CA_CERTS", ca)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = String::new();
        for ask in &asks {
            lines.push_str(&serde_json::to_string(ask).unwrap());
            lines.push('\n');
        }
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(lines.as_bytes()).await.unwrap();
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} failed: {errors}", self.name);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| {
                let line: Line =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}\n{errors}"));
                (line.id, line.got)
            })
            .collect()
    }
}
