//! How a connection is made, checked, shared and replaced.
//!
//! [`Settings`] are read from the parameters and hold all that is known before the first byte is sent. [`Pool::get`] hands out a [`Connection`], which
//! is a [`Session`] on loan; its first statement asks the server who it is, and [`server`] judges the answer, so that a server that will not do is
//! one clear error before any work.

mod backend;
mod pool;
mod retry;
mod server;
mod session;
mod settings;
mod statements;
mod tls;
mod words;

pub use pool::{Connection, Pool};
pub use server::{ReadOnly, Server, Types, Version};
pub use session::{Parameter, Session, Setting};
pub use settings::Settings;
