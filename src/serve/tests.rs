//! The server from outside, over sockets.

mod api;
mod catalogue;
mod client;
mod description;
mod malformed;
