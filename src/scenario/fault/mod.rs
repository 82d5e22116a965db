//! The faults that a scenario can name, in one file for each layer, and the points of a response.

mod below;
mod framing;
mod kind;
mod latency;
mod message;
mod point;
mod session;

pub use below::{ConnectionFault, Http2Code, Http2Fault, Http2Strike, TlsAlert, TlsFault};
pub use framing::Http1Fault;
pub use kind::{Fault, FaultStage};
pub use latency::{Latency, LatencyPlace, LatencyShape};
pub use message::{ContentEncodingFault, ContentTypeFault, EventStreamFault, MalformedBody};
pub use point::Point;
pub use session::CloseFrame;
