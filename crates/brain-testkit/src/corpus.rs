//! Items with vectors, and views of them.

use brain_core::oracle::Oracle;
use brain_core::{Item, ItemId, ItemKind, ItemSet, Metric, VectorBatch};

use crate::random::Random;
use crate::shape::Shape;

/// How ids are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// 24 hexadecimal digits, as datasets give them.
    Hex,
    /// Any text, as attached indexes hold: blanks, quotes, wildcards, other alphabets, digits that look like the other kind.
    Text,
}

impl Ids {
    /// `count` different ids, in no order.
    pub fn draw(self, count: usize, seed: u64) -> Vec<ItemId> {
        let mut random = Random::new(seed ^ 0x1d5);
        let mut ids: Vec<ItemId> = (0..count).map(|number| self.id(number, &mut random)).collect();
        random.shuffle(&mut ids);
        ids
    }

    fn id(self, number: usize, random: &mut Random) -> ItemId {
        match self {
            Self::Hex => {
                let mut bytes = [0; 12];
                bytes[..8].copy_from_slice(&random.bits().to_be_bytes());
                // The counter keeps them apart whatever is drawn.
                bytes[8..].copy_from_slice(&(number as u32).to_be_bytes());
                ItemId::from_bytes(bytes)
            }
            // Neighbours of one number differ only in case, in a blank, or in what a pattern language would take for a wildcard.
            Self::Text => {
                let stem = number / 8;
                ItemId::from_text(&match number % 8 {
                    0 => format!("photo {stem}"),
                    1 => format!("PHOTO {stem}"),
                    2 => format!("photo {stem} "),
                    3 => format!("photo_{stem}"),
                    4 => format!("it's \"{stem}\"; -- \\ {{x}}|y,z:*%"),
                    5 => format!("фото-{stem}-写真"),
                    6 => format!("{:024X}", 0xabcd_ef00_0000_u64 + stem as u64),
                    _ => format!("a/very/long/path/{}/{stem}.jpg", "x".repeat(150)),
                })
            }
        }
    }
}

/// How much of an index a view holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Nothing.
    Empty,
    /// One item.
    One,
    /// This share of the items, drawn at random, in percent.
    Percent(usize),
    /// Every item.
    All,
    /// Only ids that the index lacks.
    Outside,
    /// Half of the items, and as many ids that the index lacks.
    HalfOutside,
}

impl Extent {
    /// The extents that a suite goes through.
    pub const ALL: [Self; 8] =
        [Self::Empty, Self::One, Self::Percent(1), Self::Percent(10), Self::Percent(50), Self::All, Self::Outside, Self::HalfOutside];

    /// A view of this extent over an index of these ids.
    pub fn draw(self, ids: &[ItemId], seed: u64) -> ItemSet {
        let mut shuffled = ids.to_vec();
        Random::new(seed ^ 0x7e7).shuffle(&mut shuffled);
        let inside = match self {
            Self::Empty | Self::Outside => 0,
            Self::One => 1,
            Self::Percent(share) => ids.len() * share / 100,
            Self::All => ids.len(),
            Self::HalfOutside => ids.len() / 2,
        };
        shuffled.truncate(inside);
        if matches!(self, Self::Outside | Self::HalfOutside) {
            shuffled.extend(strangers(ids.len().div_ceil(2)));
        }
        ItemSet::new(shuffled)
    }
}

/// `count` ids that no corpus holds, of both kinds.
pub fn strangers(count: usize) -> Vec<ItemId> {
    let id = |number: usize| match number % 2 {
        0 => ItemId::from_text(&format!("ffffffffffffffff{number:08x}")),
        _ => ItemId::from_text(&format!("stranger {number}")),
    };
    (0..count).map(id).collect()
}

/// Items with their vectors: what a test puts into an index, and the oracle of it.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// What the items are.
    pub kind: ItemKind,
    /// How the vectors lie.
    pub shape: Shape,
    /// The owners, in no order.
    pub items: Vec<Item>,
    /// The vector of each, [`Shape::dimension`] numbers long.
    pub vectors: Vec<Vec<f32>>,
    seed: u64,
}

impl Corpus {
    /// `rows` samples.
    pub fn samples(shape: Shape, rows: usize, ids: Ids, seed: u64) -> Self {
        let items = ids.draw(rows, seed).into_iter().map(Item::sample).collect();
        Self { kind: ItemKind::Samples, shape, items, vectors: shape.vectors(rows, seed), seed }
    }

    /// `rows` patches of about a quarter as many samples: some samples have one, some have many.
    pub fn patches(shape: Shape, rows: usize, ids: Ids, seed: u64) -> Self {
        let samples = ids.draw(rows.div_ceil(4), seed ^ 0x5a);
        let mut random = Random::new(seed ^ 0xa5);
        // The smaller of two draws: low numbers come more often.
        let items = Ids::Hex.draw(rows, seed).into_iter().map(|label| {
            let sample = random.below(samples.len()).min(random.below(samples.len()));
            Item::patch(label, samples[sample].clone())
        });
        Self { kind: ItemKind::Patches, shape, items: items.collect(), vectors: shape.vectors(rows, seed), seed }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The items' ids, in row order.
    pub fn ids(&self) -> Vec<ItemId> {
        self.items.iter().map(|item| item.id.clone()).collect()
    }

    /// The ids of the samples that the items belong to, each once, ascending.
    pub fn sample_ids(&self) -> Vec<ItemId> {
        ItemSet::new(self.items.iter().map(|item| item.sample_id.clone()).collect()).as_slice().to_vec()
    }

    /// The vector of an item.
    ///
    /// # Panics
    /// When there is no such item.
    pub fn vector(&self, id: &ItemId) -> &[f32] {
        let row = self.items.iter().position(|item| item.id == *id).unwrap_or_else(|| panic!("the corpus has no item {id}"));
        &self.vectors[row]
    }

    /// The rows of a range as one batch.
    pub fn batch(&self, rows: std::ops::Range<usize>) -> VectorBatch {
        VectorBatch::new(self.items[rows.clone()].to_vec(), self.shape.dimension(), self.vectors[rows].concat()).unwrap()
    }

    /// All rows, in batches of `rows`.
    pub fn batches(&self, rows: usize) -> Vec<VectorBatch> {
        (0..self.len()).step_by(rows).map(|start| self.batch(start..(start + rows).min(self.len()))).collect()
    }

    /// An oracle that holds the rows.
    pub fn oracle(&self, metric: Metric) -> Oracle {
        let mut oracle = Oracle::new(metric);
        self.items.iter().zip(&self.vectors).for_each(|(item, vector)| oracle.insert(item.clone(), vector.clone()));
        oracle
    }

    /// `count` query vectors: the first is an item's own vector, the others are new ones of the same shape.
    pub fn queries(&self, count: usize) -> Vec<Vec<f32>> {
        let mut queries = self.shape.vectors(count, self.seed ^ 0x9_0000);
        if let (Some(first), Some(own)) = (queries.first_mut(), self.vectors.get(self.len() / 2)) {
            first.clone_from(own);
        }
        queries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_different_and_never_strangers() {
        for ids in [Ids::Hex, Ids::Text] {
            let drawn = ids.draw(500, 1);
            assert_eq!(ItemSet::new(drawn.clone()).len(), 500);
            assert!(!drawn.is_sorted());
            let strange = ItemSet::new(strangers(100));
            assert!(strange.len() == 100 && drawn.iter().all(|id| !strange.contains(id)));
        }
    }

    #[test]
    fn views_have_their_extent() {
        let ids = Ids::Hex.draw(200, 1);
        let sizes: Vec<usize> = Extent::ALL.iter().map(|extent| extent.draw(&ids, 2).len()).collect();
        assert_eq!(sizes, [0, 1, 2, 20, 100, 200, 100, 200]);
        assert!(ids.iter().all(|id| !Extent::Outside.draw(&ids, 2).contains(id)));
    }

    #[test]
    fn patches_share_samples() {
        let corpus = Corpus::patches(Shape::Lattice, 100, Ids::Text, 5);
        assert!(corpus.sample_ids().len() <= 25 && corpus.sample_ids().len() > 5);
        assert_eq!(corpus.batches(30).iter().map(VectorBatch::len).collect::<Vec<_>>(), [30, 30, 30, 10]);
        assert_eq!(corpus.oracle(Metric::L1).len(), 100);
        assert_eq!(corpus.vector(&corpus.items[7].id), corpus.vectors[7]);
    }
}
