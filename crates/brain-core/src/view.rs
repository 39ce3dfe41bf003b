//! Views: immutable, serialisable pipelines of stages over a dataset.
//!
//! A view is a value. It says which samples or patches are meant and in which order; a dataset store turns it into items
//! ([`DatasetStore::resolve`]), and only there does it meet data.
//!
//! ```
//! use brain_core::View;
//! let view = View::new()
//!     .match_filter("ground_truth.label == \"dog\"".parse()?)
//!     .take(100, 51);
//! let stored = serde_json::to_string(&view).unwrap_or_default();
//! assert_eq!(serde_json::from_str::<View>(&stored).ok(), Some(view));
//! # Ok::<(), brain_core::Error>(())
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Filter, Item, ItemId, ItemKind, ItemSet, Result};

/// A pipeline of stages. Each method returns the view with one more stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct View {
    stages: Vec<Stage>,
}

/// One step of a [`View`]: it takes the items before it and leaves some of them, perhaps in another order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// Keeps the items with these ids (label ids after `to_patches`).
    Select {
        /// The ids to keep; an id that is not there is passed over.
        ids: Vec<ItemId>,
    },
    /// Leaves out the items with these ids (label ids after `to_patches`).
    Exclude {
        /// The ids to leave out.
        ids: Vec<ItemId>,
    },
    /// Keeps the items that satisfy a filter.
    Match {
        /// What must hold. After `to_patches`, a bare name is an attribute of the label.
        filter: Filter,
    },
    /// Keeps the items with at least one of these tags (the label's own after `to_patches`).
    MatchTags {
        /// Any of them suffices.
        tags: Vec<String>,
    },
    /// Keeps the items with a value for a field (`true`), or without (`false`).
    Exists {
        /// The field's name, or `field.attribute`.
        field: String,
        /// Whether a value is wanted.
        exists: bool,
    },
    /// Keeps only the labels of a field that satisfy a filter, and only the samples with such a label.
    FilterLabels {
        /// The label field.
        field: String,
        /// What must hold of a label: bare names are its attributes (`label`, `confidence`, …).
        filter: Filter,
    },
    /// Orders by a scalar field, or by `filepath` or `id`; items without a value come last. Ties keep their order.
    SortBy {
        /// The field's name, or `field.attribute`.
        field: String,
        /// Descending.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reverse: bool,
    },
    /// Orders at random, the same for the same seed on every machine.
    Shuffle {
        /// Chooses the order.
        seed: u64,
    },
    /// Keeps `count` items drawn at random, in their order before.
    Take {
        /// How many.
        count: u64,
        /// Chooses which.
        seed: u64,
    },
    /// Leaves out the first `count` items.
    Skip {
        /// How many.
        count: u64,
    },
    /// Keeps the first `count` items.
    Limit {
        /// How many.
        count: u64,
    },
    /// Turns samples into the patches of a field of detections or polylines: one item a label.
    ToPatches {
        /// The label field.
        field: String,
    },
}

impl View {
    /// The whole dataset.
    pub fn new() -> Self {
        Self::default()
    }

    /// The stages, in order.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Whether this is the whole dataset.
    pub fn is_whole(&self) -> bool {
        self.stages.is_empty()
    }

    /// What the view's items are.
    pub fn kind(&self) -> ItemKind {
        if self.patches_field().is_some() { ItemKind::Patches } else { ItemKind::Samples }
    }

    /// The label field whose patches the view's items are; `None` for a view of samples.
    pub fn patches_field(&self) -> Option<&str> {
        self.stages.iter().find_map(|stage| match stage {
            Stage::ToPatches { field } => Some(field.as_str()),
            _ => None,
        })
    }

    /// Adds any stage.
    #[must_use]
    pub fn with(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }

    /// See [`Stage::Select`].
    #[must_use]
    pub fn select(self, ids: impl IntoIterator<Item = ItemId>) -> Self {
        self.with(Stage::Select { ids: ids.into_iter().collect() })
    }

    /// See [`Stage::Exclude`].
    #[must_use]
    pub fn exclude(self, ids: impl IntoIterator<Item = ItemId>) -> Self {
        self.with(Stage::Exclude { ids: ids.into_iter().collect() })
    }

    /// See [`Stage::Match`].
    #[must_use]
    pub fn match_filter(self, filter: Filter) -> Self {
        self.with(Stage::Match { filter })
    }

    /// See [`Stage::MatchTags`].
    #[must_use]
    pub fn match_tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        self.with(Stage::MatchTags { tags: tags.into_iter().map(Into::into).collect() })
    }

    /// See [`Stage::Exists`].
    #[must_use]
    pub fn exists(self, field: impl Into<String>, exists: bool) -> Self {
        self.with(Stage::Exists { field: field.into(), exists })
    }

    /// See [`Stage::FilterLabels`].
    #[must_use]
    pub fn filter_labels(self, field: impl Into<String>, filter: Filter) -> Self {
        self.with(Stage::FilterLabels { field: field.into(), filter })
    }

    /// See [`Stage::SortBy`].
    #[must_use]
    pub fn sort_by(self, field: impl Into<String>, reverse: bool) -> Self {
        self.with(Stage::SortBy { field: field.into(), reverse })
    }

    /// See [`Stage::Shuffle`].
    #[must_use]
    pub fn shuffle(self, seed: u64) -> Self {
        self.with(Stage::Shuffle { seed })
    }

    /// See [`Stage::Take`].
    #[must_use]
    pub fn take(self, count: u64, seed: u64) -> Self {
        self.with(Stage::Take { count, seed })
    }

    /// See [`Stage::Skip`].
    #[must_use]
    pub fn skip(self, count: u64) -> Self {
        self.with(Stage::Skip { count })
    }

    /// See [`Stage::Limit`].
    #[must_use]
    pub fn limit(self, count: u64) -> Self {
        self.with(Stage::Limit { count })
    }

    /// See [`Stage::ToPatches`].
    #[must_use]
    pub fn to_patches(self, field: impl Into<String>) -> Self {
        self.with(Stage::ToPatches { field: field.into() })
    }
}

/// What a view means in one dataset at one moment: its items, in the view's order and as a set.
#[derive(Clone, Debug)]
pub struct ResolvedView {
    /// What the items are.
    pub kind: ItemKind,
    /// The items, in the view's order.
    pub items: Vec<Item>,
    /// The items' ids, as a set.
    pub set: Arc<ItemSet>,
}

impl ResolvedView {
    /// The items of a view, in its order.
    pub fn new(kind: ItemKind, items: Vec<Item>) -> Self {
        let set = Arc::new(items.iter().map(|item| item.id.clone()).collect());
        Self { kind, items, set }
    }
}

/// What the library needs of a store of datasets beyond its own crate: to say which items a view means.
#[async_trait]
pub trait DatasetStore: Send + Sync {
    /// The items of `view` over `dataset`.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) for an unknown dataset or field;
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a stage that does not fit the field or the stages before it.
    async fn resolve(&self, dataset: &str, view: &View) -> Result<ResolvedView>;
}
