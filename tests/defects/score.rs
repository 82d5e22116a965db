//! The score: one line for a person, past what the test harness keeps to itself, and for `.ci/run` in a file.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

/// What is known of it so far: defects caught of how many, and cases with how many findings.
#[derive(Debug, Default)]
struct Score {
    defects: Option<(usize, usize)>,
    honest: Option<(usize, usize)>,
}

static SCORE: Mutex<Score> = Mutex::new(Score { defects: None, honest: None });

/// So many of the defects were caught.
pub fn defects(caught: usize, of: usize) {
    note(|score| score.defects = Some((caught, of)));
}

/// So many cases of the honest proxy, with so many findings.
pub fn honest(cases: usize, findings: usize) {
    note(|score| score.honest = Some((cases, findings)));
}

/// Tells the score as soon as both halves are there.
fn note(change: impl FnOnce(&mut Score)) {
    let mut score = SCORE.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut score);
    let (Some((caught, of)), Some((cases, findings))) = (score.defects, score.honest) else { return };
    let line = format!(
        "score: {caught} of {of} defects caught by the rule intended; {findings} findings of the honest proxy over {cases} cases"
    );
    tell(&line);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("score.txt");
    fs::write(file, line + "\n").expect("the score can be written");
}

/// A line that is seen although the tests pass: it is written to the handle itself.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "\n{line}");
}
