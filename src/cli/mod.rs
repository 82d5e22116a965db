//! The command line: arguments, settings, commands, exit codes.

mod args;
mod check;
mod connection;
mod context;
mod entry;
mod explain;
mod explain_run;
mod failure;
mod filter;
mod gateway;
mod init;
mod interrupt;
mod list;
mod merge;
mod output;
mod policy;
mod print;
mod project;
mod proxy;
mod repro;
mod repro_keep;
mod repro_script;
mod rerun;
mod rerun_failed;
mod review;
mod review_group;
mod run;
mod run_folder;
mod schema;
mod select;
mod selftest;
mod serve;
mod settings;
mod show;

pub use entry::main;
