//! From what was asked to the vectors to search with.

use std::sync::Arc;

use brain_core::{Embedder, Error, ItemId, Part, Result, Selector, SimilarityIndex, Weighted, stored_vectors};

use crate::{Query, Similarity, models};

/// The vectors of a query.
pub(crate) async fn vectors(similarity: &Similarity, index: &dyn SimilarityIndex, query: &Query) -> Result<Vec<Vec<f32>>> {
    Ok(match query {
        Query::Id(id) => stored_vectors(index, Selector::Items(std::slice::from_ref(id))).await?,
        Query::Ids(ids) => stored_vectors(index, Selector::Items(ids)).await?,
        Query::Samples(ids) => stored_vectors(index, Selector::Samples(ids)).await?,
        Query::Vector(vector) => vec![vector.clone()],
        Query::Vectors(vectors) => vectors.clone(),
        Query::Images(paths) => models::embed_files(models::of_run(similarity)?, paths)?,
        Query::Text(prompts) => embed_text(similarity, &models::of_run(similarity)?, prompts)?,
        Query::Weighted(query) => vec![weighted(similarity, index, query).await?],
        other => return Err(Error::unsupported(format!("this build cannot answer a query of the form {other:?}"))),
    })
}

/// One vector out of the parts'. Parts of a kind are embedded, and read, together.
async fn weighted(similarity: &Similarity, index: &dyn SimilarityIndex, query: &Weighted) -> Result<Vec<f32>> {
    let (mut ids, mut texts, mut images) = (Vec::<ItemId>::new(), Vec::new(), Vec::new());
    for part in query.parts() {
        match &part.part {
            Part::Id(id) => ids.push(id.clone()),
            Part::Text(prompt) => texts.push(prompt.clone()),
            Part::Image(path) => images.push(path.clone()),
            _ => {}
        }
    }
    let embedder = if texts.is_empty() && images.is_empty() { None } else { Some(models::of_run(similarity)?) };
    let mut stored = stored_vectors(index, Selector::Items(&ids)).await?.into_iter();
    let (mut sentences, mut pictures) = (Vec::new().into_iter(), Vec::new().into_iter());
    if let Some(embedder) = &embedder {
        sentences = embed_text(similarity, embedder, &texts)?.into_iter();
        pictures = models::embed_files(Arc::clone(embedder), &images)?.into_iter();
    }
    let vectors = query.parts().iter().map(|part| match &part.part {
        Part::Id(_) => stored.next().ok_or_else(|| Error::unexpected("the index gave fewer vectors than items")),
        Part::Text(_) => sentences.next().ok_or_else(|| Error::unexpected("the model gave fewer vectors than prompts")),
        Part::Image(_) => pictures.next().ok_or_else(|| Error::unexpected("the model gave fewer vectors than pictures")),
        Part::Vector(vector) => Ok(vector.clone()),
        other => Err(Error::unsupported(format!("this build cannot answer a part of a query of the form {other:?}"))),
    });
    query.combine(&vectors.collect::<Result<Vec<_>>>()?, index.spec().metric)
}

fn embed_text(similarity: &Similarity, embedder: &Arc<dyn Embedder>, prompts: &[String]) -> Result<Vec<Vec<f32>>> {
    if prompts.is_empty() {
        return Ok(Vec::new());
    }
    if !embedder.modalities().text {
        return Err(models::without_text(similarity.brain(), embedder.name()));
    }
    Ok(embedder.embed_text(prompts)?.chunks_exact(embedder.dimension()).map(<[f32]>::to_vec).collect())
}
