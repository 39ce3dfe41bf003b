//! The local backend on disk: what survives, what is found damaged, who may write when.

#![allow(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod damage;
mod home;
mod lifecycle;
mod writers;
