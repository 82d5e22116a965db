//! What the proxy must know about each dialect: the URLs of requests, valid responses, the meaning of stream
//! frames, and the forms of errors.

mod address;
mod answer;
mod dialect_error;
mod error_form;
mod frame;
mod meaning;
mod serving;
mod typed_stream;

pub(crate) use crate::dialect::ErrorForm;
pub(crate) use address::{Address, address};
pub(crate) use answer::{carries_error, empty_response, is_answer, response_name};
pub(crate) use dialect_error::DialectError;
pub(crate) use frame::{closing, error_frame, finish, ping};
pub(crate) use meaning::{FrameMeaning, meaning, passes_unchanged};
pub(crate) use serving::{Credential, credential, lacks, upstream_api, upstream_url};
pub(crate) use typed_stream::TypedStream;
