//! What every backend must do, as functions to run.
//!
//! Each function makes indexes of its own under names that nobody else has, and drops them, also when it fails: a server that is shared is left as
//! it was. Each goes through every metric that the backend claims, where that matters, and asserts that what is not claimed is refused. They panic
//! like tests, with what was asked and what was wrong with the answer.
//!
//! A backend runs them all with one line, [`run`], on whatever runtime it needs, and random searches with
//! [`oracle_equality`](crate::property::oracle_equality).

mod adding;
mod claims;
mod comparing;
mod lifecycle;
mod nearest;
mod reading;
mod removing;
mod searching;
mod trial;

use brain_core::SimilarityBackend;

use crate::shape::Shape;

pub use adding::{
    follows_the_conflict_rule, keeps_what_came_before_an_error, moves_an_overwritten_patch, publishes_whole_batches, refuses_bad_vectors,
    serves_two_writers, takes_odd_streams,
};
pub use claims::{attaches_to_what_is_there, bounds_k, bounds_the_dimension, presents_itself, refuses_other_directions, refuses_other_metrics};
pub use comparing::{compares_all_with_all, refuses_senseless_comparisons};
pub use lifecycle::{
    creates_opens_and_drops, keeps_indexes_apart, lets_one_creator_win, refuses_a_mismatched_open, reopens_what_was_added, says_what_it_dropped,
};
pub use nearest::{agrees_with_the_oracle, bears_extreme_vectors, stays_in_scope};
pub use reading::{counts_every_scope, fetches_by_sample, fetches_in_the_order_asked, lists_everything_once, reads_beside_a_writer};
pub use removing::{follows_the_missing_rule, leaves_nothing_behind, removes_the_patches_of_samples};
pub use searching::{aggregates_and_reverses, answers_exactly_when_asked, completes_approximate_answers, refuses_bad_queries, searches_views};

pub(crate) use comparing::check_comparison;
pub(crate) use searching::check;
pub(crate) use trial::with_corpus;

/// The share of an approximate answer's rows that must belong in it.
pub(crate) const RECALL: f64 = 0.9;

/// Runs the whole suite, one function after the other.
///
/// # Panics
/// At the first thing that the backend does wrong.
pub async fn run(backend: &dyn SimilarityBackend) {
    presents_itself(backend).await;
    refuses_other_metrics(backend).await;
    bounds_the_dimension(backend).await;
    refuses_other_directions(backend).await;
    bounds_k(backend).await;
    attaches_to_what_is_there(backend).await;

    creates_opens_and_drops(backend).await;
    says_what_it_dropped(backend).await;
    refuses_a_mismatched_open(backend).await;
    keeps_indexes_apart(backend).await;
    lets_one_creator_win(backend).await;
    reopens_what_was_added(backend).await;

    follows_the_conflict_rule(backend).await;
    moves_an_overwritten_patch(backend).await;
    publishes_whole_batches(backend).await;
    takes_odd_streams(backend).await;
    keeps_what_came_before_an_error(backend).await;
    refuses_bad_vectors(backend).await;
    serves_two_writers(backend).await;

    follows_the_missing_rule(backend).await;
    removes_the_patches_of_samples(backend).await;
    leaves_nothing_behind(backend).await;

    fetches_in_the_order_asked(backend).await;
    fetches_by_sample(backend).await;
    lists_everything_once(backend).await;
    reads_beside_a_writer(backend).await;
    counts_every_scope(backend).await;

    agrees_with_the_oracle(backend).await;
    stays_in_scope(backend).await;
    bears_extreme_vectors(backend).await;

    aggregates_and_reverses(backend).await;
    searches_views(backend).await;
    answers_exactly_when_asked(backend).await;
    completes_approximate_answers(backend).await;
    refuses_bad_queries(backend).await;

    compares_all_with_all(backend).await;
    refuses_senseless_comparisons(backend).await;
}

fn dimension_fits(backend: &dyn SimilarityBackend, shape: Shape) -> bool {
    backend.capabilities().max_dimension.is_none_or(|most| shape.dimension() <= most)
}
