//! The similarity index in PostgreSQL with pgvector: complete answers at the speed of plain SQL.
//!
//! [`PgvectorBackend`] makes, opens, attaches to and drops tables of vectors in one database; [`PgvectorIndex`] is a handle on one of them. Underneath,
//! [`Settings`] say how the server is reached, a [`Pool`] hands out its connections, and a [`Session`] is one of them. All calls run within a tokio runtime.
//!
//! ```no_run
//! use brain_core::config::{Config, Environment, Sources};
//! use brain_core::*;
//! use brain_pgvector::{DECLARATION, PgvectorBackend};
//! use futures::{StreamExt, stream};
//!
//! # async fn example() -> Result<()> {
//! let environment = Environment::from_iter([(
//!     "FIFTYONE_BRAIN_SIMILARITY_PGVECTOR_CONNECTION_STRING",
//!     "postgresql://birder:secret@localhost/birds?sslmode=verify-full",
//! )]);
//! let config = Config::load(&Sources { environment, ..Sources::default() }, &[DECLARATION])?;
//! let backend = PgvectorBackend::new(&config.parameters("pgvector", &[])?);
//! let spec = IndexSpec {
//!     name: "birds".into(),
//!     dimension: 2,
//!     metric: Metric::Cosine,
//!     items: ItemKind::Samples,
//!     parameters: Parameters::new(),
//! };
//! let index = backend.create(&spec).await?;
//! let items = ["owl", "hen", "emu"].map(|id| Item::sample(id.into())).to_vec();
//! let batch = VectorBatch::new(items, 2, vec![1.0, 0.0, 0.6, 0.8, 0.0, 2.0])?;
//! index.add(stream::iter([Ok(batch)]).boxed(), OnConflict::Error).await?;
//! index.build(&NoProgress).await?;
//!
//! let request = search::SearchRequest { k: Some(2), ..search::SearchRequest::new(vec![vec![0.0, 1.0]]) };
//! let answer = search::search(&*index, &request).await?;
//! assert_eq!(answer.results[0][0].item.id, "emu".into());
//! # Ok(())
//! # }
//! ```
//!
//! # What is in the database
//! A table `(id text primary key, sample_id text, embedding_vector vector(d))`, as FiftyOne makes it, and an index on the vectors. The table's comment says what
//! ranks it and what its items are; the index's comment says how hard a search has to look. Both go where the table goes, a dump included.
//! Nothing is written about tables that others made: what was measured of them stands in the run's record.
//!
//! # How a search is answered
//! Through the index where that finds at least 99 % of the nearest, which is measured after the index is built: stored rows are asked for their neighbours, to
//! several depths, and their answers compared with exact ones. A view is searched by asking for more of the nearest than are wanted and
//! passing over those outside: no ids are sent. Where that is not enough, where the data has no neighbourhoods to follow, and where few rows are
//! meant, the server compares every row in scope, and the answer is exact. Numbers that the server's single precision cannot square are compared here.

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
