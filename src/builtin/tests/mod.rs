//! The embedded proxy over real sockets: the honest proxy, and each defect compared with it.

mod across_requests;
mod defect_situations;
mod defects;
mod dialect_streams;
mod dialects;
mod honest;
mod pass_through_and_pings;
mod providers;
mod sessions;
mod stage;
