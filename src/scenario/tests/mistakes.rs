//! The mistakes that people make most: each message is at its line and says what to write instead.

use serde::Deserialize;

use super::errors;
use crate::scenario::{Diagnostic, ErrorName, load_text, meant};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistake {
    name: String,
    text: Option<String>,
    turn: Option<String>,
    fault: Option<String>,
    matrix: Option<String>,
    proxy: Option<String>,
    expect: Option<String>,
    line: usize,
    says: String,
}

impl Mistake {
    fn file(&self) -> String {
        let part = |key: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("{key}: {{{value}}}\n")).unwrap_or_default()
        };
        if let Some(text) = &self.text {
            return text.clone();
        }
        if let Some(fault) = &self.fault {
            let fault = if fault.starts_with('{') || !fault.contains(' ') {
                fault.clone()
            } else {
                format!("{{{fault}}}")
            };
            let head = "title: t\nwhy: w\nmatrix: {stream: [true]}\nupstream:\n  - reply: ok\n";
            return format!("{head}    faults: [{fault}]\n");
        }
        let turn = self.turn.as_deref().unwrap_or("error: rate_limit");
        let matrix = self.matrix.as_deref().unwrap_or("stream: [false]");
        let end = part("proxy", &self.proxy) + &part("expect", &self.expect);
        format!("title: t\nwhy: w\nmatrix: {{{matrix}}}\nupstream: [{{{turn}}}]\n{end}")
    }
}

fn mistakes() -> Vec<Mistake> {
    serde_saphyr::from_str(include_str!("frequent_mistakes.yaml")).unwrap()
}

fn found(text: &str) -> Vec<Diagnostic> {
    load_text("x", "scenarios/x.yaml", text).map_err(|errors| errors.0).err().unwrap_or_default()
}

#[test]
fn each_frequent_mistake_names_its_fix() {
    let mistakes = mistakes();
    assert!(mistakes.len() >= 30);
    let mut wrong = Vec::new();
    for mistake in &mistakes {
        let file = mistake.file();
        let all = found(&file);
        let is_named = |one: &Diagnostic| {
            one.position().0 == mistake.line
                && one.help.as_ref().is_some_and(|help| help.contains(&mistake.says))
        };
        if !all.iter().any(is_named) {
            let shown: Vec<String> = all.iter().map(|one| one.render(false)).collect();
            wrong.push(format!(
                "{}: wanted {:?} in line {}\n{file}{}",
                mistake.name,
                mistake.says,
                mistake.line,
                shown.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn each_mistake_is_reported_once() {
    for mistake in mistakes() {
        let all = found(&mistake.file());
        assert_eq!(
            all.len(),
            1,
            "{}: {}",
            mistake.name,
            all.iter().map(|one| one.render(false)).collect::<Vec<_>>().join("\n")
        );
    }
}

#[test]
fn mechanical_fixes_make_the_file_right() {
    let mut fixed = 0;
    for mistake in mistakes() {
        let mut text = mistake.file();
        for _ in 0..5 {
            let Some((range, by)) = found(&text).into_iter().find_map(|one| one.fix) else { break };
            text.replace_range(range, &by);
            fixed += 1;
        }
        if found(&mistake.file()).iter().any(|one| one.fix.is_some()) {
            let left = found(&text);
            assert!(left.iter().all(|one| one.fix.is_none()), "{}: {text}", mistake.name);
        }
    }
    assert!(fixed >= 10, "{fixed}");
}

#[test]
fn a_word_of_a_similar_meaning_is_for_people_to_decide() {
    let file = |line: &str| format!("title: t\nwhy: w\nupstream: [{{reply: ok}}]\n{line}\n");
    for line in ["proxy: {max_attempts: 3}", "proxy: {timeout_ms: 3s}", "expect: {body: {matches: a}}"] {
        assert!(found(&file(line)).iter().all(|one| one.fix.is_none()), "{line}");
    }
    assert!(found("title: t\nwhy: w\nupstream: [{error: 408}]\n").iter().all(|one| one.fix.is_none()));
}

#[test]
fn a_line_that_is_not_the_mistake_is_not_quoted() {
    for (text, says) in [
        ("title: t\n# seen: what the log said: a cut\n why: w\nupstream: [{reply: ok}]\n", "indent"),
        ("title: t\nwhy: |\n  he said: a: b\nupstream: [{reply: ok}\n", "not closed"),
    ] {
        let all = found(text);
        let shown: String = all.iter().map(|one| one.render(false)).collect();
        assert!(all.iter().all(|one| one.fix.is_none()) && shown.contains(says), "{shown}");
    }
    let fix = found("title: Azure: 429 # from the log\nwhy: w\nupstream: [{reply: ok}]\n")[0].fix.clone();
    assert_eq!(fix.unwrap().1, "\"Azure: 429\"");
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let text = "titel: t\nmatrix: {stream: true, provider: [google]}\nupstream:\n  - eror: rate_limit\n  - reply: okay\n    \
                faults: [{delay: 2s}, {reset: {at: now}}]\nproxy: {timeout: 3, retries: many}\nexpect: {statsu: 429}\n";
    let lines: Vec<(usize, String)> =
        found(text).iter().map(|one| (one.position().0, one.message.clone())).collect();
    let at = |line: usize, message: &str| (line, message.to_owned());
    assert_eq!(
        lines,
        [
            at(1, "unknown key `titel`"),
            at(1, "the key `why` is missing"),
            at(2, "found `true`, expected a list (`[a, b]`)"),
            at(2, "unknown name `google`"),
            at(4, "unknown key `eror`"),
            at(5, "unknown name `okay`"),
            at(6, "found the text \"2s\", expected keys with values (`{key: value}`)"),
            at(6, "unknown name `now`"),
            at(7, "`3` is not a duration"),
            at(7, "found the text \"many\", expected a whole number, 0 or more"),
            at(8, "unknown key `statsu`"),
        ],
        "{}",
        errors(text)
    );
}

#[test]
fn the_words_of_every_provider_are_understood() {
    for (word, error) in [
        ("overloaded_error", ErrorName::Overloaded),
        ("throttlingException", ErrorName::RateLimit),
        ("ThrottlingException", ErrorName::RateLimit),
        ("RESOURCE_EXHAUSTED", ErrorName::RateLimit),
        ("rate_limit_error", ErrorName::RateLimit),
        ("529", ErrorName::Overloaded),
        ("429", ErrorName::RateLimit),
        ("503", ErrorName::Unavailable),
        ("ServiceUnavailableException", ErrorName::Unavailable),
        ("InternalServerError", ErrorName::Internal),
        ("api_error", ErrorName::Internal),
        ("DEADLINE_EXCEEDED", ErrorName::GatewayTimeout),
        ("AuthenticationError", ErrorName::InvalidApiKey),
        ("PERMISSION_DENIED", ErrorName::Permission),
        ("NotFoundError", ErrorName::ModelNotFound),
        ("ValidationException", ErrorName::BadRequest),
        ("context_length_exceeded", ErrorName::ContextLength),
        ("content_filter", ErrorName::ContentPolicy),
        ("request_too_large", ErrorName::TooLarge),
        ("billing_error", ErrorName::Quota),
    ] {
        let help = meant(word, ErrorName::NAMES);
        assert!(help.starts_with(&format!("did you mean `{error}`?")), "{word}: {help}");
    }
}
