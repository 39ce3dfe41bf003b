//! What the items of a run are to one another: duplicates, unique items, neighbours.

use brain_core::similar::{Cutoff, Duplicates, Neighbors, SelfJoin, Unique};
use brain_core::{ItemId, Result, Scope, View};

use crate::Similarity;

/// Comparisons of all indexed items with one another, or of those of a view. In an index of patches, a view of samples means their patches.
///
/// Each says how many items it compared and how many of the view the index lacks; [`Similarity::view_of`] makes a view of what was found.
impl Similarity {
    /// Finds items that are much like others: see [`SelfJoin::find_duplicates`].
    ///
    /// # Errors
    /// Those of the join and of the view; [`NotFound`](brain_core::ErrorKind::NotFound) while the run is empty.
    pub async fn find_duplicates(&self, cutoff: Cutoff, within: Option<&View>) -> Result<Duplicates> {
        self.compare(within, async |join| join.find_duplicates(cutoff).await).await
    }

    /// Finds `count` items that are spread as widely as they can be: see [`SelfJoin::find_unique`].
    ///
    /// # Errors
    /// As [`find_duplicates`](Self::find_duplicates).
    pub async fn find_unique(&self, count: usize, within: Option<&View>) -> Result<Unique> {
        self.compare(within, async |join| join.find_unique(count).await).await
    }

    /// The `k` nearest other items of every item, and with them the histogram of how near things are: see [`SelfJoin::neighbors`].
    ///
    /// # Errors
    /// As [`find_duplicates`](Self::find_duplicates).
    pub async fn neighbors(&self, k: usize, within: Option<&View>) -> Result<Neighbors> {
        self.compare(within, async |join| join.neighbors(k).await).await
    }

    /// The view of some items of the run: of samples, or of patches in an index of patches.
    pub fn view_of(&self, ids: impl IntoIterator<Item = ItemId>) -> View {
        match &self.config().patches_field {
            Some(field) => View::new().to_patches(field).select(ids),
            None => View::new().select(ids),
        }
    }

    async fn compare<T>(&self, within: Option<&View>, find: impl AsyncFnOnce(SelfJoin<'_>) -> Result<T>) -> Result<T> {
        let within = match within {
            Some(view) => Some(self.within(view).await?),
            None => None,
        };
        let scope = within.as_ref().map_or(Scope::All, |within| within.scope());
        find(SelfJoin::new(self.filled()?, scope).progress(&**self.brain().progress())).await
    }
}
