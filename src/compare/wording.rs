//! How a message was edited, in words that are the same for every case with the same edit.

use std::sync::LazyLock;

use regex::Regex;

use crate::observation::beginning;

/// The maximum length of a quoted part, in characters.
const LONGEST: usize = 48;

/// A placeholder that names a deployment or an attempt of its case: `<canary message primary#1>`, `<model primary>`.
static NAMED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"<(canary [a-z ]+?|model|key|token) [\w#-]+>").ok());

/// The mark in a message that was shortened in the middle.
const SHORTENED: &str = " characters ...] ";

/// Describes an edit. Pure; swapping the two messages swaps what was added and what was removed.
pub(crate) fn edit(before: &str, after: &str) -> String {
    let head = boundary(before, after, common_head(before, after));
    let (old, new) = (&before[head..], &after[head..]);
    let tail = boundary_before(old, new, common_tail(old, new));
    let (removed, added) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    if removed.contains(SHORTENED) || added.contains(SHORTENED) {
        return "message: other wording of a long text".to_owned();
    }
    let place = match (head, tail) {
        (0, 0) => return "message: other wording".to_owned(),
        (_, 0) => "suffix",
        (0, _) => "prefix",
        _ => "part",
    };
    match (removed.trim(), added.trim()) {
        ("", "") => "message: other white space".to_owned(),
        ("", added) => format!("message: {place} added: {}", quoted(added)),
        (removed, "") => format!("message: {place} removed: {}", quoted(removed)),
        (removed, added) => format!("message: {} became {}", quoted(removed), quoted(added)),
    }
}

/// The length in bytes of what both texts start with.
fn common_head(one: &str, other: &str) -> usize {
    let pairs = one.chars().zip(other.chars());
    pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

/// The length in bytes of what both texts end with.
fn common_tail(one: &str, other: &str) -> usize {
    let pairs = one.chars().rev().zip(other.chars().rev());
    pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

/// Moves the end of a common head to the start of a word if it is inside of one.
fn boundary(one: &str, other: &str, head: usize) -> usize {
    let (kept, _) = one.split_at(head);
    let goes_on = |text: &str| text[head..].starts_with(is_part);
    if kept.ends_with(is_part) && (goes_on(one) || goes_on(other)) {
        kept.trim_end_matches(is_part).len()
    } else {
        head
    }
}

/// Moves the start of a common tail to the end of a word if it is inside of one.
fn boundary_before(one: &str, other: &str, tail: usize) -> usize {
    let kept = &one[one.len() - tail..];
    let goes_on = |text: &str| text[..text.len() - tail].ends_with(is_part);
    if kept.starts_with(is_part) && (goes_on(one) || goes_on(other)) {
        kept.trim_start_matches(is_part).len()
    } else {
        tail
    }
}

/// Whether a character is part of a word or of a placeholder.
fn is_part(character: char) -> bool {
    character.is_alphanumeric() || "_<>#".contains(character)
}

fn quoted(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = NAMED.as_ref().map_or(text.clone(), |named| named.replace_all(&text, "<$1>").into_owned());
    match beginning(&text, LONGEST) {
        Some(start) => format!("{start:?}..."),
        None => format!("{text:?}"),
    }
}
