//! The log of a process: a file that it writes itself, kept from filling the disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::task::JoinHandle;

/// A log that grows beyond this is cut down to its end.
pub(super) const LIMIT: u64 = 64 << 20;

/// What is left of a log that was cut, and the most that is read of any.
pub(super) const TAIL: u64 = 64 << 10;

/// How often the size is looked at: a process that writes 1 GB/s gets 100 MB beyond the limit.
const WATCH: Duration = Duration::from_millis(100);

/// A log file and its watch.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    watch: Option<JoinHandle<()>>,
}

impl Log {
    /// Begins an empty log. The file is open for appending, so that what is written after a cut
    /// goes to the new end.
    pub(super) fn create(path: PathBuf) -> io::Result<(Self, File)> {
        drop(File::create(&path)?);
        let file = OpenOptions::new().append(true).open(&path)?;
        Ok((Self { path, watch: None }, file))
    }

    /// Cuts the log whenever it is longer than `limit` bytes, until the log is dropped.
    pub(super) fn watch(&mut self, limit: u64) {
        let path = self.path.clone();
        self.watch = Some(tokio::spawn(async move {
            loop {
                tokio::time::sleep(WATCH).await;
                if path.metadata().is_ok_and(|file| file.len() > limit) {
                    // A log that cannot be cut is tried again; there is nobody to tell.
                    let _ = cut(&path);
                }
            }
        }));
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The last lines, of the last 64 KiB.
    pub(super) fn tail(&self, lines: usize) -> String {
        last_lines(&read_tail(&self.path).unwrap_or_default(), lines)
    }

    /// The same for an error message: indented, each line ended, cut to a readable width. An empty log
    /// and one that cannot be read are told apart.
    pub(super) fn quoted_tail(&self, lines: usize) -> String {
        let tail = match read_tail(&self.path) {
            Ok(bytes) => last_lines(&bytes, lines),
            Err(error) => return format!("  (its log cannot be read any more: {error})\n"),
        };
        let tail = tail.trim_matches('\n');
        if tail.is_empty() {
            return "  (it wrote nothing to its log)\n".to_owned();
        }
        tail.lines().map(|line| format!("  {}\n", line.chars().take(300).collect::<String>())).collect()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}

fn last_lines(bytes: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn read_tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn cut(path: &Path) -> io::Result<()> {
    let tail = read_tail(path)?;
    let mut file = OpenOptions::new().append(true).open(path)?;
    let length = file.metadata()?.len();
    file.set_len(0)?;
    writeln!(file, "[upfault: the log had {length} bytes; only its end was kept]")?;
    file.write_all(&tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_lines_even_of_bytes_that_are_no_text() {
        let folder = tempfile::tempdir().unwrap();
        let (log, mut file) = Log::create(folder.path().join("log")).unwrap();
        file.write_all(b"one\ntwo\n\xff\xfe\nfour\n").unwrap();
        assert_eq!(log.tail(2), "\u{fffd}\u{fffd}\nfour");
        assert_eq!(log.quoted_tail(1), "  four\n");
    }

    #[test]
    fn an_empty_log_and_one_that_was_removed_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (log, _file) = Log::create(folder.path().join("log")).unwrap();
        assert_eq!(log.quoted_tail(3), "  (it wrote nothing to its log)\n");
        std::fs::remove_file(log.path()).unwrap();
        assert!(
            log.quoted_tail(3).starts_with("  (its log cannot be read any more: "),
            "{}",
            log.quoted_tail(3)
        );
    }

    #[test]
    fn a_cut_keeps_the_end_and_later_writes_follow_it() {
        let folder = tempfile::tempdir().unwrap();
        let (log, mut file) = Log::create(folder.path().join("log")).unwrap();
        for _ in 0..3 {
            file.write_all(&vec![b'x'; usize::try_from(TAIL).unwrap()]).unwrap();
        }
        file.write_all(b"\nlast words\n").unwrap();
        cut(log.path()).unwrap();
        file.write_all(b"and more\n").unwrap();
        assert_eq!(log.tail(2), "last words\nand more");
        // The file did not become a sparse one of its old length.
        assert!(log.path().metadata().unwrap().len() < TAIL + 200);
    }
}
