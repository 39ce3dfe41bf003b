//! How a connection is made, checked, shared and replaced.
//!
//! [`Settings`] are read from the parameters and hold all that is known before the first byte is sent. [`Pool::get`] hands out a [`Connection`], which
//! is one of the driver's clients; the first one asks the server who it is, and [`server`] judges the answer, so that a server that will not do is
//! one clear error before any work. Where many small commands go at once, they go by a [`Line`](line::Line) of its own.

pub(crate) mod line;
mod pool;
mod retry;
mod server;
mod settings;
mod tls;
mod words;

pub use pool::{Connection, Pool};
pub use server::{Server, Version};
pub use settings::Settings;
