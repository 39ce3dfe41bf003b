//! The dataset store from the outside: one binary, one module a subject.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod edits;
mod home;
mod imports;
mod messages;
mod oracle;
mod random;
mod views;
mod writers;
