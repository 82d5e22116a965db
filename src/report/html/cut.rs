//! Shortens long texts, so that the size of a page does not depend on what a proxy sends.

use serde::Serialize;

/// A text from the wire, or its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct WireText {
    /// The text, or its beginning.
    pub(super) text: String,
    /// The number of bytes that are left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) more: usize,
}

/// The items of a list, or its beginning and its end.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct WireList<T> {
    /// The items at the beginning.
    pub(super) first: Vec<T>,
    /// The number of items that are left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) more: usize,
    /// The items at the end, if items are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) last: Vec<T>,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// How many bytes of text the page of one case may still use.
pub(super) struct TextBudget {
    left: usize,
}

impl TextBudget {
    /// How many bytes one case may use.
    const OF_A_CASE: usize = 96 * 1024;
    /// Of each text, at least this many bytes are shown even if the budget is used up.
    const LEAST: usize = 120;

    /// The budget of a new case.
    pub(super) fn of_a_case() -> Self {
        Self { left: Self::OF_A_CASE }
    }

    /// At most `most` bytes of a text.
    pub(super) fn take(&mut self, text: &str, most: usize) -> WireText {
        let most = most.min(self.left.max(Self::LEAST));
        let start = beginning(text, most);
        self.left = self.left.saturating_sub(start.len());
        WireText { text: start.to_owned(), more: text.len() - start.len() }
    }
}

/// The longest beginning of a text that has at most `most` bytes.
pub(super) fn beginning(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The first `first` and the last `last` items of a list, converted; all of them if no more than one would be left out.
pub(super) fn ends<S, T>(
    items: &[S],
    first: usize,
    last: usize,
    mut convert: impl FnMut(&S) -> T,
) -> WireList<T> {
    if items.len() <= first + last + 1 {
        return WireList { first: items.iter().map(convert).collect(), more: 0, last: Vec::new() };
    }
    WireList {
        first: items[..first].iter().map(&mut convert).collect(),
        more: items.len() - first - last,
        last: items[items.len() - last..].iter().map(convert).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_how_much_is_left_out() {
        let mut budget = TextBudget::of_a_case();
        let cut = budget.take("aé€", 4);
        assert_eq!((cut.text.as_str(), cut.more), ("aé", 3));
        let whole = budget.take("aé€", 6);
        assert_eq!((whole.text.as_str(), whole.more), ("aé€", 0));
    }

    #[test]
    fn a_case_cannot_exceed_its_budget_by_more_than_the_least_part_of_each_text() {
        let mut budget = TextBudget::of_a_case();
        let long = "x".repeat(10 * 1024 * 1024);
        let taken: Vec<WireText> = (0..50).map(|_| budget.take(&long, 8000)).collect();
        let bytes: usize = taken.iter().map(|cut| cut.text.len()).sum();
        assert!(bytes <= TextBudget::OF_A_CASE + 50 * TextBudget::LEAST, "{bytes}");
        assert!(taken.iter().all(|cut| cut.text.len() + cut.more == long.len()));
        assert_eq!(taken[49].text.len(), TextBudget::LEAST);
    }

    #[test]
    fn a_long_list_keeps_its_beginning_and_its_end() {
        let items: Vec<u32> = (0..10).collect();
        let cut = ends(&items, 3, 2, |n| *n);
        assert_eq!(cut, WireList { first: vec![0, 1, 2], more: 5, last: vec![8, 9] });
        assert_eq!(ends(&items, 5, 4, |n| *n).first, items, "a note would not be shorter than the item");
    }
}
