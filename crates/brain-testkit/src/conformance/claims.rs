//! Capabilities, tested both ways.

use brain_core::{Direction, ErrorKind, ExistingIndex, ItemKind, Metric, NearestRequest, OnConflict, Precision, Scope, Selector, SimilarityBackend};

use super::trial::{add, assert_refused, fresh_spec, with_corpus, with_index};
use crate::corpus::{Corpus, Ids};
use crate::shape::Shape;

/// The longest vectors a test makes up: a backend that holds longer ones is believed.
const LONGEST: usize = 70_000;

/// The backend is healthy and says so in one line; it has a name, and offers at least one metric, each once.
pub async fn presents_itself(backend: &dyn SimilarityBackend) {
    let health = backend.health().await.unwrap();
    assert!(!health.detail.trim().is_empty() && !health.detail.contains('\n'), "health is one line: {:?}", health.detail);
    assert!(!backend.name().is_empty(), "a backend has a name");
    let metrics = &backend.capabilities().metrics;
    assert!(!metrics.is_empty(), "a backend offers a metric");
    for metric in Metric::ALL {
        assert!(metrics.iter().filter(|&&offered| offered == metric).count() <= 1, "{metric} is offered twice");
    }
}

/// A metric that is not claimed is refused with `Unsupported` and a hint, and leaves no index behind.
pub async fn refuses_other_metrics(backend: &dyn SimilarityBackend) {
    for metric in Metric::ALL.into_iter().filter(|metric| !backend.capabilities().metrics.contains(metric)) {
        let spec = fresh_spec(metric, 4, ItemKind::Samples);
        let error = assert_refused(backend.create(&spec).await, ErrorKind::Unsupported, &format!("an index by {metric}"));
        assert!(error.hint().is_some(), "the hint says which metrics there are: {error:?}");
        assert!(!backend.drop_index(&(&spec).into()).await.unwrap(), "the refused index is there");
    }
}

/// Vectors of no numbers are refused; of `max_dimension` numbers they are held and found; of one more they are refused with `Unsupported`.
pub async fn bounds_the_dimension(backend: &dyn SimilarityBackend) {
    let metric = backend.capabilities().metrics[0];
    let none = fresh_spec(metric, 0, ItemKind::Samples);
    assert_refused(backend.create(&none).await, ErrorKind::InvalidInput, "an index of empty vectors");
    let Some(most) = backend.capabilities().max_dimension.filter(|&most| most < LONGEST) else { return };
    let beyond = fresh_spec(metric, most + 1, ItemKind::Samples);
    assert_refused(backend.create(&beyond).await, ErrorKind::Unsupported, "an index of too long vectors");
    with_index(backend, &fresh_spec(metric, most, ItemKind::Samples), async |index| {
        let item = brain_core::Item::sample("long".into());
        let vector = vec![0.5; most];
        let batch = brain_core::VectorBatch::new(vec![item.clone()], most, vector.clone()).unwrap();
        add(index, vec![batch], OnConflict::Error).await.unwrap();
        assert_eq!(index.fetch(Selector::All).await.unwrap().rows.vector(0), vector);
        let request = NearestRequest { queries: &vector, k: 1, scope: Scope::All, direction: Direction::Nearest, precision: Precision::Exact };
        assert_eq!(index.nearest(request).await.unwrap().hits[0][0].item, item);
    })
    .await;
}

/// Where `farthest` is not claimed, that direction is refused with `Unsupported`; where it is, `nearest` is tested in both.
pub async fn refuses_other_directions(backend: &dyn SimilarityBackend) {
    if backend.capabilities().farthest {
        return;
    }
    let corpus = Corpus::samples(Shape::Isotropic, 20, Ids::Hex, 3);
    with_corpus(backend, backend.capabilities().metrics[0], &corpus, async |index| {
        let query = &corpus.vectors[0];
        let request = NearestRequest { queries: query, k: 3, scope: Scope::All, direction: Direction::Farthest, precision: Precision::Exact };
        assert_refused(index.nearest(request).await, ErrorKind::Unsupported, "the farthest first");
    })
    .await;
}

/// No answer has more than `max_k` rows, and one that the bound made shorter is not called exact.
pub async fn bounds_k(backend: &dyn SimilarityBackend) {
    let Some(most) = backend.capabilities().max_k.filter(|&most| most < 2_000) else { return };
    let corpus = Corpus::samples(Shape::Clustered, most + 50, Ids::Hex, 4);
    with_corpus(backend, backend.capabilities().metrics[0], &corpus, async |index| {
        for k in [most, most + 1, most + 100] {
            let request =
                NearestRequest { queries: &corpus.vectors[0], k, scope: Scope::All, direction: Direction::Nearest, precision: Precision::Exact };
            match index.nearest(request).await {
                Ok(response) => {
                    let returned = response.hits[0].len();
                    assert!(returned <= k, "{returned} rows for k = {k}");
                    assert!(!response.exact || returned == k.min(corpus.len()), "{returned} rows for k = {k}, and called exact");
                }
                Err(error) => assert!(k > most && error.kind() == ErrorKind::Unsupported, "k = {k} of at most {most}: {error:?}"),
            }
        }
    })
    .await;
}

/// Where `attach` is claimed, an index is attached to by its name alone, what was expected of it is compared with what is there, and a missing
/// one is `NotFound`; where it is not claimed, it is `Unsupported`.
pub async fn attaches_to_what_is_there(backend: &dyn SimilarityBackend) {
    let metric = backend.capabilities().metrics[0];
    let nothing = ExistingIndex { name: fresh_spec(metric, 1, ItemKind::Samples).name, ..ExistingIndex::default() };
    if !backend.capabilities().attach {
        assert_refused(backend.attach(&nothing).await, ErrorKind::Unsupported, "attaching");
        return;
    }
    assert_refused(backend.attach(&nothing).await, ErrorKind::NotFound, "attaching to nothing");
    let corpus = Corpus::samples(Shape::Isotropic, 20, Ids::Text, 5);
    with_corpus(backend, metric, &corpus, async |index| {
        let existing = ExistingIndex { name: index.spec().name.clone(), ..ExistingIndex::default() };
        let attached = backend.attach(&existing).await.unwrap();
        assert_eq!((attached.spec().dimension, attached.spec().metric), (corpus.shape.dimension(), metric), "read from what is there");
        assert_eq!(attached.count(Scope::All).await.unwrap(), 20);
        let longer = ExistingIndex { dimension: Some(999), ..existing.clone() };
        let error = assert_refused(backend.attach(&longer).await, ErrorKind::Conflict, "attaching with another dimension");
        super::trial::assert_names(&error, &999);
        super::trial::assert_names(&error, &corpus.shape.dimension());
    })
    .await;
}
