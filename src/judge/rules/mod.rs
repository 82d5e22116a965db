//! The rules of the contract, by what they look at.

mod cooldown;
mod detail;
mod disconnect;
mod expect;
mod fallback;
mod families;
mod format;
mod headers;
mod leak;
mod mistake;
mod realtime;
mod recovery;
mod retry;
mod sibling;
mod status;
mod stream;
mod success;
mod timeout;

pub use disconnect::RULES as DISCONNECT;
pub use expect::RULES as EXPECT;
pub use families::FAMILIES;
pub use sibling::RULES as SIBLINGS;
