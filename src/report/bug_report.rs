//! A case as a bug report in Markdown, for the tracker of the proxy.

use std::fmt::Write as _;

use super::{
    bug_report_wire::{exchanges, fence},
    links::link,
    markdown::inline,
    paint::{cut, safe},
};
use crate::{
    event::CaseReport,
    judge::{self, Finding},
    observation::StepName,
    scenario::Level,
};

/// The maximum size in bytes. GitHub rejects an issue with more than 65,536 characters.
const MAX_BYTES: usize = 60_000;

/// How much of a finding's text is shown, in characters.
const TEXT: usize = 1_000;

/// What a bug report says about a case that breaks the contract.
pub(crate) struct BugReport<'a> {
    /// The case.
    pub(crate) case: &'a CaseReport,
    /// `litellm 1.102.4`
    pub(crate) proxy: &'a str,
    /// The version of upfault that ran the case.
    pub(crate) upfault: &'a str,
    /// The names and versions of other software on the machine of the run; empty if unknown.
    pub(crate) versions: &'a [(String, String)],
    /// How to see the behaviour with a few commands, or why that is impossible.
    pub(crate) steps: Result<&'a [ReproStep], &'a str>,
    /// The command that runs the case again.
    pub(crate) again: &'a str,
}

/// One step to see the behaviour: an explanation, and lines for a POSIX shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReproStep {
    /// Markdown.
    pub(crate) text: String,
    /// The lines.
    pub(crate) lines: String,
}

impl BugReport<'_> {
    /// The report in Markdown. Text from the wire is inert in it.
    pub(crate) fn markdown(&self) -> String {
        let Self { case, proxy, .. } = self;
        let mut text = format!(
            "# {} fails a check: {}\n\n{}\n\n",
            inline(proxy),
            inline(&case.title),
            inline(&case.why)
        );
        if let Some(note) = case.time_note() {
            let _ = writeln!(text, "It ran with {note}.\n");
        }
        self.versions(&mut text);
        text.push_str("\n## Expected and observed\n\n");
        let (required, others): (Vec<&Finding>, Vec<&Finding>) =
            case.findings.iter().partition(|finding| finding.level == Level::Required);
        for finding in &required {
            self::finding(&mut text, finding);
        }
        if !others.is_empty() {
            text.push_str("Recommended, and not the case either:\n\n");
            for finding in others {
                let _ = writeln!(text, "- {}: {}", title(finding), quoted(&finding.observed));
            }
            text.push('\n');
        }
        let sdks = self.sdks();
        let steps = self.steps();
        let end = format!("{sdks}{steps}");
        text.push_str("## Both sides of the proxy\n\n");
        text.push_str("Placeholders in angle brackets replace keys. Tokens that contain `canary` are unique texts in the \
                       provider's replies.\n\n");
        let parts = exchanges(case);
        let limit = MAX_BYTES.saturating_sub(end.len() + 200);
        for (n, part) in parts.iter().enumerate() {
            if text.len() + part.len() > limit {
                let left = parts.len() - n;
                let _ = writeln!(text, "{left} more parts are left out: the report would be too large.\n");
                break;
            }
            text.push_str(part);
        }
        text.push_str(&end);
        text
    }

    fn versions(&self, text: &mut String) {
        text.push_str("| | |\n|---|---|\n");
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(text, "| {} | {} |", inline(name), inline(value));
        };
        row("Proxy", self.proxy);
        for (name, version) in self.versions {
            row(name, version);
        }
        row("upfault", self.upfault);
        row("Case", &self.case.id);
    }

    fn sdks(&self) -> String {
        let mut text = String::new();
        let views = || self.case.sdk_view.iter().filter(|view| view.step != StepName::Recovery);
        let several = views().count() > 1;
        for view in views() {
            for sdk in &view.sdks {
                let words = sdk.describe();
                let step = if several { format!(" ({})", view.step) } else { String::new() };
                let _ = writeln!(
                    text,
                    "- {} {}{step}: {}",
                    sdk.sdk.as_str(),
                    inline(&sdk.release),
                    inline(&words)
                );
            }
        }
        match text.is_empty() {
            true => text,
            false => format!("## What a program sees that uses an official SDK\n\n{text}\n"),
        }
    }

    fn steps(&self) -> String {
        let mut text = "## How to reproduce it\n\n".to_owned();
        match self.steps {
            Ok(steps) => {
                text.push_str("In one shell, one block after the other:\n\n");
                for (n, step) in (1..).zip(steps) {
                    let _ = write!(text, "{n}. {}\n\n{}\n", step.text, fence("sh", &step.lines));
                }
                let _ = writeln!(
                    text,
                    "upfault does all of this and checks the result:\n\n{}",
                    fence("sh", self.again)
                );
            }
            Err(reason) => {
                let _ = writeln!(
                    text,
                    "This case cannot be reproduced without upfault: {}. This command runs it, and keeps the proxy and the \
                     mock provider running for further requests:\n\n{}",
                    inline(reason),
                    fence("sh", self.again)
                );
            }
        }
        text
    }
}

fn finding(text: &mut String, finding: &Finding) {
    let _ = writeln!(text, "### {}\n", title(finding));
    let _ = writeln!(text, "- Expected: {}", quoted(&finding.expected));
    let _ = writeln!(text, "- Observed: {}", quoted(&finding.observed));
    for line in &finding.evidence {
        let _ = writeln!(text, "  - {}", quoted(line));
    }
    if let Some(rule) = judge::rule(&finding.rule) {
        let links: Vec<String> = rule.references.iter().map(|reference| linked(reference)).collect();
        let see = if links.is_empty() { String::new() } else { format!(" See {}.", links.join(", ")) };
        let _ = writeln!(text, "- Why: {}{see}", inline(rule.reason));
    }
    text.push('\n');
}

/// The title of the rule, and its id.
fn title(finding: &Finding) -> String {
    match judge::rule(&finding.rule) {
        Some(rule) => format!("{} (`{}`)", inline(rule.title), rule.id),
        None => inline(&finding.rule),
    }
}

fn linked(reference: &str) -> String {
    match link(reference) {
        Some(address) => format!("[{}]({address})", inline(reference)),
        None => inline(reference),
    }
}

/// Text from the wire as a code span: it is neither markup nor a mention of a person or an issue.
fn quoted(text: &str) -> String {
    let text = safe(&cut(text, TEXT));
    let longest = text.split(|c: char| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    let gap = if longest > 0 { " " } else { "" };
    format!("{ticks}{gap}{text}{gap}{ticks}")
}
