//! Searches a text for a separate word. A plain search is not enough: sooner or later, ids and hashes contain
//! any short text by chance.

/// Whether `text` contains `word` other than as a part of a longer run of ASCII letters, digits and `_`:
/// `401` is not in `a401f`, and `127.0.0.1:80` not in `127.0.0.1:8080`. If `word` itself begins or ends with
/// another character, any character may be next to it there.
pub(crate) fn occurs(text: &str, word: &str) -> bool {
    find(text, word).is_some()
}

/// The position of the first match of [`occurs`].
pub(crate) fn find(text: &str, word: &str) -> Option<usize> {
    let (first, last) = (word.starts_with(is_part), word.ends_with(is_part));
    let alone = |(before, after): &(&str, &str)| {
        (!first || ends_outside(before)) && !(last && after.starts_with(is_part))
    };
    around(text, word).find(alone).map(|(before, _)| before.len())
}

/// Whether `text` contains `token`, whose start cannot occur by chance, such as a canary or a key of upfault.
/// Any character may be next to it, unless that makes it another token: `…-primary-1` is not in
/// `…-primary-10`.
pub(crate) fn has_token(text: &str, token: &str) -> bool {
    find_token(text, token).is_some()
}

/// The position of the first match of [`has_token`].
pub(crate) fn find_token(text: &str, token: &str) -> Option<usize> {
    tokens(text, token).next().map(|(before, _)| before.len())
}

/// The number of matches of [`has_token`].
pub(crate) fn count_tokens(text: &str, token: &str) -> usize {
    tokens(text, token).count()
}

/// `text` with every match of [`has_token`] replaced by `with`.
pub(crate) fn replace_token(text: &str, token: &str, with: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (before, after) in tokens(text, token) {
        out.push_str(&text[from..before.len()]);
        out.push_str(with);
        from = text.len() - after.len();
    }
    out + &text[from..]
}

/// Whether `rest`, which follows `token` in a text, turns it into another token: more digits after a number,
/// or letters, digits and `_` after a name.
pub(crate) fn goes_on(token: &[u8], rest: &[u8]) -> bool {
    match (token.last(), rest.first()) {
        (Some(last), Some(next)) if last.is_ascii_digit() => next.is_ascii_digit(),
        (Some(last), Some(next)) => is_part(char::from(*last)) && is_part(char::from(*next)),
        _ => false,
    }
}

fn tokens<'t>(text: &'t str, token: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
    around(text, token).filter(|(_, after)| !goes_on(token.as_bytes(), after.as_bytes()))
}

/// The text before and after each occurrence of `word`, including those inside a longer word.
fn around<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
    let places = (!word.is_empty()).then(|| text.match_indices(word)).into_iter().flatten();
    places.map(|(at, found)| (&text[..at], &text[at + found.len()..]))
}

/// Whether a word can begin after `text`. The letter of an escape sequence does not belong to the word after
/// it: in `\n401` of a JSON text the number is a separate word.
fn ends_outside(text: &str) -> bool {
    let mut back = text.chars().rev();
    match (back.next(), back.next()) {
        (Some('n' | 't' | 'r' | 'b' | 'f'), Some('\\')) => true,
        (last, _) => !last.is_some_and(is_part),
    }
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_only_outside_of_longer_words() {
        for (text, word, found) in [
            ("got 401.", "401", true),
            ("\"status\":401,", "401", true),
            (r"failed:\n401", "401", true),
            ("a hash 7f401c", "401", false),
            ("1401", "401", false),
            ("401k and 401", "401", true),
            ("http://127.0.0.1:8080/v1", "127.0.0.1:8080", true),
            ("http://127.0.0.1:80801/v1", "127.0.0.1:8080", false),
            ("x/site-packages/y", "site-packages/", true),
            ("None", "None", true),
            ("NoneType", "None", false),
            ("anything", "", false),
            ("状态401错误", "401", true),
        ] {
            assert_eq!(occurs(text, word), found, "{word} in {text}");
        }
    }

    #[test]
    fn a_token_of_the_first_attempt_is_not_found_in_one_of_the_tenth() {
        let text = "Bearer%20canary-msg-x-primary-1 canary-msg-x-primary-10 canary-msg-x-primary-1";
        assert_eq!(count_tokens(text, "canary-msg-x-primary-1"), 2);
        assert!(!has_token("canary-msg-x-primary-10", "canary-msg-x-primary-1"));
        assert!(has_token("canary-msg-x-primary-1and more", "canary-msg-x-primary-1"));
        assert!(!has_token("sk-canary-x-primary2", "sk-canary-x-primary"));
        assert_eq!(
            replace_token(text, "canary-msg-x-primary-1", "<it>"),
            "Bearer%20<it> canary-msg-x-primary-10 <it>"
        );
        assert_eq!(replace_token("nothing", "", "<it>"), "nothing");
    }

    proptest::proptest! {
        #[test]
        fn a_random_word_never_contains_another(hash in "[0-9a-zA-Z]{8,40}", word in "[0-9a-z]{3,7}") {
            for text in [format!("x {hash} y"), format!("x={hash}, y")] {
                proptest::prop_assert!(!occurs(&text, &word), "{}", text);
            }
        }
    }
}
