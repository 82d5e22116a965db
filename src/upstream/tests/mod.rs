mod address;
mod broken;
mod client;
mod connection;
mod reply;
mod stage;
mod tls;
