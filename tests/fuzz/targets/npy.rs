//! A `.npy` file: a matrix of embeddings, or a refusal.

use brain::core::{Item, ItemId, Metric, VectorBatch, validate};
use brain::npy::{NpyReader, NpyWriter};

use super::{SCRATCH, assert_refused, file};

/// How many rows are asked for at once; several reads for all but the smallest files.
const ROWS: usize = 7;

/// What a row of this many numbers takes at least in the file: `f2`, the narrowest type.
const NARROWEST: usize = 2;

pub(super) fn run(data: &[u8]) {
    let path = file("fuzz.npy", data);
    let mut reader = match NpyReader::open(&path) {
        Ok(reader) => reader,
        Err(error) => return assert_refused(&error),
    };
    let (rows, dimension) = (reader.rows(), reader.dimension());
    let count = rows.checked_mul(dimension).expect("a matrix that was opened is no larger than its file");
    assert!(count * NARROWEST <= data.len(), "{rows} rows of {dimension} in {} bytes", data.len());
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let some = reader.read_rows(ROWS).unwrap();
        assert!(!some.is_empty() && some.len() <= ROWS * dimension && some.len().is_multiple_of(dimension));
        numbers.extend(some);
    }
    assert_eq!(numbers.len(), count);
    assert!(reader.read_rows(ROWS).unwrap().is_empty());
    let vectors = NpyReader::open(&path).unwrap().read_vectors().unwrap();
    assert_eq!(bits(&vectors.concat()), bits(&numbers));
    if dimension == 0 {
        return;
    }
    assert_eq!(vectors.len(), rows);
    written_and_read_again(dimension, &numbers);
    a_number_that_cannot_be_ranked_is_reported(dimension, &numbers);
}

fn written_and_read_again(dimension: usize, numbers: &[f32]) {
    let path = SCRATCH.path().join("again.npy");
    let mut writer = NpyWriter::create(&path, dimension).unwrap();
    writer.write_rows(numbers).unwrap();
    writer.finish().unwrap();
    let mut again = NpyReader::open(&path).unwrap();
    assert_eq!((again.rows(), again.dimension(), again.is_vector()), (numbers.len() / dimension, dimension, false));
    assert_eq!(bits(&again.read_rows(usize::MAX).unwrap()), bits(numbers));
}

fn a_number_that_cannot_be_ranked_is_reported(dimension: usize, numbers: &[f32]) {
    let items: Vec<Item> = (0..numbers.len() / dimension).map(|row| Item::sample(ItemId::from_text(&format!("row {row}")))).collect();
    let batch = VectorBatch::new(items, dimension, numbers.to_vec()).unwrap();
    let first = numbers.iter().position(|number| !number.is_finite());
    match (validate::batch(&batch, dimension, Metric::L1), first) {
        (Ok(()), None) => {}
        (Err(error), Some(first)) => {
            assert_refused(&error);
            let place = format!("row {} has a {} at position {}", first / dimension, numbers[first], first % dimension);
            assert!(error.message().contains(&place), "{error}, and not {place}");
        }
        (result, first) => panic!("{result:?}, where {first:?} is not finite"),
    }
}

/// The numbers so that NaNs compare.
fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}
