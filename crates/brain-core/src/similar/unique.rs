//! Unique items: a choice that is spread as widely as it can be.

use std::cmp::Ordering;

use brain_kernels::Neighbor;

use super::nearest::Nearest;
use super::rows::{Rows, gather};
use super::{BLOCK, Compared};
use crate::{Item, Progress, Result};

/// The fewest candidates that are looked at together.
const FEW: usize = 64;

/// Items that are far from one another.
#[derive(Clone, Debug, PartialEq)]
pub struct Unique {
    /// The items, in the order they were chosen.
    pub chosen: Vec<Item>,
    /// Every item that was not chosen is within this distance of one that was. `None` where all were chosen.
    pub threshold: Option<f32>,
    /// What was compared.
    pub compared: Compared,
}

/// A farthest-first traversal.
pub(super) struct Traversal {
    /// The rows that were chosen, in that order.
    pub(super) order: Vec<u32>,
    /// The other rows, each with the nearest chosen one.
    pub(super) others: Vec<(u32, Neighbor)>,
    /// The largest distance among the others.
    pub(super) threshold: Option<f32>,
}

/// Chooses `count` rows: the first, then each time the row farthest from all chosen so far, of equally far ones the first.
///
/// By the book, every choice takes a pass over all rows. Here a pass serves many choices: among the rows that are farthest now, the candidates, the
/// traversal is played out by their distances from one another, for as long as the farthest candidate is at least as far as any other row was before.
/// Other rows only come nearer, so each choice is the one that the book makes. Then all rows meet the chosen ones at once, in a matrix product.
pub(super) async fn traverse(rows: &Rows<'_>, count: usize, progress: &dyn Progress) -> Result<Traversal> {
    let mut open = Open::new(rows).await?;
    let mut order: Vec<u32> = Vec::with_capacity(count);
    let mut width = BLOCK;
    while order.len() < count {
        let (candidates, next) = open.farthest(width);
        let vectors = open.vectors(&candidates).await?;
        let mutual = rows.mutual_distances(&vectors);
        let mut picks = Candidates::new(&open, &candidates, mutual).play(count - order.len(), next);
        let chosen: Vec<u32> = picks.iter().map(|&pick| open.numbers[candidates[pick]]).collect();
        let of_chosen = gather(&vectors, rows.dimension(), picks.iter().copied());
        order.extend_from_slice(&chosen);
        // Places move when a row is taken out: those behind it first.
        picks.sort_unstable_by_key(|&pick| std::cmp::Reverse(candidates[pick]));
        picks.iter().for_each(|&pick| open.remove(candidates[pick]));
        open.meet(&chosen, &of_chosen).await?;
        // Early on, each choice changes what all others are worth, and few of many candidates come to be chosen.
        width = (4 * chosen.len()).clamp(FEW, BLOCK);
        progress.advance(chosen.len() as u64);
    }
    Ok(open.finish(order))
}

/// The rows that are not chosen yet, in no order.
struct Open<'a> {
    rows: &'a Rows<'a>,
    numbers: Vec<u32>,
    /// The nearest chosen row of each.
    nearest: Nearest,
    /// The vector of each, where all fit the memory.
    held: Option<Vec<f32>>,
}

/// A row's number, and how far it is from what is chosen.
type Distant = (f32, u32);

/// The farther one first, of equally far ones the first row.
fn farther_first((a, row): Distant, (b, other): Distant) -> Ordering {
    b.total_cmp(&a).then(row.cmp(&other))
}

impl<'a> Open<'a> {
    async fn new(rows: &'a Rows<'a>) -> Result<Self> {
        let held = if rows.fit() { Some(rows.read(0..rows.len()).await?) } else { None };
        // Before the first choice all are equally far, so that the first row is the first choice.
        let nearest = Nearest::within(f32::INFINITY, rows.len());
        Ok(Self { rows, numbers: (0..rows.len() as u32).collect(), nearest, held })
    }

    fn at(&self, place: usize) -> Distant {
        (self.nearest.distances()[place], self.numbers[place])
    }

    /// The places of the `width` farthest rows, and the farthest of all others.
    fn farthest(&self, width: usize) -> (Vec<usize>, Option<Distant>) {
        let mut places: Vec<usize> = (0..self.numbers.len()).collect();
        let mut next = None;
        if places.len() > width {
            let (_, following, _) = places.select_nth_unstable_by(width, |&a, &b| farther_first(self.at(a), self.at(b)));
            next = Some(self.at(*following));
            places.truncate(width);
        }
        (places, next)
    }

    async fn vectors(&self, places: &[usize]) -> Result<Vec<f32>> {
        match &self.held {
            Some(held) => Ok(gather(held, self.rows.dimension(), places.iter().copied())),
            None => self.rows.fetch(places.iter().map(|&place| self.numbers[place] as usize)).await,
        }
    }

    fn remove(&mut self, place: usize) {
        self.numbers.swap_remove(place);
        self.nearest.swap_remove(place);
        if let Some(held) = &mut self.held {
            let dimension = self.rows.dimension();
            let last = held.len() - dimension;
            held.copy_within(last.., place * dimension);
            held.truncate(last);
        }
    }

    /// All rows meet those that were just chosen.
    async fn meet(&mut self, chosen: &[u32], of_chosen: &[f32]) -> Result<()> {
        if let Some(held) = &self.held {
            self.nearest.meet(self.rows, 0, held, chosen, of_chosen);
            return Ok(());
        }
        for (block, numbers) in self.numbers.chunks(BLOCK).enumerate() {
            let vectors = self.rows.fetch(numbers.iter().map(|&row| row as usize)).await?;
            self.nearest.meet(self.rows, block * BLOCK, &vectors, chosen, of_chosen);
        }
        Ok(())
    }

    fn finish(self, order: Vec<u32>) -> Traversal {
        let threshold = self.nearest.distances().iter().copied().max_by(f32::total_cmp);
        let others = self.numbers.iter().enumerate().filter_map(|(place, &row)| Some((row, self.nearest.get(place)?)));
        Traversal { others: others.collect(), threshold, order }
    }
}

/// The rows among which the traversal is played out.
struct Candidates {
    /// How far each is, as the play goes on; `None` once it is picked.
    left: Vec<Option<Distant>>,
    /// How far each is from each.
    mutual: Vec<f32>,
}

impl Candidates {
    fn new(open: &Open<'_>, places: &[usize], mutual: Vec<f32>) -> Self {
        Self { left: places.iter().map(|&place| Some(open.at(place))).collect(), mutual }
    }

    /// At most `most` picks, at least one: as many as are surely right, because `next`, the farthest of all other rows, comes after them.
    fn play(mut self, most: usize, next: Option<Distant>) -> Vec<usize> {
        let mut picks = Vec::new();
        while picks.len() < most {
            let left = self.left.iter().enumerate().filter_map(|(at, left)| Some((at, (*left)?)));
            let Some((pick, farthest)) = left.min_by(|(_, a), (_, b)| farther_first(*a, *b)) else { break };
            if next.is_some_and(|next| farther_first(next, farthest).is_lt()) {
                break;
            }
            picks.push(pick);
            self.left[pick] = None;
            let from_pick = self.mutual[pick * self.left.len()..].iter();
            for ((distance, _), &from_pick) in self.left.iter_mut().zip(from_pick).filter_map(|(left, from)| Some((left.as_mut()?, from))) {
                *distance = distance.min(from_pick);
            }
        }
        picks
    }
}
