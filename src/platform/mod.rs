//! What differs between operating systems. Every API of a single operating system is in this module, and each of its files
//! has a way for the others, or says that there is none. docs/platforms.md lists the consequences.

mod cpu_time;
mod files;
mod operating_system;
mod ports;
mod process_group;
mod programs;
mod send_queue;
mod stop_signal;

pub(crate) use cpu_time::cpu_of_ended_processes;
pub(crate) use files::{like_any_new_file, link_or_copy};
pub(crate) use operating_system::{OperatingSystem, system_description};
pub(crate) use ports::{HOLDS_PORTS, share_port};
pub(crate) use process_group::{ProcessGroupGuard, ask_to_stop, in_own_group, kill_group, signal_of};
pub(crate) use programs::which;
pub(crate) use send_queue::unacknowledged;
pub(crate) use stop_signal::{StopSignal, stop_signal};
