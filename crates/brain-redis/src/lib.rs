//! The similarity index in Redis Stack: complete answers at the speed of the server.
//!
//! [`RedisBackend`] makes, opens, attaches to and drops indexes of one server; [`RedisIndex`] is a handle on one of them. Underneath, [`Settings`] say how
//! the server is reached, and a [`Pool`] hands out its connections, which are the driver's clients. All calls run within a tokio runtime.
//!
//! ```no_run
//! use brain_core::config::{Config, Environment, Sources};
//! use brain_core::*;
//! use brain_redis::{DECLARATION, RedisBackend};
//! use futures::{StreamExt, stream};
//!
//! # async fn example() -> Result<()> {
//! let environment = Environment::from_iter([("FIFTYONE_BRAIN_SIMILARITY_REDIS_URL", "rediss://birder:secret@localhost:6380")]);
//! let config = Config::load(&Sources { environment, ..Sources::default() }, &[DECLARATION])?;
//! let backend = RedisBackend::new(&config.parameters("redis", &[])?);
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
//! # What is in the server
//! An index `birds` over the keys `birds:ID`: hashes with a `vector` of raw little-endian numbers, and a `sample_id` where the items are patches; or JSON
//! documents `{"foid", "sample_id", "vector"}`, as FiftyOne makes them. A colon of a name is written `%3A` in keys, so that no index's keys begin as another
//! one's do. Beside it, at `brain-index|birds`, a hash says what the items are, how many vectors were acknowledged, and how hard a search has to
//! look. Nothing is written about indexes that others made: what was measured of them stands in the run's record.
//!
//! # How a search is answered
//! An index of the algorithm FLAT compares every row, and its answers are exact. A graph (HNSW) is asked where it finds at least 99 % of the nearest, which
//! is measured when it is built: questions among the stored rows are asked, to several depths, and the answers compared with exact ones. Where that is not
//! enough, the server compares every row of the graph. A view is searched by naming its keys, or, where it is large, by asking for more of the nearest
//! than are wanted and passing over those outside. Numbers that the server's single precision cannot compare are compared here.
//!
//! # What the server loses
//! A vector that was acknowledged is as durable as the server is set up to keep it. What it loses all the same is not passed over: an index that is gone is
//! an error, never an empty one, and so is one that holds fewer vectors than were acknowledged.

#![forbid(unsafe_code)]

mod backend;
mod calibrate;
mod command;
mod connect;
mod cost;
mod count;
mod declaration;
mod drop;
mod error;
mod index;
mod keys;
mod knn;
mod list;
mod load;
mod note;
mod options;
mod read;
mod remove;
mod reply;
mod row_words;
mod rows;
mod schema;
mod scope;
mod search;
mod wire;
mod write;

pub use backend::RedisBackend;
pub use connect::{Connection, Pool, Server, Settings, Version};
pub use declaration::DECLARATION;
pub use index::RedisIndex;
