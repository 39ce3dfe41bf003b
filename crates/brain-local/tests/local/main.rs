//! The local backend on disk: what survives, what is found damaged, who may write when.
//!
//! Some tests start this binary again, as another process that is killed, limited, or writes at the same time: see [`child`].

#![allow(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod child;
mod damage;
mod disk_full;
mod format_1;
mod home;
mod kill;
mod lifecycle;
mod model;
mod processes;
mod writers;
