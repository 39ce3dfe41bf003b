//! The conformance suite that every similarity backend runs.
//!
//! A backend is right when it does what [`brain_core::SimilarityBackend`] says, and [`conformance`] turns that contract into functions that assert
//! it: [`conformance::run`] calls them all, [`property::oracle_equality`] adds random searches, [`recall`] larger ones of every lie. Expected
//! answers come from [`brain_core::oracle::Oracle`]; [`compare`] holds an answer against them, up to rounding and ties, [`questions`] asks them all.
//!
//! What the tests are made of is here for other tests too: [`random`] numbers that never change, vectors of the [`shape`]s that searches go wrong
//! on, and a [`corpus`] of items with vectors and views. [`memory::MemoryBackend`] is the smallest backend that passes; [`faults::FaultyBackend`]
//! makes it lose rows, so that the search layer can be seen to repair its answers. [`configured::Configured`] runs a suite over indexes made by other
//! parameters than the default ones.
//!
//! Backends that talk to a server find a real one through [`services`]; a [`proxy`] before it is a network that can be cut, [`kill`] ends the client in the
//! middle of its work, and [`resp`] speaks to Redis without the driver that is tested.
//!
//! A new backend needs one test file:
//! ```
//! use brain_core::{Capabilities, Metric};
//! use brain_testkit::{conformance, memory::MemoryBackend, property};
//!
//! # let mut capabilities = Capabilities::exact([Metric::Jaccard]);
//! # capabilities.max_dimension = Some(16);
//! let backend = MemoryBackend::new(capabilities);
//! // A backend that needs a runtime passes that runtime's `block_on`.
//! futures::executor::block_on(conformance::run(&backend));
//! property::oracle_equality(&backend, 8, &|future| futures::executor::block_on(future));
//! ```

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "this crate is tests: a failed assertion is its result, and says on stderr which index it was about"
)]

pub mod compare;
pub mod configured;
pub mod conformance;
pub mod corpus;
pub mod faults;
pub mod kill;
pub mod memory;
pub mod property;
pub mod proxy;
pub mod questions;
pub mod random;
pub mod recall;
pub mod resp;
pub mod services;
pub mod shape;
