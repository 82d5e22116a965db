mod address;
mod client;
mod connection;
mod http2;
mod reply;
mod stage;
mod tls;
