//! The backend held against real servers; `cargo xtask services up` starts them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed assumption of a test is a failed test")]

mod cleanup;
mod conformance;
mod connect;
mod faults;
mod fiftyone;
mod kill;
mod list;
mod memory;
mod names;
mod others;
mod place;
mod server;
mod shapes;
mod together;
