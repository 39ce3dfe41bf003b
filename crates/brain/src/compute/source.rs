//! Where the vectors of an index come from, opened and checked.

use std::path::PathBuf;
use std::sync::Arc;

use brain_core::{Embedder, Error, ErrorKind, Item, Metric, Result, VectorBatch, validate};
use brain_dataset::Dataset;

use super::prepare::{ids_of_file, items_of, no_duplicates};
use super::{Embeddings, field};
use crate::models::Crops;
use crate::npy::NpyReader;
use crate::record::SimilarityConfig;
use crate::{Brain, vectors};

/// How many numbers of a matrix are held at once.
const NUMBERS: usize = 1 << 20;

/// An opened source. What it was made from stands in the run's configuration.
pub(crate) enum Source {
    /// Rows of a matrix, each with its item.
    Rows(Rows),
    /// Vectors that the dataset holds; where it lacks them, the model fills the field on the way.
    Field { name: String, fills: Option<Arc<dyn Embedder>> },
    /// A model.
    Embed { embedder: Arc<dyn Embedder> },
    /// Nothing.
    None,
}

/// Rows of a matrix and the items they belong to.
pub(crate) struct Rows {
    pub(crate) items: Vec<Item>,
    matrix: Matrix,
    next: usize,
}

enum Matrix {
    Memory { vectors: Vec<f32>, dimension: usize },
    File { reader: NpyReader, path: PathBuf },
}

impl Source {
    /// Opens what `embeddings` names, checks it against the `items` of the run, and notes it in `config`.
    pub(crate) async fn open(
        brain: &Brain,
        dataset: &Dataset,
        config: &mut SimilarityConfig,
        embeddings: &Embeddings,
        items: &[Item],
    ) -> Result<Self> {
        match embeddings {
            Embeddings::Model(name) => {
                config.model_instance = false;
                Ok(Self::embed(brain.models().load(name)?, config))
            }
            Embeddings::Embedder(embedder) => {
                config.model_instance = true;
                Ok(Self::embed(Arc::clone(embedder), config))
            }
            Embeddings::Field { name, model } => Self::field(brain, dataset, config, name, model.as_deref(), items).await,
            Embeddings::Matrix { vectors, dimension, ids } => {
                if *dimension == 0 || !vectors.len().is_multiple_of(*dimension) {
                    return Err(Error::new(ErrorKind::DimensionMismatch, format!("{} numbers are no rows of {dimension}", vectors.len())));
                }
                let rows = vectors.len() / dimension;
                let owners = owners(ids.as_deref(), "the list of ids", rows, items, config)?;
                let matrix = Matrix::Memory { vectors: vectors.clone(), dimension: *dimension };
                Self::rows(brain, matrix, owners, config)
            }
            Embeddings::File { npy, ids } => {
                let reader = NpyReader::open(npy)?;
                let list = ids.as_deref().map(ids_of_file).transpose()?;
                let place = ids.as_ref().map_or_else(String::new, |path| path.display().to_string());
                let owners = owners(list.as_deref(), &place, reader.rows(), items, config)?;
                // Absolute, so that a resume from another folder finds them.
                let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string();
                config.embeddings_file = Some(absolute(npy));
                config.ids_file = ids.as_ref().map(absolute);
                Self::rows(brain, Matrix::File { reader, path: npy.clone() }, owners, config)
            }
            Embeddings::None => Ok(Self::None),
        }
    }

    fn embed(embedder: Arc<dyn Embedder>, config: &mut SimilarityConfig) -> Self {
        note_model(config, &*embedder);
        Self::Embed { embedder }
    }

    async fn field(brain: &Brain, dataset: &Dataset, config: &mut SimilarityConfig, name: &str, model: Option<&str>, items: &[Item]) -> Result<Self> {
        config.embeddings_field = Some(name.to_owned());
        let existing = vectors::first_vector(dataset, config.patches_field.as_deref(), name, items)?;
        let Some(model) = model else {
            config.dimension = existing;
            return match existing {
                Some(_) => Ok(Self::Field { name: name.to_owned(), fills: None }),
                None => {
                    let noun = config.items().plural();
                    Err(Error::not_found(format!("no {noun} of dataset {:?} have a vector in {name:?}", dataset.name()))
                        .with_hint("`brain dataset info NAME` lists the fields; name a --model to fill the field with its embeddings"))
                }
            };
        };
        let embedder = brain.models().load(model)?;
        if existing.is_some() {
            field::same_model(dataset, &Crops::of(config), name, items, &embedder).await?;
        }
        note_model(config, &*embedder);
        Ok(Self::Field { name: name.to_owned(), fills: Some(embedder) })
    }

    fn rows(brain: &Brain, matrix: Matrix, items: Vec<Item>, config: &mut SimilarityConfig) -> Result<Self> {
        let mut rows = Rows { items, matrix, next: 0 };
        config.dimension = Some(rows.dimension());
        rows.check(config.metric, brain)?;
        Ok(Self::Rows(rows))
    }

    /// Whether there are no vectors to come.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Rows(Rows { matrix: Matrix::Memory { .. }, items, .. }) => format!("a matrix of {} rows in memory", items.len()),
            Self::Rows(Rows { matrix: Matrix::File { path, .. }, items, .. }) => format!("{} rows of {}", items.len(), path.display()),
            Self::Field { name, fills: None } => format!("the field {name}"),
            Self::Field { name, fills: Some(embedder) } => format!("the field {name}, which the model {} fills where it is empty", embedder.name()),
            Self::Embed { embedder } => format!("the model {}", embedder.name()),
            Self::None => "none: the index is made empty or attached to".to_owned(),
        }
    }
}

impl Rows {
    pub(crate) fn dimension(&self) -> usize {
        match &self.matrix {
            Matrix::Memory { dimension, .. } => *dimension,
            Matrix::File { reader, .. } => reader.dimension(),
        }
    }

    /// The next rows; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<VectorBatch>> {
        let dimension = self.dimension();
        let rows = (NUMBERS / dimension.max(1)).clamp(1, 4096).min(self.items.len() - self.next);
        if rows == 0 {
            return Ok(None);
        }
        let vectors = match &mut self.matrix {
            Matrix::Memory { vectors, .. } => vectors[self.next * dimension..(self.next + rows) * dimension].to_vec(),
            Matrix::File { reader, .. } => reader.read_rows(rows)?,
        };
        let items = self.items[self.next..self.next + rows].to_vec();
        self.next += rows;
        VectorBatch::new(items, dimension, vectors).map(Some)
    }

    /// Looks at every row, so that a bad one is named before anything is written.
    fn check(&mut self, metric: Metric, brain: &Brain) -> Result<()> {
        let progress = brain.progress();
        progress.start("checking vectors", Some(self.items.len() as u64));
        while let Some(batch) = self.next()? {
            validate::batch(&batch, batch.dimension(), metric)?;
            progress.advance(batch.len() as u64);
        }
        progress.finish();
        self.next = 0;
        if let Matrix::File { reader, path } = &mut self.matrix {
            *reader = NpyReader::open(path)?;
        }
        Ok(())
    }
}

/// Writes down which model makes the vectors of a run.
fn note_model(config: &mut SimilarityConfig, embedder: &dyn Embedder) {
    config.model = Some(embedder.name().to_owned());
    config.fingerprint = Some(embedder.fingerprint());
    config.supports_prompts = embedder.modalities().text;
    config.dimension = Some(embedder.dimension());
}

/// The items of a matrix's rows: those of the ids, or all in order.
fn owners(ids: Option<&[brain_core::ItemId]>, place: &str, rows: usize, items: &[Item], config: &SimilarityConfig) -> Result<Vec<Item>> {
    let noun = config.items().plural();
    match ids {
        Some(ids) if ids.len() != rows => {
            Err(Error::invalid(format!("there are {rows} rows of vectors, but {} ids in {place}", ids.len())).with_hint("give one id a row"))
        }
        Some(ids) => {
            no_duplicates(ids, place)?;
            items_of(ids, items, config.items())
        }
        None if items.len() != rows => Err(Error::invalid(format!("there are {rows} rows of vectors, but {} {noun}", items.len()))
            .with_hint(format!("without ids the rows belong to the {noun} in order, one each; name them with --ids FILE"))),
        None => Ok(items.to_vec()),
    }
}
