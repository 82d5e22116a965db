//! What a proxy's own log holds that does not belong there: keys.
//!
//! A log is kept longer and read by more people than a configuration. It is no part of what a caller
//! is told, so it decides no case: the run tells it.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use crate::{
    event::{LogLeak, LogSecret},
    observation::Identity,
};

/// A log that is searched when its process has ended.
pub struct Searched {
    /// The file.
    pub path: PathBuf,
    /// The secrets of the proxy's own.
    pub secrets: Vec<String>,
}

/// What stands in the logs, each named by its place below `work_dir`. A log that cannot be read has
/// been told already by whoever needed it.
pub async fn search(logs: Vec<Searched>, work_dir: &Path) -> Vec<LogLeak> {
    let work_dir = work_dir.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let mut leaks = Vec::new();
        for Searched { path, secrets } in logs {
            let name = path.strip_prefix(&work_dir).unwrap_or(&path).display().to_string();
            let found = File::open(&path).and_then(|file| in_log(BufReader::new(file), &name, &secrets));
            leaks.extend(found.unwrap_or_default());
        }
        leaks
    });
    work.await.unwrap_or_default()
}

fn in_log(mut log: impl BufRead, name: &str, secrets: &[String]) -> io::Result<Vec<LogLeak>> {
    let mut leaks: Vec<LogLeak> = Vec::new();
    let mut line = Vec::new();
    let mut number = 0;
    while log.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        let text = String::from_utf8_lossy(&line);
        let own = secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret.as_str()));
        let found = [(LogSecret::ProviderKey, Identity::stands_in(&text)), (LogSecret::ProxySecret, own)];
        for (secret, _) in found.into_iter().filter(|(_, found)| *found) {
            match leaks.iter_mut().find(|leak| leak.secret == secret) {
                Some(leak) => leak.lines += 1,
                None => leaks.push(LogLeak { log: name.to_owned(), secret, lines: 1, first_line: number }),
            }
        }
        line.clear();
    }
    Ok(leaks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(log: &[u8]) -> Vec<(LogSecret, u64, u64)> {
        let leaks = in_log(log, "log", &["sk-proxy-0".to_owned(), String::new()]).unwrap();
        leaks.into_iter().map(|leak| (leak.secret, leak.lines, leak.first_line)).collect()
    }

    #[test]
    fn each_kind_of_secret_is_told_once_with_its_first_line() {
        let key = Identity { token: "abcdefghijkl".to_owned() }.key("main");
        let log = format!("begins\nkey={key}\nnothing\nsk-proxy-0 calls with {key}\n");
        assert_eq!(found(log.as_bytes()), [(LogSecret::ProviderKey, 2, 2), (LogSecret::ProxySecret, 1, 4)]);
    }

    #[test]
    fn a_log_without_secrets_and_one_that_is_no_text_say_nothing() {
        assert_eq!(found(b""), []);
        assert_eq!(found(b"\xff\xfe\nsk-c****main, sk-proxy-\nno end of line"), []);
    }
}
