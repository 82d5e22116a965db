//! What the library offers beyond its data: a mock server for tests, and the suite as one call.

mod mock;
mod suite;

pub use mock::{ArmError, Mock, MockServer, ReceivedByMock};
pub use suite::Suite;
