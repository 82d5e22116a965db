//! Words and phrases that nothing in this project may use, because readers stumble over them.
//!
//! The list is a floor, not a style guide: CONTRIBUTING.md says how to write.

use std::sync::LazyLock;

use regex::Regex;

/// What must not occur (a regular expression, without regard to case), and what to write instead.
///
/// `_` and the humps of `CamelCase` count as spaces, and so do line breaks: identifiers and wrapped
/// comments are read as well.
const BANNED: [(&str, &str); 21] = [
    (r"told|tells?|telling", "returns, sends, reports, says, shows"),
    (r"stands?|stood|standing", "is, contains, appears; `by itself` for what stands alone"),
    (r"anew", "again, newly"),
    (r"mends?|mended|mending", "fix, fixes, fixed"),
    (r"besides?", "next to, also"),
    (r"befall\w*|befell|betides?", "happens to"),
    (r"whoever|whosoever", "anyone who"),
    (r"nobody|somebody", "the program that does it, or no one, someone"),
    (r"(how|so)-manieth", "1-based number"),
    (r"for ever", "without end, until it is closed"),
    (r"at the (most|least)", "at most, at least"),
    (r"(is|are|was|were) no [a-z]+", "is not a"),
    (r"that (is|are) none", "an invalid …"),
    (r"put to rest|resting|left alone", "in cooldown"),
    (r"held against", "compared with"),
    (r"fails? nothing", "does not fail the run"),
    (r"(is|are) not tried", "untested on"),
    (r"sum of all", "total"),
    (r"one's", "your own, its own"),
    (r"(to|can|cannot|could|may) be had", "is available, could not be opened"),
    (
        r"who made the error|ask(s|ed)? wrongly|at the same moment|again and again",
        "see the headings of docs/scenarios.md",
    ),
];

/// Correct English that a pattern above would catch.
const ALLOWED: [&str; 2] = [
    "there (is|are|was|were) no [a-z]+",
    "(is|are|was|were) no (longer|more|less|fewer|other|later|earlier|such)",
];

static PATTERNS: LazyLock<Vec<(Regex, &str)>> =
    LazyLock::new(|| BANNED.iter().map(|(pattern, instead)| (whole_words(pattern), *instead)).collect());

static ALLOWED_PATTERN: LazyLock<Regex> = LazyLock::new(|| whole_words(&ALLOWED.join("|")));

/// Where a `CamelCase` identifier continues with its next word.
static HUMP: LazyLock<Regex> = LazyLock::new(|| Regex::new("([a-z0-9])([A-Z])").expect("it is valid"));

fn whole_words(pattern: &str) -> Regex {
    Regex::new(&format!(r"(?i)\b(?:{pattern})\b")).expect("the pattern is valid")
}

/// Ids such as `retries-for-nobody`, which are part of file formats and keep their names.
static ID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("[a-z0-9]+(-[a-z0-9]+){2,}|[a-z]+\\.[a-z0-9]+(-[a-z0-9]+)+").expect("the pattern is valid")
});

/// What is wrong in a text, a line each: `NAME:LINE: …`.
pub fn banned(name: &str, text: &str) -> Vec<String> {
    let mut prose = String::new();
    // The offset in `prose` at which each line begins.
    let mut starts = Vec::new();
    for line in text.lines() {
        starts.push(prose.len());
        // An alias is a name that older versions wrote.
        let content =
            if line.trim_start().starts_with("#[serde(") && line.contains("alias") { "" } else { line };
        let content = ID.replace_all(content, "id");
        let content = content.trim().trim_start_matches(['/', '!', '#', '*', '|', '-']).trim();
        prose += &HUMP.replace_all(content, "$1 $2").replace(['_', '`'], " ");
        prose.push(' ');
    }
    let allowed: Vec<_> = ALLOWED_PATTERN.find_iter(&prose).map(|found| found.range()).collect();
    let mut problems = Vec::new();
    for (pattern, instead) in PATTERNS.iter() {
        for found in pattern.find_iter(&prose) {
            if allowed.iter().any(|range| range.start <= found.start() && found.start() < range.end) {
                continue;
            }
            let line = starts.partition_point(|start| *start <= found.start());
            problems.push(format!("{name}:{line}: \"{}\"; write: {instead}", found.as_str()));
        }
    }
    problems
}
