//! Searches the logs of proxies for keys.
//!
//! Logs are kept longer and read by more people than configurations. Callers do not see them, so a key in a log does not
//! affect verdicts: it is a warning of the run.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use crate::{
    event::{LogLeak, LogSecret},
    observation::Identity,
};

/// A log to search after its process has ended.
pub(super) struct SearchedLog {
    /// The file.
    pub path: PathBuf,
    /// The proxy's own keys.
    pub secrets: Vec<String>,
}

/// Finds keys in logs. Paths in the result are relative to `work_dir`. Logs that cannot be read are ignored.
pub(super) async fn search(logs: Vec<SearchedLog>, work_dir: &Path) -> Vec<LogLeak> {
    let work_dir = work_dir.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let mut leaks = Vec::new();
        for SearchedLog { path, secrets } in logs {
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
        let found = [(LogSecret::ProviderKey, Identity::contains_key(&text)), (LogSecret::ProxySecret, own)];
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
    fn each_kind_of_secret_is_reported_once_with_its_first_line() {
        let key = Identity { token: "abcdefghijkl".to_owned() }.key("main");
        let log = format!("begins\nkey={key}\nnothing\nsk-proxy-0 calls with {key}\n");
        assert_eq!(found(log.as_bytes()), [(LogSecret::ProviderKey, 2, 2), (LogSecret::ProxySecret, 1, 4)]);
    }

    #[test]
    fn a_log_without_secrets_and_one_that_is_not_text_have_no_leaks() {
        assert_eq!(found(b""), []);
        assert_eq!(found(b"\xff\xfe\nsk-c****main, sk-proxy-\nno end of line"), []);
    }
}
