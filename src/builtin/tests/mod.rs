//! The embedded proxy over real sockets: honest behaviour, and each defect beside it.

mod between;
mod defects;
mod dialects;
mod handed;
mod honest;
mod providers;
mod sessions;
mod stage;
