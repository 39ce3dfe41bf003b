//! Two processes write to one index at once, and a third one searches it all the time: every answer is a state between two changes.

use std::collections::BTreeMap;
use std::path::Path;

use brain_core::{
    Direction, IndexSpec, Item, ItemId, ItemKind, Metric, NearestRequest, OnConflict, OnMissing, Parameters, Precision, Scope, Selector,
    SimilarityBackend, SimilarityIndex, VectorBatch,
};
use futures::executor::block_on;
use futures::{StreamExt, stream};

use crate::child::{Process, role, tell};
use crate::home::backend;

const TEST: &str = "processes::two_write_and_one_reads";

/// Each change writes one group, all of its rows with the number of the change.
const GROUP: u32 = 25;
const GROUPS: u32 = 3;
const CHANGES: u32 = 60;

fn spec() -> IndexSpec {
    IndexSpec { name: "groups".into(), dimension: 2, metric: Metric::L1, items: ItemKind::Samples, parameters: Parameters::new() }
}

fn id(group: u32, member: u32) -> ItemId {
    ItemId::from_text(&format!("{group}/{member}"))
}

#[test]
fn two_write_and_one_reads() {
    if let Some((home, role)) = role() {
        let index = block_on(backend(&home).open(&spec())).unwrap();
        return match role.as_str() {
            "read" => read(&*index, &home),
            writer => write(&*index, writer.parse().unwrap()),
        };
    }
    let home = tempfile::tempdir().unwrap();
    block_on(backend(home.path()).create(&spec())).unwrap();
    // Cut small, so that it is compacted while all of them are at work.
    let cut = "UPDATE local_index SET block_rows = 16, segment_rows = 64, tail_rows = 32, coded = 1, checksum = NULL";
    brain_store::Database::open(home.path()).unwrap().write("cut small", |transaction| transaction.execute(cut, [])).unwrap();

    let reader = Process::start(TEST, home.path(), "read", None);
    assert_eq!(reader.line().as_deref(), Some("reading"));
    let writers = [1, 2].map(|writer| Process::start(TEST, home.path(), &writer.to_string(), None));
    for writer in writers {
        let (status, lines) = writer.end();
        assert!(status.success() && lines.len() as u32 == CHANGES, "{lines:?}");
    }
    std::fs::write(home.path().join(STOP), "").unwrap();
    let (status, lines) = reader.end();
    assert!(status.success(), "{lines:?}");
    let states: u32 = lines.last().unwrap().parse().unwrap();
    assert!(states > 10, "the reader saw {states} states only");
    // Groups of one writer alone are as it left them.
    let found = groups(&*block_on(backend(home.path()).open(&spec())).unwrap());
    for writer in [1, 2] {
        let last = (0..CHANGES).filter(|change| change % 2 == 0 && change / 2 % GROUPS == 0).max().unwrap();
        assert_eq!(found.get(&(writer * 100)), Some(&((last * 10 + writer) as f32)));
    }
}

/// Made in the home when the reader may stop.
const STOP: &str = "stop";

/// Every other change is to groups of the writer's own, the rest to groups that both write and remove.
fn write(index: &dyn SimilarityIndex, writer: u32) {
    for change in 0..CHANGES {
        let group = change / 2 % GROUPS + if change % 2 == 0 { writer * 100 } else { 0 };
        if change % 14 == 13 {
            let ids: Vec<ItemId> = (0..GROUP).map(|member| id(group, member)).collect();
            block_on(index.remove(Selector::Items(&ids), OnMissing::Ignore)).unwrap();
        } else {
            let mut batch = VectorBatch::with_capacity(GROUP as usize, 2);
            for member in 0..GROUP {
                batch.push(Item::sample(id(group, member)), &[(change * 10 + writer) as f32, 0.0]).unwrap();
            }
            block_on(index.add(stream::iter([Ok(batch)]).boxed(), OnConflict::Overwrite)).unwrap();
        }
        tell("done");
    }
}

fn read(index: &dyn SimilarityIndex, home: &Path) {
    tell("reading");
    let (mut states, mut latest) = (0, BTreeMap::new());
    while !home.join(STOP).exists() {
        let found = groups(index);
        if found != latest {
            states += 1;
            latest = found;
        }
    }
    tell(&states.to_string());
}

/// The number of each group, by one search over everything. A group is there with all of its members, which have one number, or not at all.
fn groups(index: &dyn SimilarityIndex) -> BTreeMap<u32, f32> {
    let request = NearestRequest { queries: &[0.0, 0.0], k: 10_000, scope: Scope::All, direction: Direction::Nearest, precision: Precision::Exact };
    let hits = block_on(index.nearest(request)).unwrap().hits.remove(0);
    let mut members: BTreeMap<u32, Vec<f32>> = BTreeMap::new();
    for hit in hits {
        let (group, _) = hit.item.id.to_string().split_once('/').map(|(group, member)| (group.parse().unwrap(), member.to_owned())).unwrap();
        members.entry(group).or_default().push(hit.distance);
    }
    let whole = |(group, numbers): (u32, Vec<f32>)| {
        assert!(numbers.len() == GROUP as usize && numbers.iter().all(|number| *number == numbers[0]), "group {group}: {numbers:?}");
        (group, numbers[0])
    };
    members.into_iter().map(whole).collect()
}
