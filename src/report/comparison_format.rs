//! The formats in which a comparison can be written.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use super::{
    format::{ReportTarget, unwritable},
    inert::write_json,
    markdown::inline,
    terminal_groups::plural,
};
use crate::{
    compare::{CauseGroup, ChangeCause, Comparison},
    snapshot::write_atomically,
};

/// The maximum size of Markdown in bytes: GitHub rejects a larger job summary.
const MAX_BYTES: usize = 1024 * 1024 - 1000;

/// How many cases a line of Markdown names.
const NAMED: usize = 20;

/// A format in which a comparison can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ComparisonFormat {
    /// As `upfault schema comparison` describes it.
    Json,
    /// A table of the causes, with the cases of each.
    Markdown,
}

impl ComparisonFormat {
    /// The format with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "markdown" => Some(Self::Markdown),
            _ => None,
        }
    }

    /// Renders a comparison.
    ///
    /// # Errors
    ///
    /// If it cannot be serialized.
    pub(crate) fn render(self, comparison: &Comparison) -> io::Result<String> {
        match self {
            Self::Json => {
                let mut text = Vec::new();
                write_json(&mut text, comparison)?;
                String::from_utf8(text).map_err(io::Error::other)
            }
            Self::Markdown => Ok(markdown(comparison)),
        }
    }
}

/// Writes a finished report to its target. A file is replaced atomically.
///
/// # Errors
///
/// If the target cannot be written. A closed pipe is not an error.
pub(crate) fn write_report(target: &ReportTarget, text: &str) -> io::Result<()> {
    match target {
        ReportTarget::File(path) => write_atomically(path, text).map_err(|error| unwritable(path, &error)),
        ReportTarget::Stdout => match io::stdout().lock().write_all(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        },
    }
}

fn markdown(comparison: &Comparison) -> String {
    let mut text = String::new();
    for step in &comparison.steps {
        let _ = writeln!(text, "## upfault: {} → {}\n", inline(&step.from), inline(&step.to));
        let counts = &step.counts;
        let _ = writeln!(
            text,
            "{} worse, {} better, {} different ({} only in wording), {} the same (policy {})\n",
            counts.worse,
            counts.better,
            counts.different,
            counts.wording,
            counts.same,
            inline(&comparison.policy)
        );
        for left_out in &step.not_compared {
            let _ = writeln!(
                text,
                "- not compared: {}, {}",
                plural(left_out.cases.len(), "case"),
                inline(&left_out.reason)
            );
        }
        if step.causes.is_empty() {
            continue;
        }
        text.push_str("\n| | cases | what changed | rules | common to the cases |\n|---|---:|---|---|---|\n");
        for cause in &step.causes {
            let row = format!(
                "| {} | {} | {} | {} | {} |\n",
                cause.compared_as,
                cause.cases.len(),
                inline(&cause.change),
                inline(&rules(cause)),
                inline(&cause.scope.describe())
            );
            if !push(&mut text, &row) {
                return text;
            }
        }
        text.push('\n');
        for cause in step.causes.iter().filter(|cause| cause.group() != CauseGroup::Wording) {
            let ids: Vec<String> = cause.cases.iter().take(NAMED).map(|case| inline(&case.id)).collect();
            let more = cause.cases.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let part = format!(
                "<details><summary>{}: {}</summary>\n\n{}{more}\n\n</details>\n",
                cause.compared_as,
                inline(&cause.change),
                ids.join(", ")
            );
            if !push(&mut text, &part) {
                return text;
            }
        }
    }
    text
}

/// Adds a part if it fits; otherwise a note, and returns false.
fn push(text: &mut String, part: &str) -> bool {
    let fits = text.len() + part.len() <= MAX_BYTES;
    text.push_str(if fits { part } else { "\nThe rest is left out: the summary would be too large.\n" });
    fits
}

fn rules(cause: &ChangeCause) -> String {
    let part = |word: &str, rules: &std::collections::BTreeMap<String, usize>| {
        let names: Vec<&str> = rules.keys().map(String::as_str).collect();
        if names.is_empty() { String::new() } else { format!("{word} {}", names.join(", ")) }
    };
    let parts = [part("newly broken:", &cause.breaks), part("fixed:", &cause.keeps)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{
        compare::{
            CaseFact, CaseFacts, CaseState, ComparedCase, ComparedRun, ComparedSide, ExchangeFacts, FactKind,
        },
        observation::StepName,
        scenario::{Api, Combination, Provider, schema_of},
    };

    fn comparison(texts: [&str; 2]) -> Comparison {
        let runs = texts.map(|text| {
            let fact = CaseFact { kind: FactKind::ErrorType, subject: String::new(), value: text.to_owned() };
            let exchange = ExchangeFacts { step: StepName::Step(1), took_ms: 1.0, seen: vec![fact] };
            let case = ComparedCase {
                id: "a/b".to_owned(),
                scenario: "a/b".to_owned(),
                combination: Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: false },
                state: CaseState::Judged {
                    broken: Default::default(),
                    facts: CaseFacts { stopped: None, exchanges: vec![exchange] },
                },
            };
            let side = ComparedSide { label: text.to_owned(), ..ComparedSide::default() };
            ComparedRun { side, cases: vec![case], repeated: Vec::new() }
        });
        Comparison::new(&runs, "default".to_owned())
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "`just schema` sets the variable")]
    fn the_stored_schema_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/comparison.schema.json");
        let now = schema_of::<Comparison>();
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            fs::write(&path, &now).unwrap();
        }
        let kept = fs::read_to_string(path).unwrap_or_default();
        assert!(kept == now, "schema/comparison.schema.json is out of date: run `just schema`");
    }

    #[test]
    fn json_can_be_read_again() {
        let comparison = comparison(["one", "two"]);
        let text = ComparisonFormat::Json.render(&comparison).unwrap();
        assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), comparison);
    }

    #[test]
    fn hostile_text_is_inert_in_markdown() {
        let hostile = "</details><script>|`\u{1b}[31m\n# x";
        let text = ComparisonFormat::Markdown.render(&comparison(["one", hostile])).unwrap();
        assert!(!text.contains("<script>") && !text.contains('\u{1b}') && !text.contains("\n# x"), "{text}");
        assert!(text.contains("| different | 1 |"), "{text}");
        assert_eq!(text.matches("</details>").count(), 1, "{text}");
    }
}
