//! What every vector must be before anything is written or asked, the same for every backend.

use brain_kernels::f16;
use rayon::prelude::*;

use crate::{Error, ErrorKind, ItemId, Metric, Result, VectorBatch};

/// From so many numbers on, a batch is looked at on all cores.
const PARALLEL_FROM: usize = 1 << 18;

/// The error of a vector of `found` numbers where the index holds `expected`.
pub fn wrong_length(id: &ItemId, found: usize, expected: usize) -> Error {
    Error::new(ErrorKind::DimensionMismatch, format!("the vector of {id} has {found} numbers, but the index holds vectors of {expected}"))
        .with_hint("embed with the model that the index was made with, or make a new index")
}

/// Refuses a batch in which any vector could not be ranked under `metric`; the error names the item.
///
/// # Errors
/// [`DimensionMismatch`](ErrorKind::DimensionMismatch) for a wrong length; [`InvalidInput`](ErrorKind::InvalidInput) for a NaN, an
/// infinity, a zero vector under cosine, or an id that the batch holds twice.
pub fn batch(batch: &VectorBatch, dimension: usize, metric: Metric) -> Result<()> {
    if batch.dimension() != dimension
        && let Some(item) = batch.items().first()
    {
        return Err(wrong_length(&item.id, batch.dimension(), dimension));
    }
    let vectors = batch.vectors();
    let rankable = |vector: &[f32]| is_rankable(vector, metric);
    let all_rankable = if vectors.len() < PARALLEL_FROM {
        vectors.chunks_exact(dimension.max(1)).all(rankable)
    } else {
        vectors.par_chunks_exact(dimension.max(1)).with_min_len(PARALLEL_FROM / 8 / dimension.max(1)).all(rankable)
    };
    if !all_rankable {
        batch.rows().try_for_each(|(item, vector)| numbers(&format!("the vector of {}", item.id), vector, metric))?;
    }
    unique(batch)
}

/// Refuses a batch in which any vector could not be stored in half precision; the error names the item.
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) for a number beyond ±65,504, and under cosine for a vector that is rounded to zero.
pub fn half_precision(batch: &VectorBatch, metric: Metric) -> Result<()> {
    for (item, vector) in batch.rows() {
        if let Some(at) = vector.iter().position(|&x| !f16::from_f32(x).is_finite()) {
            return Err(Error::invalid(format!("the vector of {} has {} at position {at}, and half precision ends at 65504", item.id, vector[at]))
                .with_hint("scale the vectors down, or make the index with numbers of single precision"));
        }
        if metric == Metric::Cosine && vector.iter().all(|&x| f16::from_f32(x).to_f32() == 0.0) {
            return Err(Error::invalid(format!("the vector of {} is so small that half precision rounds it to zero", item.id))
                .with_hint("scale the vectors up, or make the index with numbers of single precision"));
        }
    }
    Ok(())
}

/// Refuses numbers that are no whole count of query vectors.
///
/// # Errors
/// [`DimensionMismatch`](ErrorKind::DimensionMismatch).
pub fn queries(queries: &[f32], dimension: usize) -> Result<()> {
    if queries.len().is_multiple_of(dimension) {
        return Ok(());
    }
    let message = format!("{} numbers are no whole count of query vectors of {dimension}", queries.len());
    Err(Error::new(ErrorKind::DimensionMismatch, message).with_hint("embed the query with the model that the index was made with"))
}

/// Refuses a query vector that could not be compared under `metric`.
///
/// # Errors
/// As [`batch`], naming the query instead of an item.
pub fn query(vector: &[f32], dimension: usize, metric: Metric) -> Result<()> {
    if vector.len() != dimension {
        return Err(Error::new(
            ErrorKind::DimensionMismatch,
            format!("the query vector has {} numbers, but the index holds vectors of {dimension}", vector.len()),
        )
        .with_hint("embed the query with the model that the index was made with"));
    }
    numbers("the query vector", vector, metric)
}

fn is_rankable(vector: &[f32], metric: Metric) -> bool {
    // A sum does not stop early, so that several numbers are looked at in one step: a NaN or an infinity times zero is a NaN, and stays one.
    let mut sums = [0.0_f32; 16];
    let (groups, rest) = vector.as_chunks::<16>();
    for numbers in groups {
        for (sum, x) in sums.iter_mut().zip(numbers) {
            *sum += x * 0.0;
        }
    }
    let finite = sums.iter().chain(rest).all(|x| x.is_finite());
    finite && (metric != Metric::Cosine || vector.iter().any(|&x| x != 0.0))
}

fn numbers(what: &str, vector: &[f32], metric: Metric) -> Result<()> {
    if let Some(at) = vector.iter().position(|x| !x.is_finite()) {
        return Err(Error::invalid(format!("{what} has a {} at position {at}", vector[at]))
            .with_hint("only finite numbers can be compared; leave the item out or embed it again"));
    }
    if metric == Metric::Cosine && vector.iter().all(|&x| x == 0.0) {
        return Err(Error::invalid(format!("{what} is zero, which has no direction for cosine to compare"))
            .with_hint("leave the item out, or use another metric, such as euclidean"));
    }
    Ok(())
}

fn unique(batch: &VectorBatch) -> Result<()> {
    let mut ids: Vec<&ItemId> = batch.items().iter().map(|item| &item.id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::invalid(format!("id {} comes twice in one batch", pair[0])).with_hint("give every id one vector")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Item;

    fn one(id: &str, vector: &[f32]) -> VectorBatch {
        VectorBatch::new(vec![Item::sample(id.into())], vector.len(), vector.to_vec()).unwrap()
    }

    #[test]
    fn half_precision_has_an_end() {
        let refused = |vector: &[f32], metric| half_precision(&one("a", vector), metric).unwrap_err().message().to_owned();
        assert_eq!(refused(&[1.0, -7e4], Metric::L1), "the vector of a has -70000 at position 1, and half precision ends at 65504");
        assert!(refused(&[1e-9, 0.0], Metric::Cosine).contains("rounds it to zero"));
        half_precision(&one("a", &[65_504.0, 1e-9]), Metric::Cosine).unwrap();
        half_precision(&one("a", &[1e-9]), Metric::Euclidean).unwrap();
    }

    #[test]
    fn each_bad_vector_is_named() {
        let nan = batch(&one("a", &[0.0, f32::NAN]), 2, Metric::Euclidean).unwrap_err();
        assert_eq!(nan.message(), "the vector of a has a NaN at position 1");
        let zero = batch(&one("b", &[0.0, -0.0]), 2, Metric::Cosine).unwrap_err();
        assert!(zero.message().contains("of b is zero"));
        assert!(batch(&one("b", &[0.0, 0.0]), 2, Metric::DotProduct).is_ok());
        let long = batch(&one("c", &[1.0; 3]), 2, Metric::L1).unwrap_err();
        assert_eq!(long.kind(), ErrorKind::DimensionMismatch);
        assert!(query(&[f32::INFINITY], 1, Metric::L1).is_err());
    }

    #[test]
    fn an_id_twice_is_refused() {
        let items = vec![Item::sample("a".into()), Item::sample("a".into())];
        let twice = VectorBatch::new(items, 1, vec![1.0, 2.0]).unwrap();
        assert!(batch(&twice, 1, Metric::L1).unwrap_err().message().contains("id a comes twice"));
    }
}
