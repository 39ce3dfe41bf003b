//! Duplicates: items that are much like one that is kept.

use brain_kernels::Neighbor;

use super::nearest::Nearest;
use super::rows::{Rows, blocks, gather};
use super::{BLOCK, Compared};
use crate::{Error, Hit, Item, Metric, Progress, Result};

/// What makes an item a duplicate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cutoff {
    /// It lies within this distance of an item that is kept.
    Threshold(f32),
    /// It is among this share of the items, 0 to 1, rounded to whole items.
    Fraction(f64),
}

impl Cutoff {
    pub(super) fn check(self, metric: Metric) -> Result<()> {
        match self {
            Self::Threshold(threshold) if !threshold.is_finite() => {
                Err(Error::invalid(format!("the threshold is {threshold}, which is no distance")).with_hint("give a finite number"))
            }
            // Only the negated product goes below zero.
            Self::Threshold(threshold) if threshold < 0.0 && metric != Metric::DotProduct => {
                Err(Error::invalid(format!("the threshold is {threshold}, but no {metric} distance is less than 0")).with_hint("give 0 or more"))
            }
            Self::Fraction(fraction) if !(0.0..=1.0).contains(&fraction) => Err(Error::invalid(format!("the fraction is {fraction}, not 0 to 1"))
                .with_hint("a tenth of the items is 0.1; for a distance, give a threshold")),
            Self::Threshold(_) | Self::Fraction(_) => Ok(()),
        }
    }
}

/// How many of `items` items are kept where `fraction` of them are duplicates: at least one, where there are any.
pub(super) fn left_by(fraction: f64, items: usize) -> usize {
    let duplicates = (fraction * items as f64).round() as usize;
    items.saturating_sub(duplicates).max(1).min(items)
}

/// Which items are kept, and which are duplicates of which.
#[derive(Clone, Debug, PartialEq)]
pub struct Duplicates {
    /// Every duplicate is within this distance of the item it is a duplicate of. `None` where a fraction made no duplicate, and so no threshold.
    pub threshold: Option<f32>,
    /// The items that are kept, by id.
    pub kept: Vec<Item>,
    /// The kept items that have duplicates, by id.
    pub groups: Vec<Group>,
    /// What was compared.
    pub compared: Compared,
}

/// An item that is kept, and what is much like it.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The item that is kept.
    pub kept: Item,
    /// Its duplicates, nearest first, equally near ones by id.
    pub duplicates: Vec<Hit>,
}

impl Duplicates {
    /// All duplicates, group by group.
    pub fn duplicates(&self) -> impl Iterator<Item = &Hit> {
        self.groups.iter().flat_map(|group| &group.duplicates)
    }

    /// `kept` by row; `found` says of each duplicate's row which kept row it is nearest to.
    pub(super) fn group(items: &[Item], threshold: Option<f32>, kept: &[u32], mut found: Vec<(u32, Neighbor)>, compared: Compared) -> Self {
        found.sort_unstable_by(|(row, a), (other, b)| a.row.cmp(&b.row).then(a.distance.total_cmp(&b.distance)).then(row.cmp(other)));
        let item = |row: u32| items[row as usize].clone();
        let group = |group: &[(u32, Neighbor)]| {
            let duplicates = group.iter().map(|(row, nearest)| Hit { item: item(*row), distance: nearest.distance });
            Group { kept: item(group[0].1.row), duplicates: duplicates.collect() }
        };
        let groups = found.chunk_by(|(_, a), (_, b)| a.row == b.row).map(group).collect();
        Self { threshold, kept: kept.iter().map(|&row| item(row)).collect(), groups, compared }
    }
}

/// Walks the rows in order: the rows that are kept, and each of the others with the nearest row kept before it, which is within the threshold.
///
/// A row's fate is known when it has met all that were kept before it. So a block of rows is decided by the distances within it, and then all rows
/// that follow meet those of the block that are kept: a pair meets once, and not at all where the earlier of the two is a duplicate.
pub(super) async fn walk(rows: &Rows<'_>, threshold: f32, progress: &dyn Progress) -> Result<(Vec<u32>, Vec<(u32, Neighbor)>)> {
    let (mut kept, mut found) = (Vec::new(), Vec::new());
    let dimension = rows.dimension();
    for panel in rows.panels() {
        let vectors = rows.read(panel.clone()).await?;
        let mut nearest = Nearest::within(threshold, panel.len());
        for before in kept.chunks(BLOCK) {
            let of_kept = rows.fetch(before.iter().map(|&row| row as usize)).await?;
            nearest.meet(rows, 0, &vectors, before, &of_kept);
        }
        for block in blocks(0..panel.len(), BLOCK) {
            let (of_block, of_rest) = vectors[block.start * dimension..].split_at(block.len() * dimension);
            let mutual = rows.mutual_distances(of_block);
            let kept_before = kept.len();
            for (at, from_it) in block.clone().zip(mutual.chunks_exact(block.len())) {
                let row = (panel.start + at) as u32;
                match nearest.get(at) {
                    Some(kept) => found.push((row, kept)),
                    None => {
                        kept.push(row);
                        nearest.take(at + 1, &from_it[at + 1 - block.start..], row);
                    }
                }
            }
            let kept_here = &kept[kept_before..];
            let first = panel.start + block.start;
            let of_kept = gather(of_block, dimension, kept_here.iter().map(|&row| row as usize - first));
            nearest.meet(rows, block.end, of_rest, kept_here, &of_kept);
            progress.advance(block.len() as u64);
        }
    }
    Ok((kept, found))
}
