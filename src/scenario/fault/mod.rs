//! The faults that a scenario can name, in one file for each layer, and the points of a response.

mod below;
mod framing;
mod kind;
mod latency;
mod message;
mod point;
mod session;
mod times;
mod traits;

pub(crate) use below::{ConnectionFault, Http2Code, Http2Fault, Http2Strike, TlsAlert, TlsFault};
pub(crate) use framing::Http1Fault;
pub use kind::Fault;
pub(crate) use latency::{Latency, LatencyPlace, LatencyShape};
pub(crate) use message::{ContentEncodingFault, ContentTypeFault, EventStreamFault, MalformedBody};
pub use point::Point;
pub(crate) use session::CloseFrame;
pub(crate) use traits::{FaultNeed, FaultStage, ReplyPart};
