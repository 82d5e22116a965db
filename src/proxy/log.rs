//! The log of a process: a file that the process itself writes, with a size limit.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::task::JoinHandle;

/// The size limit of a log. A larger log is cut to its end.
pub(super) const LIMIT: u64 = 64 << 20;

/// The number of bytes that a cut keeps, and the most that is read of any log.
pub(super) const TAIL: u64 = 64 << 10;

/// The interval between two checks of the size. In this time a process that writes 1 GB/s exceeds the limit
/// by 100 MB.
const WATCH: Duration = Duration::from_millis(100);

/// A log file and the task that limits its size.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    watch: Option<JoinHandle<()>>,
}

impl Log {
    /// Creates an empty log. The returned file is open for appending, so that a process that writes after a
    /// cut writes to the new end.
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
                    // If this fails, the next round tries again.
                    let _ = cut(&path);
                }
            }
        }));
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the last lines of the last 64 KiB.
    pub(super) fn tail(&self, lines: usize) -> String {
        last_lines(&read_tail(&self.path).unwrap_or_default(), lines)
    }

    /// Returns the last lines for an error message: each indented, cut to a readable width and ending with a
    /// newline. The text distinguishes an empty log from one that cannot be read.
    pub(super) fn quoted_tail(&self, lines: usize) -> String {
        let tail = match read_tail(&self.path) {
            Ok(bytes) => last_lines(&bytes, lines),
            Err(error) => return format!("  (its log can no longer be read: {error})\n"),
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
    fn the_tail_is_the_last_lines_even_if_they_are_not_utf_8() {
        let folder = tempfile::tempdir().unwrap();
        let (log, mut file) = Log::create(folder.path().join("log")).unwrap();
        file.write_all(b"one\ntwo\n\xff\xfe\nfour\n").unwrap();
        assert_eq!(log.tail(2), "\u{fffd}\u{fffd}\nfour");
        assert_eq!(log.quoted_tail(1), "  four\n");
    }

    #[test]
    fn the_text_distinguishes_an_empty_log_from_a_removed_one() {
        let folder = tempfile::tempdir().unwrap();
        let (log, _file) = Log::create(folder.path().join("log")).unwrap();
        assert_eq!(log.quoted_tail(3), "  (it wrote nothing to its log)\n");
        std::fs::remove_file(log.path()).unwrap();
        assert!(
            log.quoted_tail(3).starts_with("  (its log can no longer be read: "),
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
        // The file is not a sparse file of the old length.
        assert!(log.path().metadata().unwrap().len() < TAIL + 200);
    }
}
