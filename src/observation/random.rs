//! Recognises random ids that have no known prefix or form: runs of letters and digits that do not resemble
//! words.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// The minimum length of a random id. A shorter run could be a name.
const SHORTEST: usize = 16;

/// The minimum number of pairs. With fewer pairs the weights are not reliable.
const FEWEST_PAIRS: i32 = 10;

/// How much more often a pair of letters occurs in words than by chance: the base-2 logarithm plus 4. Rows
/// are first letters, columns are second letters. Counted in the 120,000 words of English prose and program
/// code (the names of errors, models, settings) of a Debian system with LiteLLM.
const PAIRS: [&[u8; 26]; 26] = [
    b"45663352514767151767443342",
    b"53335311431521410432400030",
    b"63436316405532730536411021",
    b"53447432611432431443422020",
    b"64665543412657454876354641",
    b"43334410600411520433301020",
    b"41326233400323320443411010",
    b"50215111501222520324301020",
    b"54655451212658641566242314",
    b"30013000100000210020201000",
    b"31225121401212310242201010",
    b"63447321612632630355421140",
    b"64326210501342550242311120",
    b"62566562513334531367442121",
    b"44552342314557550755544321",
    b"61336223403522540645411030",
    b"10000000000100000100400000",
    b"73548341604444630555432040",
    b"52537325603433552367523041",
    b"63547425712443641655423251",
    b"44335330401546240555010101",
    b"51216110400111310121000000",
    b"41214102401113310431000000",
    b"21314201300120130134000220",
    b"32223120201333240233111011",
    b"30004001200111200001100011",
];

/// The weight of a change between a letter and a digit: rarer than by chance, but the names of models and
/// versions contain some.
const MIXED: i32 = -2;

/// Whether a run of letters, digits, `-` and `_` looks random: an id, a hash, a nonce.
pub(crate) fn looks_random(run: &str) -> bool {
    if run.len() < SHORTEST {
        return false;
    }
    let letters = run.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    if letters > 0 && digits > 0 && run.bytes().all(|b| b.is_ascii_hexdigit()) {
        return true;
    }
    let place = |letter: u8| usize::from(letter.to_ascii_lowercase() - b'a');
    let weights = run.as_bytes().windows(2).filter_map(|pair| match [pair[0], pair[1]] {
        [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            Some(i32::from(PAIRS[place(a)][place(b)] - b'0') - 4)
        }
        [a, b] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() => {
            (a.is_ascii_digit() != b.is_ascii_digit()).then_some(MIXED)
        }
        _ => None,
    });
    let (pairs, weight) = weights.fold((0, 0), |(pairs, sum), weight| (pairs + 1, sum + weight));
    pairs >= FEWEST_PAIRS && weight < 0
}

/// `text` with every run that looks random replaced by `<id>`.
pub(crate) fn without_random(text: &str) -> String {
    static RUNS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9_-]{16,}").ok());
    let Some(runs) = &*RUNS else { return text.to_owned() };
    let shown = |found: &Captures<'_>| {
        let run = &found[0];
        if looks_random(run) { "<id>".to_owned() } else { run.to_owned() }
    };
    runs.replace_all(text, shown).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, proptest};
    use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

    use super::*;

    #[test]
    fn words_and_names_do_not_look_random() {
        for text in [
            "internationalization",
            "ContextWindowExceededError",
            "insufficient_quota_exceeded",
            "claude-3-5-sonnet-20241022",
            "gpt-4o-mini-transcribe-2024-07-18",
            "KeyboardInterrupt",
            "UpdateKeyRequest",
            "AWS4-HMAC-SHA256",
            "claude-3-haiku-20240307-v1",
            "mixtral-8x7b-instruct-v0",
            "llama-v3p1-405b-instruct",
            "x-ratelimit-remaining-requests",
            "BedrockRuntimeException",
            "text-embedding-3-small",
            "proxy-connection-upgrade-required",
            "1234567890123456789",
            "__________________",
            "RateLimitErrorFromTheUpstreamProvider",
            "tool_use_block_without_a_result",
            "Unbekannte-Fehlermeldung-des-Anbieters",
        ] {
            assert!(!looks_random(text), "{text}");
        }
    }

    #[test]
    fn ids_of_every_alphabet_look_random() {
        for text in [
            "kqXvBzWnRtYpLmHd",
            "zxqvkjwpbgmfhtyd",
            "VSTYxkjHqPwZmNbR",
            "01JD3N8QX5V7W2K9M4T6R1B0ZC",
            "V1StGXR8_Z5jdHi6B-myT",
            "00f067aa0ba902b7",
            "dGhpcyBpcyBub3QgYW4gaWQ",
        ] {
            assert!(looks_random(text), "{text}");
        }
        assert_eq!(without_random("id=kqXvBzWnRtYpLmHd, no answer"), "id=<id>, no answer");
    }

    /// At most a few of 1000 random ids look like words; some more if they are short and have only lower-case
    /// letters.
    #[test]
    fn random_ids_are_rarely_taken_for_words() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut drawn = |alphabet: &str, length: usize| -> String {
            let letters: Vec<char> = alphabet.chars().collect();
            (0..length).map(|_| letters[rng.random_range(0..letters.len())]).collect()
        };
        let lower = "abcdefghijklmnopqrstuvwxyz";
        let base62 = format!("{lower}{}0123456789", lower.to_uppercase());
        let base64 = format!("{base62}-_");
        for (alphabet, length, most) in
            [(lower, 20, 25), (&base62, 22, 8), (&base64, 21, 8), ("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 26, 2)]
        {
            let missed = (0..1000).filter(|_| !looks_random(&drawn(alphabet, length))).count();
            assert!(missed <= most, "{missed} of 1000 in {alphabet}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_accepted_and_replacing_twice_changes_nothing(text in ".{0,80}") {
            let once = without_random(&text);
            prop_assert!(without_random(&once) == once);
        }
    }
}
