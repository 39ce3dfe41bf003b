//! The backend held against real servers; `cargo xtask services up` starts them.

#![allow(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod conformance;
mod connect;
mod faults;
mod fiftyone;
mod full_disk;
mod kill;
mod others;
mod schema;
mod server;
mod shapes;
mod together;
