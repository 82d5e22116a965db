//! Hundreds of files that are wrong in some way: each error is in the file, none is a panic, and all are quick.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng, rngs::ChaCha8Rng};

use crate::scenario::{Library, LoadError, LoadErrors, load_text};

const FILES: [&str; 3] = [
    "title: A 429 keeps its Retry-After\nwhy: SDKs wait as long as it says\ntags: [limits]\nmatrix:\n  provider: [openai, anthropic]\n  stream: [true]\nupstream:\n  - error: rate_limit\n    headers: {retry-after: \"7\"}\n  - reply: {chunks: 20}\n    faults:\n      - delay: {at: before_headers, for: 50ms}\n      - reset: {at: {after_events: 3}}\nproxy: {timeout: 2s, retries: 1}\nexpect: {status: [429, 5xx], attempts: 2, within: 4s}\n",
    "title: t\nwhy: >\n  two\n  lines\ndeployments:\n  primary: [{error: overloaded}]\n  backup:\n    - status: 503\n      body: {error: {message: \"{{canary.message}}\"}}\nproxy:\n  fallback: [primary, backup]\n  cooldown: {after: 1, for: 30s}\nsteps: [{}, {pause: 1s}]\nexcept: {headers.retry-after: \"no\"}\n",
    "{\"title\": \"t\", \"why\": \"w\", \"matrix\": {\"stream\": [true]}, \"upstream\": [{\"reply\": \"text_and_tool_call\", \"faults\": [{\"error_event\": {\"error\": \"internal\", \"at\": \"inside_tool_call\"}}]}], \"expect\": {\"body\": {\"not_contains\": [\"<html\"]}}}",
];

/// A file with one mutation, which is chosen by a number.
fn mutated(n: u64) -> String {
    let mut numbers = ChaCha8Rng::seed_from_u64(n);
    let mut text = FILES[n as usize % FILES.len()].to_owned();
    let places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
    let place = places[numbers.random_range(0..places.len())];
    let lines: Vec<usize> =
        text.match_indices('\n').map(|(i, _)| i + 1).filter(|i| *i < text.len()).chain([0]).collect();
    let line = lines[numbers.random_range(0..lines.len())];
    const PIECES: [&str; 16] =
        ["\t", "  ", ": ", "- ", "{", "}", "[", "]", "\"", "'", "&a ", "*a ", "!x ", "null", "\u{0}", "#"];
    match n % 8 {
        // Misspelled: a letter less, a letter more, two letters exchanged.
        0 => drop(text.remove(place)),
        1 => text.insert(place, 'x'),
        // Structure: a piece of syntax anywhere.
        2 | 3 => text.insert_str(place, PIECES[numbers.random_range(0..PIECES.len())]),
        // Indentation.
        4 => text.insert_str(line, ["\t", " ", "   "][numbers.random_range(0..3)]),
        5 => {
            let end = text[line..].find(|c: char| c != ' ').map_or(line, |i| line + i);
            text.replace_range(line..end, "");
        }
        // Another type.
        6 => {
            let value =
                ["3", "true", "[]", "{}", "null", "2s", "-1", "1e400", "\"\""][numbers.random_range(0..9)];
            if let Some(i) = text[line..].find(": ").map(|i| line + i + 2) {
                let end = text[i..].find('\n').map_or(text.len(), |end| i + end);
                text.replace_range(i..end, value);
            }
        }
        // Cut off.
        _ => text.truncate(place),
    }
    text
}

/// The errors of a file, with the time that it took to find them.
fn checked(text: &str) -> (Result<(), LoadErrors>, Duration) {
    let begin = Instant::now();
    let result = load_text("x", "scenarios/x.yaml", text).map(drop);
    (result, begin.elapsed())
}

/// Checks that every error has a place in the file, a message, and can be shown.
fn assert_located(errors: &LoadErrors, name: &str) {
    assert!(!errors.0.is_empty(), "{name}");
    for error in &errors.0 {
        assert!(!error.message.is_empty() && !error.message.contains("serde"), "{name}: {error:?}");
        let range = &error.labels[0].range;
        assert!(range.start <= error.source.len(), "{name}: {error:?}");
        let lines = error.source.lines().count().max(1);
        assert!(error.position().0 <= lines + 1, "{name}: {}", error.render(false));
        assert!(error.render(false).contains("scenarios/x.yaml"), "{name}");
    }
}

#[test]
fn three_hundred_mutated_files_give_located_errors() {
    let (mut wrong, mut slowest) = (0, Duration::ZERO);
    for n in 0..300 {
        let text = mutated(n);
        let (result, time) = checked(&text);
        slowest = slowest.max(time);
        if let Err(errors) = result {
            wrong += 1;
            assert_located(&errors, &format!("mutation {n}:\n{text}"));
        }
    }
    assert!(wrong >= 200, "{wrong} of the mutations are errors");
    // Unoptimized, on a busy machine: a tenth of it otherwise.
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[test]
fn hostile_files_are_refused_quickly() {
    let lines = "title: t\nwhy: w\nupstream: [{reply: ok}]\n";
    let bomb: String =
        (1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)).collect();
    let files: Vec<(&str, String)> = vec![
        ("empty", String::new()),
        ("blank", " \n\n".to_owned()),
        ("a comment", "# nothing\n".to_owned()),
        ("a text", "nothing\n".to_owned()),
        ("a list", "- a\n- b\n".to_owned()),
        ("null", "null\n".to_owned()),
        ("two documents", format!("{lines}---\n{lines}")),
        ("a cyclic anchor", format!("{lines}proxy: &a {{timeout: *a}}\n")),
        ("an anchor in its own list", format!("{lines}tags: &a [*a]\n")),
        ("an unknown alias", format!("{lines}tags: *nowhere\n")),
        ("an alias bomb", format!("a0: &a0 [x]\n{bomb}{lines}")),
        ("deep lists", format!("{lines}tags: {}{}\n", "[".repeat(5000), "]".repeat(5000))),
        ("deep objects", format!("{lines}proxy: {}\n", "{a: ".repeat(5000))),
        ("deep blocks", (0..2000).map(|n| format!("{}a:\n", " ".repeat(n))).collect()),
        ("a NUL", format!("{lines}level: \u{0}\n")),
        ("a byte order mark in the middle", format!("title: t\n\u{feff}why: w\n{lines}")),
        ("a line separator after a list", "title: [a]\u{2028}\nwhy: w\nupstream: [{reply: ok}]\n".to_owned()),
        ("a control character", format!("{lines}level: \u{7}\n")),
        (
            "many unknown keys",
            lines.to_owned() + &(0..5000).map(|n| format!("x{n}: 1\n")).collect::<String>(),
        ),
        ("many wrong turns", format!("title: t\nwhy: w\nupstream:\n{}", "  - eror: x\n".repeat(5000))),
        ("a long key", format!("{lines}{}: 1\n", "x".repeat(100_000))),
        ("a long line without an end", format!("{lines}tags: [\"{}\n", "x".repeat(1_000_000))),
        ("a merge key", format!("{lines}<<: 3\n")),
        ("a tag", format!("{lines}level: !!python/object x\n")),
        ("a complex key", format!("{lines}? [a]\n: b\n")),
    ];
    for (name, text) in files {
        let (result, time) = checked(&text);
        let errors = result.expect_err(name);
        assert_located(&errors, name);
        assert!(errors.0.len() <= 20, "{name}: {}", errors.0.len());
        assert!(time < Duration::from_secs(2), "{name}: {time:?}");
    }
}

#[test]
fn a_file_that_is_not_utf_8_is_an_error_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("latin1", &b"title: caf\xe9\nwhy: w\n"[..]),
        ("utf16", &b"\xff\xfet\0i\0t\0l\0e\0"[..]),
        ("cut", &b"title: t\nwhy: \xe6\xbc"[..]),
    ] {
        let file = format!("{name}.yaml");
        std::fs::write(folder.path().join(&file), bytes).unwrap();
        match Library::load(folder.path(), &[file.into()]) {
            Err(LoadError::Files(errors)) => {
                assert!(errors.0[0].message.contains("UTF-8") && errors.0[0].help.is_some(), "{errors}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_long_file_that_is_right_loads() {
    let turns = "  - {error: rate_limit, headers: {retry-after: '7'}}\n".repeat(500);
    let source: Arc<str> = format!("title: t\nwhy: w\nupstream:\n{turns}").into();
    let (result, time) = checked(&source);
    assert!(result.is_ok() && time < Duration::from_secs(2), "{time:?}");
}
