//! A search for words in texts.

use super::failure::Failure;

/// The words that a text must contain, without regard to case. Words in one argument are searched for separately.
pub(super) struct Search(Vec<String>);

impl Search {
    /// A search for all words of all `arguments`; without any, every text matches.
    pub(super) fn new(arguments: &[String]) -> Self {
        let words = arguments.iter().flat_map(|argument| argument.split_whitespace());
        Self(words.map(str::to_lowercase).collect())
    }

    /// Whether each word is contained in one of the texts.
    pub(super) fn matches(&self, texts: &[&str]) -> bool {
        let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
        self.0.iter().all(|word| texts.iter().any(|text| text.contains(word)))
    }

    /// The error for a search without a result among `all`, for example `900 cases`.
    pub(super) fn found_nothing(&self, all: &str) -> Failure {
        Failure::Usage(format!(
            "none of {all} contains `{}`\nhelp: search for fewer words, or for a part of a word",
            self.0.join(" ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_occur_but_not_in_the_same_text() {
        let search = Search::new(&["Retry-After storm".into(), "429".into()]);
        assert!(search.matches(&["A 429 keeps its retry-after", "A limit becomes a Storm of retries."]));
        assert!(!search.matches(&["A 429 keeps its retry-after"]));
        assert!(Search::new(&[]).matches(&[]));
    }
}
