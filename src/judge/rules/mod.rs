//! The rules of the contract, grouped by what they check.

mod content;
mod coding;
mod cooldown;
mod detail;
mod disconnect;
mod expect;
mod expect_content;
mod expect_requests;
mod fallback;
mod families;
mod finish;
mod format;
mod headers;
mod held_back;
mod keepalive;
mod language_literal;
mod leak;
mod limits;
mod mistake;
mod other_members;
mod own;
mod passthrough;
mod process;
mod realtime;
mod recovery;
mod responses_stream;
mod retry;
mod sibling;
mod status;
mod stream;
mod success;
mod timeout;

pub(crate) use expect::SAME_FACTS;
pub(crate) use families::FAMILIES;
