//! Tests of the server over real sockets.

mod access;
mod api;
mod catalogue;
mod client;
mod description;
mod limits;
mod malformed;
