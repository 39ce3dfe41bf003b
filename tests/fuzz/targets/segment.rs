//! Changes to the files of a local index, and to its manifest: the original rows come back, or an error.
//!
//! A home with three indexes is made once and kept in memory. Each input is an index and a list of changes to it; then the home is opened as a new
//! process would open it, everything is asked, and a row is added. Files and manifest are covered by checksums, so that no change may show.

mod answers;
mod damage;
mod home;

use brain::core::{ErrorKind, Item, ItemId, OnConflict, OnMissing, Result, Selector, SimilarityBackend, VectorBatch};
use futures::executor::block_on;

use answers::Answers;
use damage::Damage;
use home::{HOME, Original};

pub(super) fn run(data: &[u8]) {
    let (index, changes) = data.split_first().unwrap_or((&0, &[]));
    let (original, damage) = (&HOME.originals[usize::from(*index) % HOME.originals.len()], Damage::parse(changes));
    HOME.restore();
    damage.inflict(&HOME, original);
    Seen { original, damage: &damage }.check(&*HOME.backend());
}

/// An index as it is found after the damage.
struct Seen<'a> {
    original: &'a Original,
    damage: &'a Damage,
}

impl Seen<'_> {
    fn check(&self, backend: &dyn SimilarityBackend) {
        let Some(index) = self.accept(block_on(backend.open(&self.original.spec))) else { return };
        self.compare(Answers::of(&*index, self.original));
        let added = Item::sample(ItemId::from_text("added after the damage"));
        let vector = vec![0.25; self.original.spec.dimension];
        let batch = VectorBatch::new(vec![added.clone()], vector.len(), vector.clone()).unwrap();
        let adding = home::add(&*index, batch, OnConflict::Error);
        // Writing goes on where reading does, or says why not.
        if self.accept(adding).is_none() {
            return;
        }
        let ids = [added.id];
        if let Some(found) = self.accept(block_on(index.fetch(Selector::Items(&ids)))) {
            assert_eq!(found.rows.vectors(), vector);
        }
        if self.accept(block_on(index.remove(Selector::Items(&ids), OnMissing::Error))).is_none() {
            return;
        }
        self.compare(Answers::of(&*index, self.original));
    }

    fn compare(&self, found: Answers) {
        let pairs = found.0.into_iter().zip(&self.original.answers.0);
        for (found, original) in pairs {
            if let Some(rows) = self.accept(found) {
                assert_eq!(&rows, original.as_ref().unwrap());
            }
        }
    }

    /// The value, or nothing where there is an error that such damage may lead to.
    fn accept<T>(&self, result: Result<T>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let expected = match error.kind() {
            ErrorKind::Corrupt | ErrorKind::Unavailable => !self.damage.is_none(),
            // The manifest may say that it is another index, or none, or one that is too large.
            ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Unsupported => self.damage.changes_manifest(),
            _ => false,
        };
        assert!(expected && error.hint().is_some(), "{error:?}");
        None
    }
}
