//! Markdown for the summary of a CI job.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use super::{
    RecordedRun,
    inert::is_unsafe,
    json::Report,
    outline::{details, failing, rules, stopped},
};
use crate::judge::Verdict;

/// The maximum size in bytes: GitHub rejects a larger job summary.
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary>
const MAX_BYTES: usize = 1024 * 1024;

/// Renders a report as Markdown: the counts, a table of the failing cases, and each of them in detail.
pub(super) fn render(run: &RecordedRun, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(text(&run.report, stopped(run)).as_bytes())
}

fn text(report: &Report, stopped: Option<String>) -> String {
    let mut text = format!("## upfault: {}\n\n", inline(&report.proxy.to_string()));
    let counts = Verdict::ALL
        .into_iter()
        .rev()
        .map(|verdict| (report.summary.count(verdict), verdict))
        .filter(|(count, _)| *count > 0)
        .map(|(count, verdict)| format!("{count} {verdict}"));
    let _ = writeln!(
        text,
        "{} cases: {} (policy {})\n",
        report.cases.len(),
        counts.collect::<Vec<_>>().join(", "),
        inline(&report.policy)
    );
    if let Some(line) = stopped {
        let _ = writeln!(text, "**{line}**\n");
    }
    let failing = failing(report);
    if failing.is_empty() {
        return text;
    }
    text.push_str("| verdict | case | broken rules |\n|---|---|---|\n");
    let mut parts: Vec<String> = failing
        .iter()
        .map(|case| format!("| {} | {} | {} |\n", case.verdict, inline(&case.id), inline(&rules(case))))
        .collect();
    parts.push("\n".to_owned());
    parts.extend(failing.iter().map(|case| {
        let block = details(report, case).replace("```", "` ` `");
        format!("<details><summary>{}</summary>\n\n```text\n{block}\n```\n\n</details>\n", html(&case.id))
    }));
    // The longest note about what is left out has fewer bytes than this.
    let limit = MAX_BYTES - 200;
    for (n, part) in parts.iter().enumerate() {
        if text.len() + part.len() > limit {
            let _ = writeln!(
                text,
                "\n{} more entries are left out: the summary would be too large.",
                parts.len() - n
            );
            break;
        }
        text.push_str(part);
    }
    text
}

/// Text in a line or a table cell, without Markdown or HTML syntax.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in html(text).chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' => out.extend(['\\', c]),
            c if is_unsafe(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::MAX_BYTES;
    use crate::{
        event::CaseReport,
        judge::Verdict,
        report::{
            format::tests::rendered,
            sample::{case, failing},
        },
    };

    #[test]
    fn a_passing_run_is_one_line_and_a_failing_one_names_its_cases() {
        let text = rendered("markdown", vec![case("a/b", Verdict::Pass)]);
        assert_eq!(text, "## upfault: litellm 1.102.4\n\n1 cases: 1 pass (policy default)\n\n");
        let text = rendered("markdown", vec![case("a/b", Verdict::Pass), failing("a/c[stream]")]);
        for part in [
            "2 cases: 1 pass, 1 fail (policy default)",
            "| fail | a/c\\[stream\\] | headers.retry-after |",
            "<details><summary>a/c[stream]</summary>",
            "headers.retry-after (required)\n  expected: ",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }

    #[test]
    fn a_summary_is_cut_at_the_limit_and_counts_what_is_left_out() {
        let long = |n| {
            let mut case = CaseReport { observation: None, ..failing(&format!("a/{n}")) };
            case.findings[0].observed = "x".repeat(2000);
            case
        };
        let cases = (0..1000).map(long).collect();
        let text = rendered("markdown", cases);
        assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES / 2, "{}", text.len());
        assert!(text.ends_with("more entries are left out: the summary would be too large.\n"));
    }

    #[test]
    fn hostile_text_is_neither_markup_nor_the_end_of_a_block() {
        let mut hostile = failing("a/<script>`|x");
        hostile.findings[0].observed = "```\n<script>alert(1)</script>".to_owned();
        let text = rendered("markdown", vec![hostile]);
        assert!(text.contains("a/&lt;script&gt;\\`\\|x"), "{text}");
        assert_eq!(text.matches("```").count(), 2, "{text}");
    }
}
