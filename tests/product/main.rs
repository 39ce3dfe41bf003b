//! Whole-product tests: what a user does, through the facade and through the command line, on real photos and real servers.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bad_input;
mod command_line;
mod fiftyone;
#[path = "../fuzz/targets/mod.rs"]
mod fuzz_targets;
mod home;
mod keyspace;
mod models;
mod resume;
mod schema;
mod seeds;
mod similar;
mod two_servers;
mod walk;
