//! Why no scenario can be made from what the user has.

/// Why no scenario can be made from a piece of evidence. The text ends with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IncidentError {
    /// The text contains nothing of the kind.
    #[error("found {missing} in the text\nhelp: {help}")]
    NothingFound {
        /// What was not found: `no HTTP response`.
        missing: &'static str,
        /// What the text should contain.
        help: &'static str,
    },
    /// The text is not a HAR file.
    #[error(
        "this is not a HAR file: {0}\nhelp: export it from the network tab of a browser's developer tools (\"Save all as HAR\")"
    )]
    NotHar(String),
    /// The HAR file has no entry with this number.
    #[error(
        "the file has {count} entries, and none is number {wanted}\nhelp: choose one from 1 to {count}:\n{list}"
    )]
    NoEntry {
        /// The number that the user chose.
        wanted: usize,
        /// The number of entries.
        count: usize,
        /// The entries, one per line.
        list: String,
    },
    /// The call that the evidence shows did not fail.
    #[error("nothing failed in {what}\nhelp: {help}")]
    NothingFailed {
        /// The call.
        what: String,
        /// What to do.
        help: String,
    },
    /// The call failed, and the evidence does not say how.
    #[error(
        "the evidence does not say how the call failed\nhelp: name what the provider did with --fault, for example `upfault new --fault \
         reset`, or with --error"
    )]
    Unclear,
    /// A literal body that is too long for a scenario.
    #[error(
        "the body has {bytes} bytes, more than a scenario should contain ({most})\nhelp: name the error instead, for example `upfault \
         new --error openai/bad_gateway`"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// Wishes that contradict each other or the evidence.
    #[error("{problem}\nhelp: {help}")]
    Contradiction {
        /// What does not fit.
        problem: String,
        /// What to do.
        help: String,
    },
}

impl IncidentError {
    /// Whether the text may be evidence of another kind.
    pub(crate) fn is_of_another_kind(&self) -> bool {
        matches!(self, Self::NothingFound { .. } | Self::NotHar(_))
    }
}
