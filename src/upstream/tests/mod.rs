mod address;
mod client;
mod connection;
mod reply;
mod stage;
mod tls;
