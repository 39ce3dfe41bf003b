//! What was found, for programs. Written from its own types, so that distances keep the digits of an `f32`.

use brain::core::similar::Compared;
use brain::core::{Hit, Item, ItemId};
use brain::{Duplicates, Unique};
use serde::Serialize;

use crate::known::Known;

/// The document of `find-duplicates`.
#[derive(Serialize)]
pub(super) struct DuplicatesDocument<'a> {
    threshold: Option<f32>,
    kept: usize,
    duplicates: usize,
    groups: Vec<GroupDocument<'a>>,
    compared: Compared,
}

#[derive(Serialize)]
struct GroupDocument<'a> {
    #[serde(flatten)]
    kept: ItemDocument<'a>,
    duplicates: Vec<DuplicateDocument<'a>>,
}

#[derive(Serialize)]
struct DuplicateDocument<'a> {
    #[serde(flatten)]
    item: ItemDocument<'a>,
    distance: f32,
}

/// The document of `find-unique`.
#[derive(Serialize)]
pub(super) struct UniqueDocument<'a> {
    threshold: Option<f32>,
    unique: Vec<ItemDocument<'a>>,
    compared: Compared,
}

#[derive(Serialize)]
struct ItemDocument<'a> {
    id: &'a ItemId,
    sample_id: &'a ItemId,
    /// `null` where the dataset no longer has it.
    filepath: Option<&'a str>,
}

pub(super) fn duplicates<'a>(found: &'a Duplicates, known: &'a Known) -> DuplicatesDocument<'a> {
    let duplicate = |hit: &'a Hit| DuplicateDocument { item: item(&hit.item, known), distance: hit.distance };
    let groups = found
        .groups
        .iter()
        .map(|group| GroupDocument { kept: item(&group.kept, known), duplicates: group.duplicates.iter().map(duplicate).collect() });
    DuplicatesDocument {
        threshold: found.threshold,
        kept: found.kept.len(),
        duplicates: found.duplicates().count(),
        groups: groups.collect(),
        compared: found.compared,
    }
}

pub(super) fn unique<'a>(found: &'a Unique, known: &'a Known) -> UniqueDocument<'a> {
    let unique = found.chosen.iter().map(|chosen| item(chosen, known)).collect();
    UniqueDocument { threshold: found.threshold, unique, compared: found.compared }
}

fn item<'a>(item: &'a Item, known: &'a Known) -> ItemDocument<'a> {
    ItemDocument { id: &item.id, sample_id: &item.sample_id, filepath: known.get(&item.id).map(|known| known.filepath.as_str()) }
}

#[cfg(test)]
mod tests {
    use brain::core::similar::Group;

    use super::*;

    #[test]
    fn groups_hold_their_duplicates_and_distances_are_not_widened() {
        let [kept, other] = ["a", "b"].map(|id| Item::sample(id.into()));
        let groups = vec![Group { kept: kept.clone(), duplicates: vec![Hit { item: other, distance: 0.1 }] }];
        let found = Duplicates { threshold: Some(0.2), kept: vec![kept], groups, compared: Compared { items: 2, missing: 1, elapsed_ms: 1.5 } };
        let text = serde_json::to_string(&duplicates(&found, &Known::default())).unwrap();
        let duplicate = r#"{"id":"b","sample_id":"b","filepath":null,"distance":0.1}"#;
        let group = format!(r#"{{"id":"a","sample_id":"a","filepath":null,"duplicates":[{duplicate}]}}"#);
        let compared = r#"{"items":2,"missing":1,"elapsed_ms":1.5}"#;
        assert_eq!(text, format!(r#"{{"threshold":0.2,"kept":1,"duplicates":1,"groups":[{group}],"compared":{compared}}}"#));
    }
}
