//! The score of the judge: a line on standard error, which the test harness does not capture, and a file for `.ci/run`.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

/// The known parts of the score: caught and all defects; cases and findings of the honest proxy.
#[derive(Debug, Default)]
struct Score {
    defects: Option<(usize, usize)>,
    honest: Option<(usize, usize)>,
}

static SCORE: Mutex<Score> = Mutex::new(Score { defects: None, honest: None });

/// Records how many of the defects were caught.
pub fn defects(caught: usize, of: usize) {
    note(|score| score.defects = Some((caught, of)));
}

/// Records the cases of the honest proxy and their findings.
pub fn honest(cases: usize, findings: usize) {
    note(|score| score.honest = Some((cases, findings)));
}

/// Changes the score, and prints it when both parts are known.
fn note(change: impl FnOnce(&mut Score)) {
    let mut score = SCORE.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut score);
    let (Some((caught, of)), Some((cases, findings))) = (score.defects, score.honest) else { return };
    let line = format!(
        "score: {caught} of {of} defects caught by the intended rule; {findings} findings about the honest proxy in {cases} cases"
    );
    print(&line);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("score.txt");
    fs::write(file, line + "\n").expect("the score can be written");
}

/// Prints a line that is visible even if the test passes: it writes to the handle directly.
pub fn print(line: &str) {
    let _ = writeln!(io::stderr(), "\n{line}");
}
