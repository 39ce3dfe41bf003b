//! The pictures of duplicates and of unique items.

use std::path::Path;

use brain::core::Item;
use brain::core::similar::Group;

use super::Opened;
use crate::distance;
use crate::failure::Result;
use crate::known::Known;
use crate::sheet::{self, Frame, Tile};

/// How many groups a picture shows at most, and how many tiles a line has.
const GROUPS: usize = 40;
const ACROSS: usize = 12;

/// Writes a line for each of the first groups: what is kept, then its nearest duplicates with their distances.
pub(super) fn of_groups(opened: &Opened, groups: &[Group], path: &Path) -> Result<()> {
    let groups = &groups[..groups.len().min(GROUPS)];
    let shown = |group: &Group| group.duplicates[..group.duplicates.len().min(ACROSS - 1)].to_vec();
    let of_groups = groups.iter().flat_map(|group| shown(group).into_iter().map(|hit| hit.item).chain([group.kept.clone()]));
    let known = opened.known(&of_groups.collect::<Vec<Item>>())?;
    let line = |group: &Group| {
        let more = group.duplicates.len().saturating_sub(ACROSS - 1);
        let kept = if more > 0 { format!("kept, {more} more") } else { "kept".to_owned() };
        let duplicates = shown(group).into_iter().map(|hit| tile(&known, &hit.item, distance::shown(hit.distance), Frame::Plain));
        std::iter::once(tile(&known, &group.kept, kept, Frame::Query)).chain(duplicates).collect()
    };
    Ok(sheet::write(&groups.iter().map(line).collect::<Vec<Vec<Tile>>>(), path)?)
}

/// Writes the first items in lines, in the order they were chosen.
pub(super) fn of_items(opened: &Opened, items: &[Item], path: &Path) -> Result<()> {
    let items = &items[..items.len().min(GROUPS * ACROSS)];
    let known = opened.known(items)?;
    let ranked: Vec<(usize, &Item)> = (1..).zip(items).collect();
    let lines = ranked.chunks(ACROSS).map(|line| line.iter().map(|(rank, item)| tile(&known, item, format!("{rank}"), Frame::Plain)).collect());
    Ok(sheet::write(&lines.collect::<Vec<Vec<Tile>>>(), path)?)
}

/// The item's photo over its file's name and `caption`; an empty tile where the dataset no longer has it.
fn tile(known: &Known, item: &Item, caption: String, frame: Frame) -> Tile {
    match known.get(&item.id) {
        Some(found) => {
            let name = Path::new(&found.filepath).file_stem().unwrap_or_default().to_string_lossy().into_owned();
            sheet::item(found, [name, caption], frame)
        }
        None => Tile { photo: None, part: sheet::Part::Whole, caption: ["gone".to_owned(), caption], frame },
    }
}
