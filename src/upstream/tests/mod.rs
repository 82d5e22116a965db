mod address;
mod broken;
mod client;
mod connection;
mod http2;
mod reply;
mod stage;
mod tls;
