//! Connecting: who is let in, what is refused and how that is said, what stays on a connection, and what happens when it breaks.

mod faults;
mod pooler;
mod preflight;
mod refusals;
mod session;
mod tls;
