//! The similarity index in PostgreSQL with pgvector.
//!
//! [`Settings`] say how the server is reached, a [`Pool`] hands out its connections, and a [`Session`] is one of them: a driver's client with a cache
//! of statements, run-time settings that belong to a statement, and what was read of the [`Server`] when the connection was made.

#![forbid(unsafe_code)]

mod backend;
mod build;
mod calibrate;
mod catalog;
mod connect;
mod declaration;
mod error;
mod index;
mod load;
mod options;
mod quote;
mod read;
mod remove;
mod scope;
mod search;
mod table;
mod wire;

pub use backend::PgvectorBackend;
pub use connect::{Connection, Parameter, Pool, ReadOnly, Server, Session, Setting, Settings, Types, Version};
pub use declaration::DECLARATION;
pub use index::PgvectorIndex;
