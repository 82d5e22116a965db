//! A snapshot file: insta's header, then one block for each case. Rendering and parsing, no I/O.
//!
//! ```text
//! ---
//! source: scenarios/limits/rate-limit.yaml
//! description: "A 429 keeps its status, its detail and its Retry-After"
//! ---
//! == limits/rate-limit
//!   step 1: 429
//!     content-type: application/json
//! findings:
//!   headers.retry-after (required): absent
//! ```
//!
//! A heading begins at the margin with `== `; the case's text is indented by two blanks; `findings:`
//! stands at the margin again (`findings: none` where there are none), one line for each below it.
//!
//! A proxy that behaves now one way, now another has a case in several forms: the headings of all but the first end in
//! `(another form)`.
//!
//! The findings are those of the default policy. A required one that only another policy makes, and that was
//! accepted under it, follows with the answers behind it: `status.timeout (required by policy.timeout = 504): 408`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    judge::{Finding, PolicyAnswer},
    observation::Observation,
    scenario::Level,
};

use super::normalise::{Normaliser, normalise, shorten};
use super::verdict::SnapshotFindings;

/// What a heading of another form of a case ends in.
const ANOTHER: &str = " (another form)";

/// The findings' lines are cut to so many characters.
const LONGEST_OBSERVED: usize = 200;

/// Between a finding's level and the answers of the policy that make it one.
const BY: &str = " by ";

/// One case as a snapshot holds it, accepted or just seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseSnapshot {
    /// The case's id: `limits/rate-limit[stream]`.
    pub id: String,
    /// The normalised observation; lines without blanks at their ends, no line feed at the end.
    pub text: String,
    /// The rules that are broken, sorted.
    pub findings: Vec<FindingLine>,
}

/// One finding as a snapshot holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct FindingLine {
    /// The rule's id.
    pub rule: String,
    /// How strongly it speaks.
    pub level: Level,
    /// What was, in one line, normalised. For the reader: comparisons look at the rule alone.
    pub observed: String,
    /// The answers of the policy under which it was accepted; empty for a finding of the default policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<PolicyAnswer>,
}

/// All cases of one scenario for one proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotFile {
    /// The scenario's file, as shown to people.
    pub source: String,
    /// The scenario's title.
    pub description: String,
    /// In the order of their ids.
    pub cases: Vec<CaseSnapshot>,
}

/// Why a file is no snapshot file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Damage {
    /// From 1.
    pub line: usize,
    /// What is wrong with it, and what was meant.
    pub problem: String,
}

impl CaseSnapshot {
    /// What was seen in a case now, as yet without findings.
    pub fn new(id: &str, observation: &Observation) -> Self {
        Self::from_parts(id, &normalise(observation), Vec::new())
    }

    /// With the findings of the same observation that it is to hold.
    #[must_use]
    pub fn holding(self, observation: &Observation, to_hold: SnapshotFindings) -> Self {
        let normaliser = Normaliser::new(observation);
        let line = |finding: Finding| FindingLine {
            rule: finding.rule,
            level: finding.level,
            observed: shorten(&without_durations(&normaliser.message(&finding.observed)), LONGEST_OBSERVED),
            policy: finding.policy,
        };
        let lines = to_hold.found.into_iter().map(line).chain(to_hold.kept).collect();
        Self::from_parts(&self.id, &self.text, lines)
    }

    /// From its parts, brought into the form that a file can hold: no control characters, no
    /// blanks at line ends, no empty lines around the text, findings sorted.
    pub fn from_parts(id: &str, text: &str, mut findings: Vec<FindingLine>) -> Self {
        for finding in &mut findings {
            finding.rule = one_line(&finding.rule);
            finding.observed = one_line(&finding.observed);
        }
        findings.sort();
        let lines: Vec<String> = text.split('\n').map(|line| visible(line).trim_end().to_owned()).collect();
        Self { id: one_line(id), text: lines.join("\n").trim_matches('\n').to_owned(), findings }
    }

    /// The block in the file, ending in a line feed; `another` form of the case says so in its heading.
    fn render(&self, another: bool) -> String {
        let mut out = format!("== {}{}\n", self.id, if another { ANOTHER } else { "" });
        for line in self.text.lines() {
            out.push_str(format!("  {line}").trim_end());
            out.push('\n');
        }
        if self.findings.is_empty() {
            out.push_str("findings: none\n");
        } else {
            out.push_str("findings:\n");
        }
        for finding in &self.findings {
            let by = match finding.policy.as_slice() {
                [] => String::new(),
                answers => format!("{BY}{}", PolicyAnswer::list(answers)),
            };
            let line = format!("  {} ({}{by}): {}", finding.rule, finding.level, finding.observed);
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

impl SnapshotFile {
    /// The case of this id, in the first of its forms.
    pub fn case(&self, id: &str) -> Option<&CaseSnapshot> {
        self.forms(id).next()
    }

    /// Every form in which a case has been seen: a proxy may behave now one way, now another.
    pub fn forms(&self, id: &str) -> impl Iterator<Item = &CaseSnapshot> {
        self.cases.iter().filter(move |case| case.id == id)
    }

    /// The blocks of a case in the file; empty where it has none.
    pub fn render_case(&self, id: &str) -> String {
        let blocks: Vec<String> = (0..).zip(self.forms(id)).map(|(n, case)| case.render(n > 0)).collect();
        blocks.join("\n")
    }

    /// For each case that has findings: the rules.
    pub fn broken(&self) -> Vec<BTreeSet<String>> {
        let rules = |case: &CaseSnapshot| case.findings.iter().map(|finding| finding.rule.clone()).collect();
        self.cases.iter().map(rules).filter(|rules: &BTreeSet<_>| !rules.is_empty()).collect()
    }

    /// `self` with the cases of `other` laid over it; those that `other` lacks stay as they are.
    pub fn overlaid_by(&self, other: &Self) -> Self {
        let mut cases: Vec<CaseSnapshot> =
            self.cases.iter().filter(|case| other.case(&case.id).is_none()).cloned().collect();
        cases.extend(other.cases.iter().cloned());
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        Self { source: other.source.clone(), description: other.description.clone(), cases }
    }

    /// The whole file.
    pub fn render(&self) -> String {
        let mut out = format!("---\nsource: {}\n", yaml_text(&self.source));
        if !self.description.is_empty() {
            out.push_str(&format!("description: {}\n", quoted(&self.description)));
        }
        out.push_str("---\n");
        let forms = self.cases.chunk_by(|a, b| a.id == b.id).filter_map(|forms| forms.first());
        let blocks: Vec<String> = forms.map(|case| self.render_case(&case.id)).collect();
        out.push_str(&blocks.join("\n"));
        out
    }

    /// Reads what [`render`](Self::render) wrote, also after another tool has accepted it.
    ///
    /// # Errors
    ///
    /// [`Damage`] with the line, for text that this form does not know.
    pub fn parse(text: &str) -> Result<Self, Damage> {
        let mut file = Self::default();
        let mut lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim_end()));
        match lines.next() {
            Some((_, "---")) => {}
            _ => return Err(damage(1, "a snapshot begins with a header between two lines `---`")),
        }
        loop {
            match lines.next() {
                Some((_, "---")) => break,
                Some((_, line)) => file.header(line),
                None => return Err(damage(text.lines().count(), "the header has no closing line `---`")),
            }
        }
        let mut block: Option<Block> = None;
        for (number, line) in lines {
            if let Some(id) = line.strip_prefix("== ") {
                if let Some(block) = block.take() {
                    file.cases.push(block.finish()?);
                }
                let another = id.strip_suffix(ANOTHER);
                if another.is_none() && file.case(id).is_some() {
                    return Err(damage(number, &format!("the case `{id}` is specified twice")));
                }
                block = Some(Block::new(number, another.unwrap_or(id)));
            } else if let Some(block) = &mut block {
                block.line(number, line)?;
            } else if !line.is_empty() {
                return Err(damage(number, "a case begins with a heading `== CASE-ID`"));
            }
        }
        if let Some(block) = block {
            file.cases.push(block.finish()?);
        }
        file.cases.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(file)
    }

    /// Members that are not ours are another tool's and are left alone.
    fn header(&mut self, line: &str) {
        let Some((key, value)) = line.split_once(':') else { return };
        let value = value.trim();
        let value =
            serde_json::from_str::<String>(value).unwrap_or_else(|_| value.trim_matches('\'').to_owned());
        match key {
            "source" => self.source = value,
            "description" => self.description = value,
            _ => {}
        }
    }
}

/// A case while it is being read.
struct Block {
    heading: usize,
    id: String,
    text: Vec<String>,
    findings: Option<Vec<FindingLine>>,
    none: bool,
}

impl Block {
    fn new(heading: usize, id: &str) -> Self {
        Self { heading, id: id.to_owned(), text: Vec::new(), findings: None, none: false }
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(), Damage> {
        if line.is_empty() {
            if self.findings.is_none() {
                self.text.push(String::new());
            }
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("findings:") {
            if self.findings.is_some() {
                return Err(damage(number, "a case has one `findings:` only"));
            }
            self.none = match rest.trim() {
                "" => false,
                "none" => true,
                _ => return Err(damage(number, "write `findings:` or `findings: none`")),
            };
            self.findings = Some(Vec::new());
            return Ok(());
        }
        let Some(line) = line.strip_prefix("  ") else {
            let problem = "expected a heading `== CASE-ID`, a line indented by two blanks, or `findings:`";
            return Err(damage(number, problem));
        };
        match &mut self.findings {
            None => self.text.push(line.to_owned()),
            Some(_) if self.none => {
                return Err(damage(number, "`findings: none` has no lines below it"));
            }
            Some(findings) => {
                findings.push(finding(line).ok_or_else(|| {
                    damage(number, "write a finding as `RULE-ID (LEVEL): what was observed`")
                })?)
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<CaseSnapshot, Damage> {
        match self.findings {
            Some(findings) => Ok(CaseSnapshot::from_parts(&self.id, &self.text.join("\n"), findings)),
            None => Err(damage(self.heading, &format!("the case `{}` has no `findings:` line", self.id))),
        }
    }
}

fn finding(line: &str) -> Option<FindingLine> {
    let (rule, rest) = line.split_once(" (")?;
    let (level, observed) = rest.split_once("):")?;
    let (level, policy) = match level.split_once(BY) {
        Some((level, answers)) => (level, PolicyAnswer::parse_list(answers)?),
        None => (level, Vec::new()),
    };
    Some(FindingLine {
        rule: rule.to_owned(),
        level: level.parse().ok()?,
        observed: observed.trim_start().to_owned(),
        policy,
    })
}

fn damage(line: usize, problem: &str) -> Damage {
    Damage { line, problem: problem.to_owned() }
}

/// In a finding a duration is always a measurement, whole numbers included.
fn without_durations(text: &str) -> String {
    static MEASURED: std::sync::LazyLock<Option<regex::Regex>> =
        std::sync::LazyLock::new(|| regex::Regex::new(r"\b\d+(?:\.\d+)? ?(?:ms|s|seconds?)\b").ok());
    match &*MEASURED {
        Some(regex) => regex.replace_all(text, "<duration>").into_owned(),
        None => text.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    visible(&text.replace('\n', " ")).trim().to_owned()
}

/// Control characters in their escaped form: a file that people read has none.
fn visible(line: &str) -> String {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if !line.contains(char::is_control) {
        return line.to_owned();
    }
    line.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(one_line(text)).to_string()
}

/// A path is plain YAML; anything unusual is quoted.
fn yaml_text(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '.')
        && text.chars().all(plain)
    {
        text.to_owned()
    } else {
        quoted(text)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::normalise::tests::sample;

    pub(crate) fn finding_of(rule: &str, level: Level) -> Finding {
        Finding {
            rule: rule.to_owned(),
            level,
            expected: "7".to_owned(),
            observed: "absent after 2013 ms".to_owned(),
            evidence: Vec::new(),
            policy: Vec::new(),
        }
    }

    fn answers() -> impl Strategy<Value = Vec<PolicyAnswer>> {
        let keys = || proptest::sample::select(vec!["timeout", "levels.status.timeout"]);
        let answer = proptest::sample::select(vec!["504", "504 or 408", "required", "none"]);
        let one = (keys(), answer)
            .prop_map(|(key, answer)| PolicyAnswer { key: key.to_owned(), answer: answer.to_owned() });
        proptest::collection::vec(one, 0..3)
    }

    #[test]
    fn a_file_reads_as_where_each_detail_landed() {
        let by_policy = Finding {
            policy: vec![PolicyAnswer { key: "timeout".to_owned(), answer: "504".to_owned() }],
            observed: "429".to_owned(),
            ..finding_of("status.timeout", Level::Required)
        };
        let found = vec![finding_of("headers.retry-after", Level::Required), by_policy];
        let to_hold = SnapshotFindings { found, kept: Vec::new() };
        let file = SnapshotFile {
            source: "scenarios/limits/rate-limit.yaml".to_owned(),
            description: "A 429: \"kept\"".to_owned(),
            cases: vec![
                CaseSnapshot::new("limits/rate-limit", &sample()).holding(&sample(), to_hold),
                CaseSnapshot::from_parts("limits/rate-limit[stream]", "step 1: 429\n", vec![]),
            ],
        };
        insta::assert_snapshot!(file.render(), @r#"
        ---
        source: scenarios/limits/rate-limit.yaml
        description: "A 429: \"kept\""
        ---
        == limits/rate-limit
          step 1: 429
            content-type: application/json
            x-request-id: <canary request id primary#1>
            body:
              {
                "error": {
                  "code": "429",
                  "message": "RateLimitError: Rate limit reached <canary message primary#1>. Received Model Group=<model primary>, took <duration>",
                  "param": null,
                  "type": "throttling_error"
                }
              }
            ending: complete
          attempts:
            primary: 1 (finished)
        findings:
          headers.retry-after (required): absent after <duration>
          status.timeout (required by policy.timeout = 504): 429

        == limits/rate-limit[stream]
          step 1: 429
        findings: none
        "#);
        assert_eq!(SnapshotFile::parse(&file.render()), Ok(file));
    }

    #[test]
    fn damage_is_told_with_its_line() {
        let whole = "---\nsource: a\n---\n== a/b\n  step 1: 200\nfindings:\n  x.y (required): z\n";
        assert!(SnapshotFile::parse(whole).is_ok());
        for (from, to, line) in [
            ("---\nsource", "source", 1),
            ("source: a\n---", "source: a", 6),
            ("== a/b", "a/b", 4),
            ("  step", "step", 5),
            ("findings:\n", "", 4),
            ("findings:", "findings: some", 6),
            ("findings:", "findings: none", 7),
            ("(required)", "(fatal)", 7),
            ("(required)", "(required by timeout)", 7),
            (" (required)", "", 7),
            ("  step 1: 200", "findings:", 6),
            ("  x.y (required): z", "== a/b", 7),
        ] {
            let found = SnapshotFile::parse(&whole.replacen(from, to, 1)).unwrap_err();
            assert_eq!(found.line, line, "{from:?} -> {to:?}: {found}");
        }
        assert_eq!(SnapshotFile::parse("").unwrap_err().line, 1);
    }

    #[test]
    fn a_header_that_another_tool_rewrote_is_understood() {
        let text =
            "---\nsource: a.yaml\nassertion_line: 3\ndescription: plain words\nsnapshot_kind: text\n---\n";
        let file = SnapshotFile::parse(text).unwrap();
        assert_eq!((file.source.as_str(), file.description.as_str()), ("a.yaml", "plain words"));
    }

    #[test]
    fn cases_that_were_not_run_are_kept() {
        let case = |id: &str, text: &str| CaseSnapshot::from_parts(id, text, vec![]);
        let old = SnapshotFile { cases: vec![case("a", "1"), case("b", "1")], ..SnapshotFile::default() };
        let new = SnapshotFile { cases: vec![case("b", "2"), case("c", "2")], ..SnapshotFile::default() };
        let merged = old.overlaid_by(&new);
        let texts: Vec<_> = merged.cases.iter().map(|case| (case.id.as_str(), case.text.as_str())).collect();
        assert_eq!(texts, [("a", "1"), ("b", "2"), ("c", "2")]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            source in "[ -~]{0,20}",
            description in "\\PC{0,30}",
            cases in proptest::collection::btree_map(
                "[a-z/]{1,8}(\\[[a-z,]{1,8}\\])?",
                ("(?s).{0,80}", proptest::collection::vec(("[a-z.-]{1,12}", 0..3usize, "(?s).{0,30}", answers()), 0..4)),
                0..5,
            ),
        ) {
            let cases = cases.iter().map(|(id, (text, findings))| {
                let findings = findings.iter().map(|(rule, level, observed, policy)| FindingLine {
                    rule: rule.clone(), level: Level::ALL[*level], observed: observed.clone(), policy: policy.clone(),
                });
                CaseSnapshot::from_parts(id, text, findings.collect())
            });
            let file = SnapshotFile {
                source: one_line(&source), description: one_line(&description), cases: cases.collect(),
            };
            let read = SnapshotFile::parse(&file.render());
            prop_assert_eq!(read, Ok(file));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s)(---\n)?.{0,20}(---\n)?(== a\n)?.{0,40}(findings:\n)?.{0,20}") {
            let _ = SnapshotFile::parse(&text);
        }
    }
}
