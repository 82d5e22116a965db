//! What the proxy must know of each dialect: where requests go, what an answer is, what a frame of a
//! stream says, how an error is read and written.

mod address;
mod answer;
mod family;
mod frame;
mod meaning;
mod serving;
mod dialect_error;

pub use address::{Address, address};
pub use answer::{carries_error, is_answer, made_of, made_up};
pub use dialect_error::{DialectError, ErrorMembers};
pub use family::ErrorForm;
pub use frame::{closing, error_frame, finish, ping};
pub use meaning::{FrameMeaning, meaning, passes_as_it_came};
pub use serving::{Credential, credential, lacks, upstream_api, upstream_url};
