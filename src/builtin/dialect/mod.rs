//! What the proxy must know about each dialect: the URLs of requests, valid responses, the meaning of stream
//! frames, and the forms of errors.

mod address;
mod answer;
mod dialect_error;
mod error_form;
mod frame;
mod meaning;
mod serving;

pub use address::{Address, address};
pub use answer::{carries_error, empty_response, is_answer, response_name};
pub use dialect_error::{DialectError, ErrorMembers};
pub use error_form::ErrorForm;
pub use frame::{closing, error_frame, finish, ping};
pub use meaning::{FrameMeaning, meaning, passes_unchanged};
pub use serving::{Credential, credential, lacks, upstream_api, upstream_url};
