//! All exhibits, one file per family.

mod body;
mod catalogue;
mod combined;
mod connection;
mod ending;
mod event_stream;
mod http1;
mod http2;
mod points;
mod session;
mod stream;
mod timing;
mod tls;

pub use catalogue::all;
