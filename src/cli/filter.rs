//! Filter expressions, which select cases.
//!
//! `limits/* & !tag:slow`, `(stream | level:recommended)`; `!` binds tightest, then `&`, then `|`.

use globset::GlobMatcher;

use crate::{
    event::CaseReport,
    judge::Verdict,
    scenario::{Api, Case, Combination, Level, Provider, id_pattern},
};

/// A condition on cases.
#[derive(Debug, Clone)]
pub(crate) enum Filter {
    /// The case's id, or its scenario's, matches a pattern.
    Id(GlobMatcher),
    /// The case has this id.
    Case(String),
    /// The scenario has this tag.
    Tag(String),
    /// The scenario has this level.
    Level(Level),
    /// The provider behind the proxy is this one.
    Provider(Provider),
    /// The caller uses this API.
    Api(Api),
    /// The caller requests a stream, or not.
    Stream(bool),
    /// The stored case has this verdict.
    Verdict(Verdict),
    /// The stored case breaks a rule that matches a pattern.
    Rule(GlobMatcher),
    /// The filter does not match.
    Not(Box<Filter>),
    /// Both match.
    And(Box<Filter>, Box<Filter>),
    /// At least one matches.
    Or(Box<Filter>, Box<Filter>),
}

/// A syntax error in a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}\n  {text}\n  {}^", " ".repeat(*.at))]
pub(crate) struct FilterError {
    text: String,
    at: usize,
    message: String,
}

impl FilterError {
    /// The message without the position.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl Filter {
    /// Parses an expression.
    ///
    /// # Errors
    ///
    /// A syntax error, with its position.
    pub(crate) fn parse(text: &str) -> Result<Self, FilterError> {
        Self::read(text, false)
    }

    /// Parses an expression that selects cases of a stored report, also by their results.
    ///
    /// # Errors
    ///
    /// A syntax error, with its position.
    pub(super) fn parse_stored(text: &str) -> Result<Self, FilterError> {
        Self::read(text, true)
    }

    fn read(text: &str, stored: bool) -> Result<Self, FilterError> {
        let mut parser = Parser { text, at: 0, stored };
        let filter = parser.or()?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.error("expected `&`, `|` or the end"));
        }
        Ok(filter)
    }

    /// Whether a case matches.
    pub(crate) fn matches(&self, case: &Case) -> bool {
        let Case { id, scenario, combination, .. } = case;
        self.is_met(&FilteredCase {
            id,
            scenario: &scenario.id,
            tags: &scenario.tags,
            level: scenario.level,
            combination: *combination,
            stored: None,
        })
    }

    /// Whether a case of a stored report matches.
    pub(crate) fn matches_stored(&self, case: &CaseReport) -> bool {
        self.is_met(&FilteredCase {
            id: &case.id,
            scenario: &case.scenario,
            tags: &case.tags,
            level: case.level,
            combination: case.matrix,
            stored: Some(case),
        })
    }

    fn is_met(&self, case: &FilteredCase<'_>) -> bool {
        match self {
            Self::Id(glob) => glob.is_match(case.id) || glob.is_match(case.scenario),
            Self::Case(id) => case.id == id,
            Self::Tag(tag) => case.tags.contains(tag),
            Self::Level(level) => case.level == *level,
            Self::Provider(provider) => case.combination.provider == *provider,
            Self::Api(api) => case.combination.api == *api,
            Self::Stream(stream) => case.combination.stream == *stream,
            Self::Verdict(verdict) => case.stored.is_some_and(|stored| stored.verdict == *verdict),
            Self::Rule(glob) => case
                .stored
                .is_some_and(|stored| stored.findings.iter().any(|finding| glob.is_match(&finding.rule))),
            Self::Not(filter) => !filter.is_met(case),
            Self::And(a, b) => a.is_met(case) && b.is_met(case),
            Self::Or(a, b) => a.is_met(case) || b.is_met(case),
        }
    }
}

/// What filters read of a case.
struct FilteredCase<'a> {
    id: &'a str,
    scenario: &'a str,
    tags: &'a [String],
    level: Level,
    combination: Combination,
    /// The result, for a case of a stored report.
    stored: Option<&'a CaseReport>,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Whether the filter selects cases of a stored report, which have results.
    stored: bool,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Filter, FilterError> {
        let mut left = self.and()?;
        while self.take('|') {
            left = Filter::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Filter, FilterError> {
        let mut left = self.not()?;
        while self.take('&') {
            left = Filter::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Filter, FilterError> {
        if self.take('!') {
            return Ok(Filter::Not(Box::new(self.not()?)));
        }
        if self.take('(') {
            let inner = self.or()?;
            return if self.take(')') { Ok(inner) } else { Err(self.error("expected `)`")) };
        }
        self.atom()
    }

    fn atom(&mut self) -> Result<Filter, FilterError> {
        self.skip_space();
        let start = self.at;
        let rest = &self.text[start..];
        if let Some(quoted) = rest.strip_prefix("case:\"") {
            let (id, length) = unquoted(quoted).ok_or_else(|| self.error("the closing `\"` is missing"))?;
            self.at = self.text.len() - quoted.len() + length;
            return Ok(Filter::Case(id));
        }
        let end = rest.find(|c: char| c.is_whitespace() || "&|!()".contains(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        if word.is_empty() {
            return Err(self.error(
                "expected a case id such as `limits/*`, or `tag:…`, `level:…`, `provider:…`, `api:…`, `stream`, `plain`",
            ));
        }
        let filter = match (word, word.split_once(':')) {
            ("stream", _) => Filter::Stream(true),
            ("plain", _) => Filter::Stream(false),
            (_, Some(("case", id))) => Filter::Case(id.to_owned()),
            (_, Some(("verdict", verdict))) if self.stored => Filter::Verdict(self.verdict(verdict)?),
            (_, Some(("rule", rule))) if self.stored => Filter::Rule(self.glob(rule)?),
            (_, Some((key @ ("verdict" | "rule"), _))) => {
                return Err(self.error(&format!(
                    "`{key}` selects cases by their results: it works only with `upfault show REPORT --filter`"
                )));
            }
            (_, Some(("tag", tag))) => Filter::Tag(tag.to_owned()),
            (_, Some(("level", level))) => Filter::Level(self.named(level)?),
            (_, Some(("provider", provider))) => Filter::Provider(self.named(provider)?),
            (_, Some(("api", api))) => Filter::Api(self.named(api)?),
            (_, Some((key, _))) => {
                let more = if self.stored { ", `verdict`, `rule`" } else { "" };
                return Err(self.error(&format!(
                    "unknown key `{key}`; the keys are `case`, `tag`, `level`, `provider`, `api`{more}"
                )));
            }
            _ => Filter::Id(self.glob(word)?),
        };
        self.at = start + end;
        Ok(filter)
    }

    /// Parses a word that scenario files use too.
    fn named<T: std::str::FromStr<Err = String>>(&self, word: &str) -> Result<T, FilterError> {
        word.parse().map_err(|message: String| self.error(&message))
    }

    fn verdict(&self, word: &str) -> Result<Verdict, FilterError> {
        Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word).ok_or_else(|| {
            let all = Verdict::ALL.map(Verdict::as_str).join(", ");
            self.error(&format!("`{word}` is none of: {all}"))
        })
    }

    /// A pattern for case ids: `[` is literal, because ids contain `[…]`, and `*` matches slashes too.
    fn glob(&self, word: &str) -> Result<GlobMatcher, FilterError> {
        id_pattern(word).map_err(|error| self.error(&format!("invalid pattern: {}", error.kind())))
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_space();
        let found = self.text[self.at..].starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn error(&self, message: &str) -> FilterError {
        FilterError {
            text: self.text.to_owned(),
            at: self.text[..self.at].chars().count(),
            message: message.to_owned(),
        }
    }
}

/// The text up to the next `"`, and the number of bytes up to and including it. A backslash escapes the next
/// character.
fn unquoted(text: &str) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, at + 1)),
            '\\' => out.push(chars.next()?.1),
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scenario::{expand, load_text};

    fn matching(filter: &str) -> Vec<String> {
        let text =
            "title: t\nwhy: w\ntags: [slow]\nmatrix: {stream: [false, true]}\nupstream: [{reply: ok}]\n";
        let scenario = Arc::new(load_text("limits/a", "f", text).expect("the scenario loads"));
        let filter = Filter::parse(filter).expect("the filter is right");
        expand(&scenario).into_iter().filter(|case| filter.matches(case)).map(|case| case.id).collect()
    }

    #[test]
    fn conditions_can_be_combined() {
        assert_eq!(matching("limits/*").len(), 2);
        assert_eq!(matching("limits/a[stream]"), ["limits/a[stream]"]);
        assert_eq!(matching("*[stream]"), ["limits/a[stream]"]);
        assert_eq!(matching("tag:slow & !stream"), ["limits/a"]);
        assert_eq!(matching("(plain|tag:other)&level:required"), ["limits/a"]);
        assert!(matching("other/*").is_empty());
    }

    #[test]
    fn a_single_case_can_be_selected_even_if_its_id_is_that_of_its_scenario() {
        assert_eq!(matching("limits/a").len(), 2);
        assert_eq!(matching("case:limits/a"), ["limits/a"]);
        assert_eq!(matching("case:limits/*"), [""; 0]);
        assert_eq!(matching("(case:\"limits/a[stream]\")|tag:other"), ["limits/a[stream]"]);
        let error = Filter::parse("case:\"a").unwrap_err().to_string();
        assert!(error.starts_with("the closing `\"` is missing\n  case:\"a\n"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn every_id_can_be_selected_exactly(id in ".{1,12}") {
            let filter = format!("!{} | stream", crate::report::exactly(&id));
            let Ok(Filter::Or(named, _)) = Filter::parse(&filter) else { panic!("{filter}") };
            let Filter::Not(named) = *named else { panic!("{filter}") };
            proptest::prop_assert!(matches!(*named, Filter::Case(named) if named == id));
        }
    }

    #[test]
    fn the_default_provider_and_api_are_found_although_ids_omit_them() {
        assert_eq!(matching("provider:openai & api:openai/chat").len(), 2);
        assert!(matching("provider:azure | api:openai/responses").is_empty());
    }

    #[test]
    fn a_syntax_error_shows_its_position() {
        insta::assert_snapshot!(Filter::parse("tag:a & ").unwrap_err(), @r"
        expected a case id such as `limits/*`, or `tag:…`, `level:…`, `provider:…`, `api:…`, `stream`, `plain`
          tag:a & 
                  ^
        ");
        insta::assert_snapshot!(Filter::parse("(a | b").unwrap_err(), @r"
        expected `)`
          (a | b
                ^
        ");
        insta::assert_snapshot!(Filter::parse("level:strict").unwrap_err(), @r"
        `strict` is none of: required, recommended, informative
          level:strict
          ^
        ");
    }
}
