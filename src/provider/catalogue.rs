//! The form of an error catalogue: one row an error, so that a provider's catalogue is data.

use crate::scenario::ErrorName;

/// One error as one provider sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorRow {
    /// Which error.
    pub name: ErrorName,
    /// The provider's own status.
    pub status: u16,
    /// `error.type`.
    pub kind: &'static str,
    /// `error.code`; `null` where there is none.
    pub code: Option<&'static str>,
    /// `error.param`; `null` where there is none.
    pub param: Option<&'static str>,
    /// The text, `{model}` standing for the model that was asked for.
    pub text: &'static str,
    /// What kind of body carries it.
    pub form: ErrorForm,
    /// Which limit headers go with it.
    pub limits: Limits,
    /// What the row rests on.
    pub confidence: Confidence,
    /// The page, fixture or issue.
    pub source: &'static str,
}

/// What kind of body carries an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorForm {
    /// The dialect's own error object.
    Json,
    /// A page of the network in front of the provider, which knows nothing of the provider's
    /// headers.
    HtmlPage,
}

/// Which limit headers go with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// None at all.
    None,
    /// The requests of this minute are used up; waiting helps.
    Requests,
    /// The tokens of this minute are used up; waiting helps.
    Tokens,
}

/// What a row rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// The provider's documentation says so.
    Documented,
    /// A recorded reply.
    Recorded,
    /// The literal body stands in somebody's report.
    Reported,
    /// Recalled, not confirmed: assert on status, type and code rather than on the text.
    Recalled,
}
