//! How a view of a dataset becomes the scope of a search in an index.

use std::sync::Arc;

use brain_core::{DatasetStore as _, Error, Item, ItemId, ItemSet, Result, Scope, View};

use crate::Brain;

/// The items of an index that a view means.
pub(crate) struct Within {
    set: Arc<ItemSet>,
    items: Vec<Item>,
    /// Whether answers are samples, though the index holds patches.
    pub(crate) by_sample: bool,
}

impl Within {
    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope::Items(&self.set)
    }

    pub(crate) fn set(&self) -> &ItemSet {
        &self.set
    }

    /// The ids, in the view's order.
    pub(crate) fn ordered(&self) -> Vec<ItemId> {
        self.items.iter().map(|item| item.id.clone()).collect()
    }
}

/// Resolves `view` for an index of samples, or of the patches of `patches_field`.
///
/// A view of samples means, in an index of patches, the patches of those samples that the view shows: a `filter_labels` on the field leaves the
/// other patches out. The answers are then samples.
pub(crate) async fn resolve(brain: &Brain, dataset: &str, patches_field: Option<&str>, view: &View) -> Result<Within> {
    let (view, by_sample) = match (patches_field, view.patches_field()) {
        (None, None) => (view.clone(), false),
        (Some(field), None) => (view.clone().to_patches(field), true),
        (Some(field), Some(shown)) if field == shown => (view.clone(), false),
        (Some(field), Some(shown)) => {
            return Err(Error::invalid(format!("the view shows patches of {shown:?}, but the index holds patches of {field:?}"))
                .with_hint(format!("search through --patches {field}, or through a view of samples")));
        }
        (None, Some(shown)) => {
            return Err(Error::invalid(format!("the view shows patches of {shown:?}, but the index holds whole samples"))
                .with_hint(format!("leave --patches out, or make an index of patches: brain compute-similarity --patches-field {shown}")));
        }
    };
    let resolved = brain.datasets().resolve(dataset, &view).await?;
    Ok(Within { set: resolved.set, items: resolved.items, by_sample })
}

/// The items that a run of this view embeds: the view's samples, or the patches they show.
pub(crate) async fn items(brain: &Brain, dataset: &str, patches_field: Option<&str>, view: &View) -> Result<Vec<Item>> {
    Ok(resolve(brain, dataset, patches_field, view).await?.items)
}
