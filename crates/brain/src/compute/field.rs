//! Vectors in a field of the dataset: read where they are, made by a model where they are not, and never of two models.

use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{Embedder, Error, ErrorKind, FieldValue, Item, Result, VectorBatch};
use brain_dataset::Dataset;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

use crate::models::{self, Crops};
use crate::vectors::{CHUNK, may_hold, vectors_of};

/// The nearest that two vectors of one picture by one model may be apart, as a cosine: decoders and runtimes differ by less, models by more.
const SAME: f32 = 0.99;

/// How many vectors of a field are looked at before its model is taken on trust: files may be gone.
const TRIALS: usize = 3;

/// Stores vectors in a field of samples, or an attribute of labels.
pub(crate) fn store(dataset: &Dataset, patches_field: Option<&str>, field: &str, rows: &VectorBatch) -> Result<()> {
    let values = rows.rows().map(|(item, vector)| (item.id.clone(), FieldValue::Vector(vector.to_vec())));
    match patches_field {
        Some(label_field) => dataset.set_label_values(label_field, field, values)?,
        None => dataset.set_values(field, values)?,
    };
    Ok(())
}

/// The vectors that a field holds, in batches; the items that have none are added to `lacking` as they pass.
pub(crate) fn stored<'a>(
    dataset: &Dataset,
    patches_field: Option<&str>,
    field: &str,
    items: Vec<Item>,
    dimension: usize,
    lacking: &Arc<Mutex<Vec<Item>>>,
) -> Result<BoxStream<'a, Result<VectorBatch>>> {
    if !may_hold(dataset, patches_field, field)? {
        lacking.lock().unwrap_or_else(PoisonError::into_inner).extend(items);
        return Ok(stream::empty().boxed());
    }
    let (dataset, patches_field, field, lacking) = (dataset.clone(), patches_field.map(str::to_owned), field.to_owned(), Arc::clone(lacking));
    let chunks: Vec<Vec<Item>> = items.chunks(CHUNK).map(<[Item]>::to_vec).collect();
    let batches = stream::iter(chunks)
        .map(move |chunk| {
            let vectors = vectors_of(&dataset, patches_field.as_deref(), &field, &chunk)?;
            let mut batch = VectorBatch::with_capacity(chunk.len(), dimension);
            for (item, vector) in chunk.into_iter().zip(vectors) {
                match vector {
                    Some(vector) => batch.push(item, &vector)?,
                    None => lacking.lock().unwrap_or_else(PoisonError::into_inner).push(item),
                }
            }
            Ok(batch)
        })
        .boxed();
    Ok(batches)
}

/// Checks that the vectors of a field are those of a model: of the first of them whose photo can be read, the model makes the same.
///
/// # Errors
/// [`Conflict`](ErrorKind::Conflict) and [`DimensionMismatch`](ErrorKind::DimensionMismatch) when they are not.
pub(crate) async fn same_model(dataset: &Dataset, crops: &Crops, field: &str, items: &[Item], embedder: &Arc<dyn Embedder>) -> Result<()> {
    let patches_field = crops.patches_field.as_deref();
    let mut held = Vec::new();
    for chunk in items.chunks(CHUNK) {
        let vectors = vectors_of(dataset, patches_field, field, chunk)?;
        held.extend(chunk.iter().zip(vectors).filter_map(|(item, vector)| Some((item.clone(), vector?))).take(TRIALS - held.len()));
        if held.len() == TRIALS {
            break;
        }
    }
    let hint = format!("fill another field, or fill {field} anew with this model (without --skip-existing)");
    for (item, vector) in held {
        if vector.len() != embedder.dimension() {
            let (has, makes) = (vector.len(), embedder.dimension());
            let message = format!("the field {field} holds vectors of {has} numbers, and the model {} makes vectors of {makes}", embedder.name());
            return Err(Error::new(ErrorKind::DimensionMismatch, message).with_hint(hint));
        }
        let mut made = models::embed(Arc::clone(embedder), dataset.clone(), vec![item.clone()], crops.clone(), None)?;
        while let Some(batch) = made.next().await {
            let rows = batch?.rows;
            // A photo that cannot be read makes no row, and the next item is tried.
            let Some((item, again)) = rows.rows().next() else { continue };
            let cosine = cosine(&vector, again);
            if cosine >= SAME {
                return Ok(());
            }
            let message = format!(
                "the field {field} was not filled by the model {}: of {} it makes another vector (cosine {cosine:.3})",
                embedder.name(),
                item.id
            );
            return Err(Error::new(ErrorKind::Conflict, message).with_hint(hint));
        }
    }
    Ok(())
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f64::MIN_POSITIVE)) as f32
}
