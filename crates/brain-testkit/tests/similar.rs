//! Comparisons of more rows than a block holds, in whole numbers, so that every distance is exact and every tie is one.

#![allow(clippy::unwrap_used, reason = "a test")]

use brain_core::similar::{Cutoff, SelfJoin};
use brain_core::{Capabilities, IndexSpec, Item, ItemId, ItemKind, Metric, OnConflict, Scope, SimilarityBackend as _, SimilarityIndex, VectorBatch};
use brain_testkit::memory::MemoryBackend;
use brain_testkit::random::Random;
use futures::executor::block_on;
use futures::stream::{self, StreamExt as _};

/// More than two blocks of 1,024 and no whole count of tiles.
const ROWS: usize = 2_310;

/// Room for so many rows that they are read in three parts and none ends where a block does.
const PART: usize = 1_000;

struct Plane {
    points: Vec<[i32; 2]>,
    index: Box<dyn SimilarityIndex>,
}

/// Points of a plane, added in another order than that of their ids.
fn plane(points: Vec<[i32; 2]>) -> Plane {
    let spec = IndexSpec { name: "plane".into(), dimension: 2, metric: Metric::L1, items: ItemKind::Samples, parameters: Default::default() };
    let index = block_on(MemoryBackend::new(Capabilities::exact([Metric::L1])).create(&spec)).unwrap();
    let items = (0..points.len()).rev().map(|row| Item::sample(id(row))).collect();
    let vectors = points.iter().rev().flatten().map(|&x| x as f32).collect();
    let batch = VectorBatch::new(items, 2, vectors).unwrap();
    block_on(index.add(stream::iter([Ok(batch)]).boxed(), OnConflict::Error)).unwrap();
    Plane { points, index }
}

fn id(row: usize) -> ItemId {
    ItemId::from_text(&format!("{row:024x}"))
}

fn row(item: &Item) -> usize {
    usize::from_str_radix(&item.id.to_string(), 16).unwrap()
}

impl Plane {
    fn distance(&self, a: usize, b: usize) -> i32 {
        let ([x, y], [u, v]) = (self.points[a], self.points[b]);
        (x - u).abs() + (y - v).abs()
    }

    fn joins(&self) -> [SelfJoin<'_>; 2] {
        let whole = SelfJoin::new(&*self.index, Scope::All);
        [whole, whole.memory(PART * 2 * size_of::<f32>())]
    }
}

fn scattered() -> Plane {
    let mut random = Random::new(9);
    plane((0..ROWS).map(|_| [random.below(120) as i32, random.below(120) as i32]).collect())
}

#[test]
fn neighbors_of_many() {
    let plane = scattered();
    let [whole, in_parts] = plane.joins().map(|join| block_on(join.neighbors(3)).unwrap());
    for item in 0..ROWS {
        let mut right: Vec<(i32, usize)> = (0..ROWS).filter(|&other| other != item).map(|other| (plane.distance(item, other), other)).collect();
        let (nearest, last, _) = right.select_nth_unstable(2);
        nearest.sort_unstable();
        let right = [nearest[0], nearest[1], *last];
        for neighbors in [&whole, &in_parts] {
            let found: Vec<(i32, usize)> = neighbors.of(item).map(|(other, distance)| (distance as i32, row(other))).collect();
            assert_eq!(found, right, "neighbours of {item}");
        }
    }
}

#[test]
fn duplicates_among_many() {
    let plane = scattered();
    let mut kept: Vec<usize> = Vec::new();
    let mut right: Vec<(usize, i32, usize)> = Vec::new();
    for item in 0..ROWS {
        match kept.iter().map(|&before| (plane.distance(before, item), before)).min() {
            Some((distance, nearest)) if distance <= 3 => right.push((nearest, distance, item)),
            _ => kept.push(item),
        }
    }
    right.sort_unstable();
    assert!(kept.len() > 600 && right.len() > 600, "{} and {}", kept.len(), right.len());
    for join in plane.joins() {
        let duplicates = block_on(join.find_duplicates(Cutoff::Threshold(3.0))).unwrap();
        assert_eq!(duplicates.kept.iter().map(row).collect::<Vec<_>>(), kept);
        let groups = duplicates.groups.iter();
        let found = groups.flat_map(|group| group.duplicates.iter().map(|hit| (row(&group.kept), hit.distance as i32, row(&hit.item))));
        assert_eq!(found.collect::<Vec<_>>(), right);
    }
}

#[test]
fn unique_among_many() {
    let plane = scattered();
    let mut left: Vec<(i32, usize)> = (0..ROWS).map(|row| (i32::MAX, row)).collect();
    let mut right = Vec::new();
    while right.len() < 1_500 {
        let (place, _) = left.iter().enumerate().min_by_key(|(_, (distance, row))| (std::cmp::Reverse(*distance), *row)).unwrap();
        let (_, chosen) = left.remove(place);
        left.iter_mut().for_each(|(distance, row)| *distance = (*distance).min(plane.distance(chosen, *row)));
        right.push(chosen);
    }
    for join in plane.joins() {
        let unique = block_on(join.find_unique(1_500)).unwrap();
        assert_eq!(unique.chosen.iter().map(row).collect::<Vec<_>>(), right);
        assert_eq!(unique.threshold, left.iter().map(|&(distance, _)| distance as f32).max_by(f32::total_cmp));
    }
}

#[test]
fn equal_photos_are_one_group() {
    let plane = plane(vec![[3, 4]; ROWS]);
    for join in plane.joins() {
        let duplicates = block_on(join.find_duplicates(Cutoff::Threshold(0.0))).unwrap();
        assert_eq!(duplicates.kept, [Item::sample(id(0))]);
        assert!(duplicates.duplicates().map(|hit| (row(&hit.item), hit.distance)).eq((1..ROWS).map(|row| (row, 0.0))));
        let neighbors = block_on(join.neighbors(2)).unwrap();
        assert_eq!(neighbors.of(0).map(|(item, _)| row(item)).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(neighbors.of(ROWS - 1).map(|(item, _)| row(item)).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(neighbors.about_duplicates(0.0), ROWS - 1);
        assert_eq!(row(&block_on(join.find_unique(2)).unwrap().chosen[1]), 1);
    }
}

#[test]
fn about_duplicates_counts_groups_once() {
    // Two groups of three, and two that are alone.
    let plane = plane(vec![[0, 0], [0, 1], [1, 0], [50, 50], [90, 0], [91, 0], [91, 1], [0, 90]]);
    let neighbors = block_on(plane.joins()[0].neighbors(1)).unwrap();
    assert_eq!([0.0, 1.0, 2.0].map(|threshold| neighbors.about_duplicates(threshold)), [0, 4, 4]);
}
