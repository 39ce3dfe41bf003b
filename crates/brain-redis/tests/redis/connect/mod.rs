//! Connecting: who is let in, what is refused and how that is said.

mod acl;
mod refusals;
mod tls;
