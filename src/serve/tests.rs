//! The server from outside, over sockets.

mod access;
mod api;
mod catalogue;
mod client;
mod description;
mod limits;
mod malformed;
