//! curl, with one process for each request.

use std::{collections::HashMap, path::Path, process::Stdio, sync::Arc};

use tokio::{io::AsyncWriteExt, process::Command, sync::Semaphore};

use super::client::{Ask, Got, TIME_OUT};

/// curl's exit code for a timeout.
const TIMED_OUT: &str = "28";

/// Maximum concurrent processes.
const AT_ONCE: usize = 24;

pub async fn is_here() -> bool {
    let version = Command::new("curl").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.await.is_ok_and(|status| status.success())
}

pub async fn ask(asks: Vec<Ask>, ca: &Path) -> HashMap<usize, Got> {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = tokio::task::JoinSet::new();
    for ask in asks {
        let (room, ca) = (room.clone(), ca.to_owned());
        tasks.spawn(async move {
            let _place = room.acquire_owned().await.unwrap();
            (ask.id, one(&ask, &ca).await)
        });
    }
    tasks.join_all().await.into_iter().collect()
}

async fn one(ask: &Ask, ca: &Path) -> Got {
    let mut command = Command::new("curl");
    command
        .args([
            "-q",
            "-sS",
            "--noproxy",
            "*",
            "--http2",
            "-o",
            "/dev/null",
            "-X",
            "POST",
            "--data-binary",
            "@-",
        ])
        .args(["-w", "%{http_code} %{size_download} %{exitcode}"])
        .args(["--max-time", &TIME_OUT.as_secs_f64().to_string(), "--cacert"])
        .arg(ca)
        .args(["-H", "Expect:"]);
    for (name, value) in &ask.headers {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    command
        .arg(&ask.url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // If curl cannot connect, it does not read the body.
    let _ = stdin.write_all(ask.body.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let reported = String::from_utf8_lossy(&output.stdout).into_owned();
    let words: Vec<&str> = reported.split(' ').collect();
    let [status, bytes, code] = words[..] else { panic!("curl reported {reported:?}") };
    Got {
        status: status.parse().ok().filter(|status| *status > 0),
        bytes: bytes.parse().unwrap(),
        error: (code != "0").then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        timed_out: code == TIMED_OUT,
    }
}
