//! The documents on rules and defects, written from the code and the table.

use std::fmt::Write;

use upfault::internals::{
    judge::{self, Policy, Rule},
    scenario::Level,
};

use super::table::Row;

const WRITTEN: &str =
    "<!-- Written by tests/defects.rs from the code: `just docs`. Changes here are lost. -->\n";

const CONTRACT: &str = "
The rules that any proxy must satisfy. A scenario states what the upstream does; what the caller must be told follows
from these rules. `upfault explain RULE` prints one of them.

## Levels and verdicts

| level | a finding of it |
|---|---|
| required | fails the case: no serious party disagrees with the rule |
| recommended | is shown, and held by the snapshot: there are reasons on both sides |
| informative | is shown |

A scenario has a level too, and a finding has the weaker of the two: a scenario can lower a rule, never raise it. It can
also lift a rule, with a reason (`except`). A rule that speaks of time is broken only by what was seen on a machine that
was quiet enough; where it was not, the case is inconclusive.

A required finding fails its case unless the accepted snapshot holds it: then it is known. What differs from the snapshot
without a new required finding is changed. [The README](../README.md) lists all verdicts.
";

const POLICIES: &str = "
## Policies

Where the field disagrees, the answer is a policy's: one key for each question. `--policy` takes the name of a bundled one, or
a YAML file of your own that says what differs; `upfault.toml` holds what a project has chosen. [Policies](policies.md) tells how.
";

/// `docs/contract.md`
pub fn contract(rows: &[Row]) -> String {
    let mut text = format!("{WRITTEN}\n# The contract\n{CONTRACT}{POLICIES}\n");
    policies(&mut text);
    text.push_str("\n## Rules\n");
    let mut family = "";
    for rule in judge::rules() {
        let (of, _) = rule.id.split_once('.').unwrap_or((rule.id, ""));
        if of != family {
            family = of;
            let _ = write!(text, "\n### {family}\n");
        }
        describe(&mut text, rule, rows);
    }
    text
}

fn policies(text: &mut String) {
    let policies = Policy::all();
    let names: Vec<String> = policies.iter().map(|policy| format!("`{}`", policy.name)).collect();
    let _ = writeln!(text, "| key | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(policies.len()));
    let rows_of_all: Vec<_> = policies.iter().map(Policy::rows).collect();
    for (n, question) in Policy::QUESTIONS.iter().enumerate() {
        let answers: Vec<&str> = rows_of_all.iter().map(|rows| rows[n].1.as_str()).collect();
        let _ = writeln!(text, "| `{}` | {} |", question.key, answers.join(" | "));
    }
    for (n, question) in Policy::QUESTIONS.iter().enumerate() {
        let rules: Vec<String> = question.rules.iter().map(|rule| format!("`{rule}`")).collect();
        let _ =
            write!(text, "\n### `{}`\n\n{} Read by {}.\n\n", question.key, question.asks, rules.join(", "));
        for (policy, rows) in policies.iter().zip(&rows_of_all) {
            let (_, answer, reason) = &rows[n];
            // What is taken over from the default has been said.
            let first = &rows_of_all[0][n];
            if policy.name == "default" || (answer, reason) != (&first.1, &first.2) {
                let _ = writeln!(text, "- `{}`: **{answer}**. {reason}", policy.name);
            }
        }
    }
    text.push_str(
        "\n### `levels`\n\nRules that speak more strongly or more weakly than the contract says.\n\n",
    );
    for policy in policies.iter().filter(|policy| !policy.levels.is_empty()) {
        for (rule, ruling) in &policy.levels {
            let _ =
                writeln!(text, "- `{}`: `{}` **{}**. {}", policy.name, rule.0, ruling.answer, ruling.reason);
        }
    }
}

fn describe(text: &mut String, rule: &Rule, rows: &[Row]) {
    let level = match rule.level {
        Level::Required => "required",
        Level::Recommended => "recommended",
        Level::Informative => "informative",
    };
    let _ = write!(text, "\n#### `{}`\n\n**{}.** {}\n\n- level: {level}\n", rule.id, rule.title, rule.reason);
    if rule.timing {
        text.push_str("- speaks of time\n");
    }
    // `families` is a collection of reports that is no part of this repository.
    let public = rule.references.iter().filter(|reference| !reference.starts_with("families"));
    let references: Vec<String> = public.map(|reference| linked(reference)).collect();
    if !references.is_empty() {
        let _ = writeln!(text, "- references: {}", references.join("; "));
    }
    let named = |rows: Vec<&Row>| {
        let names: Vec<String> = rows.iter().map(|row| format!("`{}`", row.defect)).collect();
        names.join(", ")
    };
    let (meant, also): (Vec<&Row>, Vec<&Row>) = rows
        .iter()
        .filter(|row| row.breaks == rule.id || row.also.contains(&rule.id))
        .partition(|row| row.breaks == rule.id);
    if !meant.is_empty() {
        let _ = writeln!(text, "- broken on purpose by: {}", named(meant));
    }
    if !also.is_empty() {
        let _ = writeln!(text, "- broken too by: {}", named(also));
    }
}

/// `OWNER/REPO#N` as a link to the issue; anything else as it is.
fn linked(reference: &str) -> String {
    match reference.split_once('#') {
        Some((repository, number))
            if repository.split('/').count() == 2 && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            format!("[{reference}](https://github.com/{repository}/issues/{number})")
        }
        _ if reference.starts_with("https://") => format!("<{reference}>"),
        _ => reference.to_owned(),
    }
}

const DEFECTS: &str = "
Each is one thing that a gateway in the field has been seen to do wrong. `upfault run --proxy builtin:DEFECT` runs the
embedded proxy with it, so that one can see what a finding looks like. A test proves that each breaks the
[rule](contract.md) that it was made for, over the bundled scenarios and under the default policy, and no rule beyond
those named here; and that the honest embedded proxy breaks none. What scenarios themselves demand (`expect.*`) is left
out: a defect that breaks a rule breaks such demands as well.
";

/// `docs/defects.md`
pub fn defects(rows: &[Row]) -> String {
    let mut text = format!("{WRITTEN}\n# The defects of the embedded proxy\n{DEFECTS}\n");
    text.push_str(
        "| defect | what it does | rule that it is meant to break | broken too |\n|---|---|---|---|\n",
    );
    for row in rows {
        let also: Vec<String> = row.also.iter().map(|rule| format!("`{rule}`")).collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | `{}` | {} |",
            row.defect,
            row.defect.summary(),
            row.breaks,
            also.join(", ")
        );
    }
    text
}
