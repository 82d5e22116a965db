//! The manual inside the binary: the pages of docs/, and their layout for a terminal.

mod block;
mod index;
mod layout;
mod page;
mod table;

pub(super) use index::{is_left_out, topic_groups};
pub(super) use layout::{LayoutOptions, laid_out};
pub(super) use page::{ManualTopic, Section};
