//! Renders and parses snapshot files: a header in insta's format, then a block for each case. No I/O.
//!
//! ```text
//! ---
//! source: scenarios/limits/rate-limit.yaml
//! description: "The title of the scenario"
//! proxy: litellm 1.102.4
//! upfault: 0.1.0
//! ---
//! == limits/rate-limit
//!   step 1: 429
//!     content-type: application/json
//! findings:
//!   headers.retry-after (required): absent
//! ```
//!
//! A heading starts with `== ` and is not indented; the text of the case is indented by two spaces. The line `findings:`
//! is not indented (`findings: none` if there are no findings); each finding is an indented line below it.
//!
//! If a proxy does not always behave the same way, a case has several forms: the headings of all but the first one end
//! with `(another form)`.
//!
//! The findings are those of the default policy. A required finding that only another policy makes, and that was accepted
//! under that policy, names the deciding answers: `status.timeout (required by policy.timeout = 504): 408`.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    judge::{Finding, PolicyAnswer},
    observation::Observation,
    scenario::Level,
};

use super::origin::SnapshotOrigin;
use super::{
    normalise::normalise,
    normaliser::{Normaliser, shorten},
};

/// The end of the heading of a further form of a case.
const ANOTHER: &str = " (another form)";

/// The maximum length of the observation in the line of a finding, in characters.
const LONGEST_OBSERVED: usize = 200;

/// Separates the level of a finding from the answers of the policy that cause it.
const BY: &str = " by ";

/// The snapshot of one case, accepted or new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseSnapshot {
    /// The case's id: `limits/rate-limit[stream]`.
    pub id: String,
    /// The normalised observation, without trailing spaces and without a final newline.
    pub text: String,
    /// The findings, sorted.
    pub findings: Vec<FindingLine>,
}

/// The findings that a new snapshot of a case contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotFindings {
    /// Findings of the current observation.
    pub found: Vec<Finding>,
    /// Findings copied from the accepted snapshot.
    pub kept: Vec<FindingLine>,
}

/// One finding in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct FindingLine {
    /// The rule's id.
    pub rule: String,
    /// The level of the rule.
    pub level: Level,
    /// The observed behaviour, normalised, in one line. It is for the reader: comparisons use only the rule.
    pub observed: String,
    /// The answers of the policy under which it was accepted; empty for a finding of the default policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<PolicyAnswer>,
}

/// All cases of one scenario for one proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotFile {
    /// The path of the scenario's file, for messages.
    pub source: String,
    /// The scenario's title.
    pub description: String,
    /// The versions that recorded the cases.
    pub origin: SnapshotOrigin,
    /// The cases, sorted by id.
    pub cases: Vec<CaseSnapshot>,
}

/// Why a file is not a valid snapshot file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Damage {
    /// The 1-based line number.
    pub line: usize,
    /// The problem, and what is expected instead.
    pub problem: String,
}

impl CaseSnapshot {
    /// The snapshot of an observation, without findings.
    pub fn new(id: &str, observation: &Observation) -> Self {
        Self::from_parts(id, &normalise(observation), Vec::new())
    }

    /// Adds findings of the same observation.
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

    /// Combines the parts and makes them fit the file format: escapes control characters, removes trailing spaces and
    /// empty lines around the text, and sorts the findings.
    pub fn from_parts(id: &str, text: &str, mut findings: Vec<FindingLine>) -> Self {
        for finding in &mut findings {
            finding.rule = one_line(&finding.rule);
            finding.observed = one_line(&finding.observed);
        }
        findings.sort();
        let lines: Vec<String> = text.split('\n').map(|line| visible(line).trim_end().to_owned()).collect();
        Self { id: one_line(id), text: lines.join("\n").trim_matches('\n').to_owned(), findings }
    }

    /// The block in the file, with a final newline. `another` marks it as a further form of the case.
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
    /// The first form of the case with this id.
    pub fn case(&self, id: &str) -> Option<&CaseSnapshot> {
        self.forms(id).next()
    }

    /// All forms of a case. There are several if the proxy does not always behave the same way.
    pub fn forms(&self, id: &str) -> impl Iterator<Item = &CaseSnapshot> {
        self.cases.iter().filter(move |case| case.id == id)
    }

    /// The blocks of a case in the file; empty if the file does not contain the case.
    pub fn render_case(&self, id: &str) -> String {
        let blocks: Vec<String> = (0..).zip(self.forms(id)).map(|(n, case)| case.render(n > 0)).collect();
        blocks.join("\n")
    }

    /// Only the cases whose ids satisfy `is_wanted`.
    pub fn only(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let cases = self.cases.iter().filter(|case| is_wanted(&case.id)).cloned().collect();
        Self { cases, ..self.clone() }
    }

    /// Replaces the cases that `other` contains, and keeps the others.
    pub fn overlaid_by(&self, other: &Self) -> Self {
        let mut cases: Vec<CaseSnapshot> =
            self.cases.iter().filter(|case| other.case(&case.id).is_none()).cloned().collect();
        let origin = match (cases.is_empty(), other.cases.is_empty()) {
            (_, true) => self.origin.clone(),
            (true, false) => other.origin.clone(),
            (false, false) => self.origin.combined(&other.origin),
        };
        cases.extend(other.cases.iter().cloned());
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        Self { source: other.source.clone(), description: other.description.clone(), origin, cases }
    }

    /// The content of the file.
    pub fn render(&self) -> String {
        let mut out = format!("---\nsource: {}\n", yaml_text(&self.source));
        if !self.description.is_empty() {
            out.push_str(&format!("description: {}\n", quoted(&self.description)));
        }
        out.push_str(&self.origin.header_lines());
        out.push_str("---\n");
        let forms = self.cases.chunk_by(|a, b| a.id == b.id).filter_map(|forms| forms.first());
        let blocks: Vec<String> = forms.map(|case| self.render_case(&case.id)).collect();
        out.push_str(&blocks.join("\n"));
        out
    }

    /// Parses the output of [`render`](Self::render). The header may have been rewritten by another tool.
    ///
    /// # Errors
    ///
    /// [`Damage`] with the line number if the text does not have this format.
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

    /// Reads a line of the header. Unknown keys belong to other tools and are ignored.
    fn header(&mut self, line: &str) {
        let Some((key, value)) = line.split_once(':') else { return };
        let value = value.trim();
        let value =
            serde_json::from_str::<String>(value).unwrap_or_else(|_| value.trim_matches('\'').to_owned());
        match key {
            "source" => self.source = value,
            "description" => self.description = value,
            _ => self.origin.read_header(key, &value),
        }
    }
}

/// A case during parsing.
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
                return Err(damage(number, "a case can have only one line `findings:`"));
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
            let problem = "expected a heading `== CASE-ID`, a line indented by two spaces, or `findings:`";
            return Err(damage(number, problem));
        };
        match &mut self.findings {
            None => self.text.push(line.to_owned()),
            Some(_) if self.none => {
                return Err(damage(number, "no findings can follow `findings: none`"));
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

/// Replaces durations. In a finding every duration is a measurement, even a whole number.
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

/// Escapes control characters, because people read the file.
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

/// A YAML string: plain for a usual path, otherwise quoted.
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
            repeats: None,
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
    fn a_file_shows_what_became_of_each_detail() {
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
            origin: SnapshotOrigin::default(),
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
    fn damage_is_reported_with_its_line() {
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
    fn a_header_that_another_tool_rewrote_is_accepted() {
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
        fn parsing_a_rendered_file_returns_the_same_file(
            source in "[ -~]{0,20}",
            description in "\\PC{0,30}",
            versions in proptest::collection::btree_set("[a-z]{1,5} [0-9.]{1,5}", 0..3),
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
                source: one_line(&source),
                description: one_line(&description),
                origin: SnapshotOrigin { proxies: versions, ..SnapshotOrigin::default() },
                cases: cases.collect(),
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
