//! Looks at everything a `compute_similarity` needs, and writes nothing.

use std::path::Path;
use std::sync::Arc;

use brain_core::{
    DatasetStore as _, Error, ErrorKind, Item, ItemId, ItemKind, Metric, Result, RunRecord, RunState, Scope, SimilarityBackend, SimilarityIndex,
    View, check_brain_key,
};
use brain_dataset::Dataset;
use futures::TryStreamExt as _;

use super::{ComputePlan, ComputeSimilarity, Computed, Embeddings, Filled, Source, fill};
use crate::models::{self, Crops};
use crate::record::{SimilarityConfig, slug};
use crate::{Brain, scope};

/// Everything that is known before the first write.
pub(super) struct Prepared {
    brain: Brain,
    dataset: Dataset,
    backend: Arc<dyn SimilarityBackend>,
    record: RunRecord,
    /// Whether the record is there already.
    resumed: bool,
    config: SimilarityConfig,
    source: Source,
    crops: Crops,
    skip_failures: bool,
    batch_size: Option<usize>,
    /// What is to be indexed still.
    items: Vec<Item>,
    done: u64,
}

impl ComputeSimilarity {
    pub(super) async fn prepare(self: &ComputeSimilarity) -> Result<Prepared> {
        check_brain_key(&self.brain_key)?;
        let dataset = self.brain.datasets().get(&self.dataset)?;
        let existing = match self.brain.get_brain_info(&self.dataset, &self.brain_key).await {
            Ok(record) => Some(record),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match existing {
            Some(record) if self.resume => self.resumed(dataset, record).await,
            Some(record) => Err(self.taken(&record)),
            None => self.fresh(dataset).await,
        }
    }

    fn taken(&self, record: &RunRecord) -> Error {
        let (dataset, key) = (&self.dataset, &self.brain_key);
        let error = Error::new(ErrorKind::AlreadyExists, format!("dataset {dataset:?} already has a run {key:?} ({})", record.state));
        error.with_operation("compute similarity").with_hint(match record.state {
            RunState::Complete => format!("choose another brain key, or delete the run: brain runs delete {dataset} {key} --with-index"),
            _ => format!("it was interrupted: go on with it by --resume, or delete it: brain runs delete {dataset} {key} --with-index"),
        })
    }

    async fn fresh(&self, dataset: Dataset) -> Result<Prepared> {
        let config = self.brain.config();
        let name = match &self.backend {
            Some(asked) => config.backend_name(asked, "asked for")?,
            None => config.default_backend(),
        };
        let backend = self.brain.backend(name, &self.parameters)?;
        let parameters = config.parameters(name, &self.parameters)?;
        let metric = parameters.text("metric").unwrap_or_default().parse::<Metric>().unwrap_or_default();
        let mut similarity = SimilarityConfig {
            metric,
            patches_field: self.patches_field.clone(),
            roi_field: self.roi_field.clone(),
            force_square: self.force_square,
            alpha: self.alpha,
            index_name: format!("fiftyone-{}-{}", slug(&self.dataset), &ItemId::generate().to_string()[12..]),
            parameters: stored(&parameters),
            ..SimilarityConfig::default()
        };
        let named = parameters.text("index_name").or_else(|| parameters.text("table_name"));
        if let Some(name) = named {
            name.clone_into(&mut similarity.index_name);
        }
        let embeddings = self.embeddings.clone().unwrap_or_else(|| Embeddings::Model(models::DEFAULT.to_owned()));
        if matches!(embeddings, Embeddings::None) && named.is_some() {
            // A metric that nobody asked for is no expectation.
            attach(&*backend, &mut similarity, Some(metric).filter(|_| !parameters.is_default("metric"))).await?;
        }
        let items = self.items(&similarity, self.view.as_ref()).await?;
        let source = Source::open(&self.brain, &dataset, &mut similarity, &embeddings, &items).await?;
        match similarity.spec() {
            Some(spec) if !similarity.attached => backend.check(&spec).await?,
            Some(_) => {}
            // What the index will be is not known yet; that its place answers can be.
            None => drop(backend.health().await?),
        }
        let record = similarity.record(&self.dataset, &self.brain_key, name, self.view.clone());
        Ok(self.prepared(dataset, backend, record, similarity, source, items, 0))
    }

    /// The settings of a resumed run are its own; only vectors that the record cannot name are taken from the call.
    async fn resumed(&self, dataset: Dataset, record: RunRecord) -> Result<Prepared> {
        let mut similarity = SimilarityConfig::read(&record)?;
        if similarity.attached {
            return Err(Error::invalid(format!("run {:?} is attached to an index that was made elsewhere: there is nothing to resume", record.key)));
        }
        let backend = self.brain.backend(&record.method, &self.parameters)?;
        let embeddings = match &self.embeddings {
            Some(given) => given.clone(),
            None => recorded(&similarity, &record)?,
        };
        let all = self.items(&similarity, record.view.as_ref()).await?;
        let was = similarity.fingerprint.clone();
        let dimension = similarity.dimension;
        let source = Source::open(&self.brain, &dataset, &mut similarity, &embeddings, &all).await?;
        if was.is_some() && similarity.fingerprint != was {
            return Err(Error::new(ErrorKind::Conflict, format!("run {:?} was begun with another model", record.key))
                .with_hint("resume it with the same model"));
        }
        if let (Some(had), Some(has)) = (dimension, similarity.dimension)
            && had != has
        {
            return Err(Error::new(
                ErrorKind::DimensionMismatch,
                format!("run {:?} was begun with vectors of {had} numbers, these have {has}", record.key),
            ));
        }
        let (items, done) = match similarity.spec() {
            Some(spec) => match backend.open(&spec).await {
                Ok(index) => left_of(&*index, all).await?,
                Err(error) if error.kind() == ErrorKind::NotFound => (all, 0),
                Err(error) => return Err(error),
            },
            None => (all, 0),
        };
        let mut prepared = self.prepared(dataset, backend, record, similarity, source, items, done);
        prepared.resumed = true;
        Ok(prepared)
    }

    async fn items(&self, config: &SimilarityConfig, view: Option<&View>) -> Result<Vec<Item>> {
        let whole = View::new();
        let view = view.unwrap_or(&whole);
        if let Some(field) = &config.roi_field {
            if config.patches_field.is_some() {
                return Err(
                    Error::invalid("roi_field and patches_field were both given").with_hint("index patches, or average over regions: not both")
                );
            }
            // The field must hold regions: resolving its patches says so if it does not.
            self.brain.datasets().resolve(&self.dataset, &View::new().to_patches(field).limit(1)).await?;
        }
        scope::items(&self.brain, &self.dataset, config.patches_field.as_deref(), view).await
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where a plan is put together")]
    fn prepared(
        &self,
        dataset: Dataset,
        backend: Arc<dyn SimilarityBackend>,
        record: RunRecord,
        config: SimilarityConfig,
        source: Source,
        items: Vec<Item>,
        done: u64,
    ) -> Prepared {
        let crops = Crops::of(&config);
        let (skip_failures, batch_size) = (self.skip_failures, self.batch_size);
        Prepared {
            brain: self.brain.clone(),
            dataset,
            backend,
            record,
            resumed: false,
            config,
            source,
            crops,
            skip_failures,
            batch_size,
            items,
            done,
        }
    }
}

impl Prepared {
    pub(super) fn plan(&self) -> ComputePlan {
        ComputePlan {
            dataset: self.record.dataset.clone(),
            brain_key: self.record.key.clone(),
            backend: self.record.method.clone(),
            metric: self.config.metric,
            dimension: self.config.dimension,
            items: self.config.items(),
            source: self.source.describe(),
            total: if self.source.is_none() { 0 } else { self.items.len() as u64 + self.done },
            done: self.done,
        }
    }

    pub(super) async fn run(mut self) -> Result<Computed> {
        if self.resumed {
            self.record.config = self.config.to_map();
        } else {
            self.brain.runs().insert(&self.record).await?;
        }
        match self.work().await {
            Ok(filled) => {
                self.record.state = RunState::Complete;
                self.record.error = None;
                self.brain.runs().update(&self.record).await?;
                let Filled { report, failures, without_vector } = filled;
                Ok(Computed { record: self.record, report, done_before: self.done, failures, without_vector })
            }
            Err(error) => {
                self.record.state = RunState::Failed;
                self.record.error = Some(error.message().to_owned());
                // The work's own error is the one to tell, whatever becomes of this note.
                let _ = self.brain.runs().update(&self.record).await;
                // A context and not a hint: what went wrong has a remedy of its own, which comes before going on.
                let (dataset, key) = (&self.record.dataset, &self.record.key);
                Err(error.with_context("then go on with", format!("brain compute-similarity {dataset} --brain-key {key} --resume")))
            }
        }
    }

    async fn work(&mut self) -> Result<Filled> {
        self.record.state = RunState::Running;
        self.brain.runs().update(&self.record).await?;
        let Some(spec) = self.config.spec() else { return Ok(Filled::default()) };
        let index = if self.config.attached {
            crate::similarity::open(&*self.backend, &self.config, &spec).await?
        } else {
            match self.backend.open(&spec).await {
                Ok(index) if self.resumed => index,
                Ok(_) => {
                    return Err(Error::new(ErrorKind::AlreadyExists, format!("the index {} already exists", spec.name))
                        .with_hint("attach to it with --no-embeddings, or choose another index_name"));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => self.backend.create(&spec).await?,
                Err(error) => return Err(error),
            }
        };
        let filled = if self.source.is_none() {
            Filled::default()
        } else {
            let work = fill::Work {
                brain: &self.brain,
                dataset: &self.dataset,
                crops: &self.crops,
                skip_failures: self.skip_failures,
                batch_size: self.batch_size,
                // What is there was found by its id; what another process adds meanwhile is the same vector.
                on_conflict: if self.resumed { brain_core::OnConflict::Skip } else { brain_core::OnConflict::Overwrite },
            };
            fill(&work, &mut self.source, std::mem::take(&mut self.items), &*index).await?
        };
        let counts = &mut self.record.counts;
        counts.insert("indexed".to_owned(), index.count(Scope::All).await?);
        counts.insert("failed".to_owned(), filled.failures.len() as u64);
        counts.insert("without_vector".to_owned(), filled.without_vector);
        Ok(filled)
    }
}

/// The parameters that stand in a record beside the name and the metric, which have places of their own.
fn stored(parameters: &brain_core::config::ResolvedParameters) -> brain_core::Parameters {
    let mut stored = parameters.to_stored();
    stored.retain(|name, _| !matches!(name.as_str(), "metric" | "index_name"));
    stored
}

/// Takes dimension and metric from an index that is already there; leaves them open where there is none.
async fn attach(backend: &dyn SimilarityBackend, config: &mut SimilarityConfig, asked: Option<Metric>) -> Result<()> {
    match backend.attach(&config.existing(None, asked)).await {
        Ok(index) => {
            config.dimension = Some(index.spec().dimension);
            config.metric = index.spec().metric;
            config.parameters.clone_from(&index.spec().parameters);
            config.attached = true;
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Where the vectors of an interrupted run came from, as its record says.
fn recorded(config: &SimilarityConfig, record: &RunRecord) -> Result<Embeddings> {
    if let Some(name) = &config.embeddings_field {
        return Ok(Embeddings::Field { name: name.clone(), model: config.model.clone() });
    }
    if let Some(npy) = &config.embeddings_file {
        return Ok(Embeddings::File { npy: npy.into(), ids: config.ids_file.as_ref().map(Into::into) });
    }
    match &config.model {
        Some(model) if config.model_instance => Err(Error::invalid(format!(
            "run {:?} was begun with an instance of a model ({model}) that a program handed in, so it cannot be resumed from its record",
            record.key
        ))
        .with_hint("give the same instance again")),
        Some(model) => Ok(Embeddings::Model(model.clone())),
        None => Err(Error::invalid(format!("the vectors of run {:?} were given in memory, so it cannot be resumed from its record", record.key))
            .with_hint("give the same vectors again")),
    }
}

/// The items that an index does not hold yet, and how many it does.
async fn left_of(index: &dyn SimilarityIndex, mut items: Vec<Item>) -> Result<(Vec<Item>, u64)> {
    let mut held = std::collections::HashSet::new();
    let mut ids = index.ids();
    while let Some(batch) = ids.try_next().await? {
        held.extend(batch.into_iter().map(|item| item.id));
    }
    let before = items.len();
    items.retain(|item| !held.contains(&item.id));
    let done = (before - items.len()) as u64;
    Ok((items, done))
}

/// The ids of a file, one a line; blank lines are passed over.
///
/// # Errors
/// Those of the file; [`InvalidInput`](ErrorKind::InvalidInput) for an id that comes twice.
pub fn ids_of_file(path: &Path) -> Result<Vec<ItemId>> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::io("read", path, source).with_operation("read ids"))?;
    let ids: Vec<ItemId> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(ItemId::from).collect();
    no_duplicates(&ids, &path.display().to_string())?;
    Ok(ids)
}

pub(super) fn no_duplicates(ids: &[ItemId], place: &str) -> Result<()> {
    let mut seen = std::collections::HashSet::with_capacity(ids.len());
    match ids.iter().find(|id| !seen.insert(*id)) {
        Some(twice) => Err(Error::invalid(format!("id {twice} comes twice in {place}")).with_hint("give every id one vector")),
        None => Ok(()),
    }
}

/// The items of these ids among `items`.
pub(super) fn items_of(ids: &[ItemId], items: &[Item], kind: ItemKind) -> Result<Vec<Item>> {
    let by_id: std::collections::HashMap<&ItemId, &Item> = items.iter().map(|item| (&item.id, item)).collect();
    let unknown: Vec<ItemId> = ids.iter().filter(|id| !by_id.contains_key(id)).cloned().collect();
    if !unknown.is_empty() {
        let noun = kind.plural();
        return Err(Error::not_found(format!("there are no {noun} with id {}", brain_core::enumerate(&unknown)))
            .with_hint(format!("ids of {noun} are wanted here; `brain dataset samples NAME --json` lists them")));
    }
    Ok(ids.iter().filter_map(|id| by_id.get(id).map(|item| (*item).clone())).collect())
}
