//! The nearest other items of every item.

use std::ops::Range;

use rayon::prelude::*;

use super::rows::{Rows, blocks};
use super::{BLOCK, Compared, Histogram, TILE};
use crate::{Item, Progress, Result};

/// How many tiles of distances are made for each thread before they are looked at from the other side: enough that the threads end together.
const TILES_A_THREAD: usize = 4;

/// The nearest other items of every item of a scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbors {
    /// The items, by id.
    items: Vec<Item>,
    lists: Lists,
    compared: Compared,
}

impl Neighbors {
    pub(super) fn new(items: Vec<Item>, lists: Lists, compared: Compared) -> Self {
        Self { items, lists, compared }
    }

    /// The items, by id.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// How many neighbours each item has: as many as were asked for, or all others.
    pub fn k(&self) -> usize {
        self.lists.k
    }

    /// What was compared.
    pub fn compared(&self) -> Compared {
        self.compared
    }

    /// The neighbours of an item, by its position among [`items`](Self::items): nearest first, equally near ones by id.
    ///
    /// # Panics
    /// When there is no such item, as slices do.
    pub fn of(&self, position: usize) -> impl ExactSizeIterator<Item = (&Item, f32)> {
        let list = position * self.lists.k..(position + 1) * self.lists.k;
        let rows = self.lists.rows[list.clone()].iter();
        rows.zip(&self.lists.distances[list]).map(|(&row, &distance)| (&self.items[row as usize], distance))
    }

    /// How far every item is from its nearest neighbour, in the order of [`items`](Self::items); nothing where there is only one item.
    pub fn nearest_distances(&self) -> impl Iterator<Item = f32> {
        self.lists.distances.iter().step_by(self.lists.k.max(1)).copied()
    }

    /// How the distances of nearest neighbours are distributed, in `bins` bars; `None` where no item has a neighbour.
    pub fn histogram(&self, bins: usize) -> Option<Histogram> {
        Histogram::of(self.nearest_distances().collect(), bins)
    }

    /// About how many duplicates [`find_duplicates`](super::SelfJoin::find_duplicates) finds within `threshold`: the items that have a nearest
    /// neighbour within it, less one for each group that these pairs form. Exactly so where groups are apart and close together.
    pub fn about_duplicates(&self, threshold: f32) -> usize {
        // Each item's group by the smallest member known; a link that joins two groups makes one more duplicate.
        let mut group: Vec<usize> = (0..self.items.len()).collect();
        let mut links = 0;
        for (item, (distance, &row)) in self.nearest_distances().zip(self.lists.rows.iter().step_by(self.lists.k.max(1))).enumerate() {
            let (a, b) = (root(&mut group, item), root(&mut group, row as usize));
            if distance <= threshold && a != b {
                group[a.max(b)] = a.min(b);
                links += 1;
            }
        }
        links
    }
}

/// The smallest known member of an item's group; the way to it is halved for the next who asks.
fn root(group: &mut [usize], mut item: usize) -> usize {
    while group[item] != item {
        group[item] = group[group[item]];
        item = group[item];
    }
    item
}

/// For each row a list of the `k` nearest rows met so far, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lists {
    k: usize,
    /// `k` for each row; infinite where nobody was met.
    distances: Vec<f32>,
    /// The rows at these distances.
    rows: Vec<u32>,
    /// The last distance of each list, by row: nobody farther is taken.
    bounds: Vec<f32>,
}

impl Lists {
    fn new(k: usize, rows: usize) -> Self {
        Self { k, distances: vec![f32::INFINITY; rows * k], rows: vec![u32::MAX; rows * k], bounds: vec![f32::INFINITY; rows] }
    }

    /// The lists of `rows`, in parts of `size`.
    fn parts(&mut self, rows: Range<usize>, size: usize) -> impl IndexedParallelIterator<Item = Part<'_>> {
        let k = self.k;
        let entries = rows.start * k..rows.end * k;
        let lists = self.distances[entries.clone()].par_chunks_mut(size * k).zip(self.rows[entries].par_chunks_mut(size * k));
        lists.zip(self.bounds[rows].par_chunks_mut(size)).map(move |((distances, rows), bounds)| Part { k, distances, rows, bounds })
    }
}

/// The lists of a few rows, for one thread.
struct Part<'a> {
    k: usize,
    distances: &'a mut [f32],
    rows: &'a mut [u32],
    bounds: &'a mut [f32],
}

impl Part<'_> {
    /// Each row of the part meets `row`, from which it is `found` far.
    fn meet_one(&mut self, found: &[f32], row: usize) {
        // Nearly always nobody is near enough; a count has no branches and becomes a few vector instructions.
        let near = found.iter().zip(&*self.bounds).map(|(distance, bound)| u32::from(distance <= bound)).sum::<u32>();
        if near > 0 {
            for (at, &distance) in found.iter().enumerate() {
                self.offer(at, distance, row);
            }
        }
    }

    /// The first row of the part, its only one, meets the rows from `first` on, which are `found` far from it.
    fn meets(&mut self, found: &[f32], first: usize) {
        let bound = self.bounds[0];
        let near = found.iter().map(|&distance| u32::from(distance <= bound)).sum::<u32>();
        if near > 0 {
            for (row, &distance) in (first..).zip(found) {
                self.offer(0, distance, row);
            }
        }
    }

    fn offer(&mut self, at: usize, distance: f32, row: usize) {
        if distance > self.bounds[at] {
            return;
        }
        let row = row as u32;
        let list = at * self.k..(at + 1) * self.k;
        let (distances, rows) = (&mut self.distances[list.clone()], &mut self.rows[list]);
        let after = distances.partition_point(|&held| held < distance);
        let tied = distances[after..].partition_point(|&held| held == distance);
        let place = after + rows[after..after + tied].partition_point(|&held| held < row);
        if place == distances.len() {
            return;
        }
        distances.copy_within(place..self.k - 1, place + 1);
        rows.copy_within(place..self.k - 1, place + 1);
        (distances[place], rows[place]) = (distance, row);
        self.bounds[at] = distances[self.k - 1];
    }
}

/// The `k` nearest other rows of every row. Each pair is compared once, for both of its rows.
pub(super) async fn all_pairs(rows: &Rows<'_>, k: usize, progress: &dyn Progress) -> Result<Lists> {
    let (count, dimension) = (rows.len(), rows.dimension());
    let mut lists = Lists::new(k.min(count.saturating_sub(1)), count);
    if lists.k == 0 {
        return Ok(lists);
    }
    for panel in rows.panels() {
        let vectors = rows.read(panel.clone()).await?;
        for block in blocks(panel.clone(), BLOCK) {
            let (of_block, of_rest) = vectors[(block.start - panel.start) * dimension..].split_at(block.len() * dimension);
            within(&mut lists, rows, block.clone(), of_block);
            between(&mut lists, rows, (block.start, of_block), (block.end, of_rest));
            progress.advance(pairs(block.len()) + (block.len() * (panel.end - block.end)) as u64);
        }
        for later in blocks(panel.end..count, BLOCK) {
            let of_later = rows.fetch(later.clone()).await?;
            for (block, of_block) in blocks(panel.clone(), BLOCK).zip(vectors.chunks(BLOCK * dimension)) {
                between(&mut lists, rows, (block.start, of_block), (later.start, &of_later));
            }
            progress.advance((later.len() * panel.len()) as u64);
        }
    }
    Ok(lists)
}

/// How many pairs some items form.
pub(super) fn pairs(items: usize) -> u64 {
    let items = items as u64;
    items * items.saturating_sub(1) / 2
}

/// The rows of a block meet one another.
fn within(lists: &mut Lists, rows: &Rows<'_>, block: Range<usize>, vectors: &[f32]) {
    let (count, mut mutual) = (block.len(), rows.mutual_distances(vectors));
    // The earlier of two rows is the one that asks, here as between blocks: where blocks begin is not to be seen in the last bit of a distance.
    for (row, before) in (0..count).flat_map(|row| (0..row).map(move |before| (row, before))) {
        mutual[row * count + before] = mutual[before * count + row];
    }
    lists.parts(block.clone(), 1).zip(mutual.par_chunks(count)).enumerate().for_each(|(at, (mut list, found))| {
        list.meets(&found[..at], block.start);
        list.meets(&found[at + 1..], block.start + at + 1);
    });
}

/// A block and a run of later rows, each with its first row and its vectors, meet one another.
fn between(lists: &mut Lists, rows: &Rows<'_>, (first, vectors): (usize, &[f32]), (other_first, others): (usize, &[f32])) {
    let dimension = rows.dimension();
    let (count, block) = (vectors.len() / dimension, rows.queries(vectors));
    let mut distances = Vec::new();
    // As many tiles as keep all cores busy: for each, the distances of its rows from the first row of `vectors`, from the second, and so on.
    for stripe in blocks(0..others.len() / dimension, TILE * TILES_A_THREAD * rayon::current_num_threads()) {
        distances.resize(stripe.len() * count, 0.0);
        let tiles = others[stripe.start * dimension..stripe.end * dimension].par_chunks(TILE * dimension);
        let stripe = other_first + stripe.start..other_first + stripe.end;
        tiles.zip(distances.par_chunks_mut(TILE * count)).zip(lists.parts(stripe.clone(), TILE)).for_each(|((tile, distances), mut part)| {
            block.distances(tile, distances);
            for (row, found) in (first..).zip(distances.chunks_exact(part.bounds.len())) {
                part.meet_one(found, row);
            }
        });
        lists.parts(first..first + count, 1).enumerate().for_each(|(at, mut list)| {
            for (tile, distances) in distances.chunks(TILE * count).enumerate() {
                let width = distances.len() / count;
                list.meets(&distances[at * width..(at + 1) * width], stripe.start + tile * TILE);
            }
        });
    }
}
