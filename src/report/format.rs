//! Report formats, and the reporter that writes a report in one of them.

use std::{
    fmt,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{
    RecordedRun, Reporter, badge, durations, github, gitlab, html, json_text, junit, markdown, sarif,
};
use crate::snapshot::write_atomically_with;

/// A format in which a report can be written: one row in [`ReportFormat::ALL`] and one file.
#[derive(Clone, Copy)]
pub(crate) struct ReportFormat {
    /// The name in `--report NAME=PATH`.
    pub(crate) name: &'static str,
    render: fn(&RecordedRun, &mut dyn Write) -> io::Result<()>,
}

impl ReportFormat {
    /// All formats.
    pub(crate) const ALL: [Self; 11] = [
        Self { name: "json", render: json_text::render_lean },
        Self { name: "json-full", render: json_text::render_full },
        Self { name: "junit", render: junit::render },
        Self { name: "markdown", render: markdown::render },
        Self { name: "github", render: github::render },
        Self { name: "durations", render: durations::render },
        Self { name: "gitlab", render: gitlab::render },
        Self { name: "sarif", render: sarif::render },
        Self { name: "badge", render: badge::render },
        Self { name: "badge-endpoint", render: badge::render_endpoint },
        Self { name: "html", render: html::render },
    ];

    /// The names of all formats.
    pub(crate) const NAMES: [&str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let mut n = 0;
        while n < names.len() {
            names[n] = Self::ALL[n].name;
            n += 1;
        }
        names
    };

    /// The format with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name == name)
    }
}

impl fmt::Debug for ReportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for ReportFormat {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ReportFormat {}

/// Where a report is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReportTarget {
    /// Standard output.
    Stdout,
    /// A file. It is replaced atomically, and its folder is created if needed.
    File(PathBuf),
}

/// Writes a report at the end of a run.
pub(crate) struct FileReporter {
    format: ReportFormat,
    target: ReportTarget,
}

impl FileReporter {
    /// Writes to `target`.
    pub(crate) fn new(format: ReportFormat, target: ReportTarget) -> Self {
        Self { format, target }
    }
}

impl Reporter for FileReporter {
    fn finish(&mut self, run: &RecordedRun) -> io::Result<()> {
        let render = self.format.render;
        match &self.target {
            ReportTarget::Stdout => {
                let mut out = BufWriter::new(io::stdout().lock());
                render(run, &mut out)?;
                out.flush()
            }
            ReportTarget::File(path) => {
                write_atomically_with(path, |out| render(run, out)).map_err(|error| unwritable(path, &error))
            }
        }
    }
}

/// Names the report that cannot be written.
pub(super) fn unwritable(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write the report {}: {error}", path.display()))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        event::{CaseReport, Event},
        judge::Verdict,
        observation::ExchangeOutcome,
        report::{
            inert::is_unsafe,
            recorded_run::RunRecorder,
            sample::{failing, finish, started},
        },
    };

    /// A run with these cases.
    pub(in crate::report) fn recorded(cases: Vec<CaseReport>) -> RecordedRun {
        let mut recorder = RunRecorder::new(&std::env::temp_dir(), None).unwrap();
        recorder.add(&started(cases.len())).unwrap();
        cases.into_iter().for_each(|case| recorder.add(&Event::CaseFinished(Arc::new(case))).unwrap());
        let Event::RunFinished(end) = finish() else { panic!("not the end") };
        recorder.add(&finish()).unwrap();
        recorder.finish(&end)
    }

    /// Renders a run with these cases.
    pub(in crate::report) fn rendered(format: &str, cases: Vec<CaseReport>) -> String {
        let mut out = Vec::new();
        (ReportFormat::named(format).unwrap().render)(&recorded(cases), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_names_of_formats_are_unique() {
        for format in ReportFormat::ALL {
            assert_eq!(ReportFormat::ALL.iter().filter(|other| **other == format).count(), 1);
        }
        assert!(ReportFormat::named("xml").is_none());
    }

    /// A case whose every text from the wire is hostile. Only the observation contains secrets, and what follows from it.
    fn hostile() -> CaseReport {
        let text = "<script>alert(1)</script><img src=x onerror=alert(1)>]]></failure>--> \u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m \
                    \u{202e}evil\u{2066}\u{200f} ```\n::error::x\r\n::set-output name=a::b\n\"'`| \u{0}\u{ffff}";
        let mut case = failing("hostile/case");
        let observation = case.observation.as_mut().unwrap();
        let arrangement = &observation.arrangement;
        let keys = format!("{} {}", arrangement.deployments[0].key, arrangement.proxy_secrets[0]);
        if let ExchangeOutcome::Answer(answer) = &mut observation.exchanges[0].outcome {
            answer.headers.push(("x-hostile".to_owned(), format!("{text}{keys}")));
            answer.headers.push(("x-large".to_owned(), "h".repeat(10 * 1024 * 1024)));
            answer.body.text = format!("{text}{keys}");
        }
        observation.attempts[0].sent.body = format!("{text}{keys}");
        for finding in &mut case.findings {
            finding.observed = format!("{text} {keys} {}", "w".repeat(100_000));
            finding.evidence = vec![format!("{text} {keys}")];
        }
        case.reason = Some(format!("{text} {keys}"));
        case
    }

    #[test]
    fn a_hostile_answer_is_inert_in_every_format_and_no_report_contains_a_secret() {
        let case = hostile();
        let arrangement = &case.observation.as_ref().unwrap().arrangement;
        let secrets = [arrangement.deployments[0].key.clone(), arrangement.proxy_secrets[0].clone()];
        let mut changed =
            CaseReport { verdict: Verdict::Changed, id: "hostile/changed".to_owned(), ..case.clone() };
        changed.findings.clear();
        let mut small = case.clone();
        for other in [&mut changed, &mut small] {
            if let ExchangeOutcome::Answer(answer) =
                &mut other.observation.as_mut().unwrap().exchanges[0].outcome
            {
                answer.headers.retain(|(name, _)| name != "x-large");
            }
        }
        // As in a run: secrets are replaced when the case ends.
        let cases = vec![
            case.completed(),
            changed.completed(),
            CaseReport { verdict: Verdict::Inconclusive, id: "hostile/unclear".to_owned(), ..small.clone() }
                .completed(),
            CaseReport { verdict: Verdict::Known, id: "hostile/known".to_owned(), ..small }.completed(),
        ];
        let run = recorded(cases);
        for format in ReportFormat::ALL {
            let name = format.name;
            let mut out = Vec::new();
            (format.render)(&run, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "{name} contains {secret}");
            }
            let unsafe_character = text.chars().find(|c| is_unsafe(*c) && *c != '\n');
            assert_eq!(unsafe_character, None, "{name} contains an unsafe character");
            match name {
                "json" | "json-full" | "gitlab" | "sarif" | "badge-endpoint" => {
                    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{name} is not JSON");
                }
                "github" => {
                    let is_command =
                        |line: &str| line.starts_with("::error ") || line.starts_with("::warning ");
                    assert!(text.lines().all(is_command), "{name} contains another command");
                }
                // Markdown displays the text inside of fences only.
                "markdown" => {
                    let outside: Vec<&str> = text.split("```").step_by(2).collect();
                    assert_eq!(outside.len() * 2 - 1, text.split("```").count(), "a fence is open");
                    assert!(!outside.concat().contains("<script") && !outside.concat().contains("<img"));
                }
                _ => assert!(
                    !text.contains("<script>alert") && !text.contains("<img src=x"),
                    "{name} is not inert"
                ),
            }
        }
    }
}
