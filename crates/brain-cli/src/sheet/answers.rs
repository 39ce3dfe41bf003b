//! The answers of a search as tiles.

use brain::SortedRow;

use super::{Frame, Part, Tile};
use crate::distance;
use crate::known::{Known, KnownItem};

/// The first `most` rows: patches are cut out, samples that stand for a patch have it boxed, frames tell whether the class is `query_class`.
pub(crate) fn answers(rows: &[SortedRow], known: &Known, query_class: Option<&str>, most: usize) -> Vec<Tile> {
    let tile = |row: &SortedRow| {
        let class = known.class(row);
        let bounding_box = row.label_id.as_ref().and_then(|id| known.get(id)?.bounding_box);
        let part = match bounding_box {
            Some(sides) if row.label_id.as_ref() == Some(&row.id) => Part::Crop(sides),
            Some(sides) => Part::Boxed(sides),
            None => Part::Whole,
        };
        let caption = [class.unwrap_or_default().to_owned(), distance::shown(row.distance)];
        Tile { photo: row.filepath.as_ref().map(Into::into), part, caption, frame: Frame::of(query_class, class) }
    };
    rows.iter().take(most).map(tile).collect()
}

/// An item that is searched with.
pub(crate) fn query(found: &KnownItem) -> Tile {
    item(found, ["query".to_owned(), found.class.clone().unwrap_or_default()], Frame::Query)
}

/// An item by itself: its photo, or its patch cut out.
pub(crate) fn item(found: &KnownItem, caption: [String; 2], frame: Frame) -> Tile {
    Tile { photo: Some(found.filepath.clone().into()), part: found.bounding_box.map_or(Part::Whole, Part::Crop), caption, frame }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_row_is_a_plain_tile_with_its_distance() {
        let row = SortedRow { rank: 1, id: "a".into(), sample_id: "a".into(), label_id: None, filepath: None, distance: 0.5 };
        let tiles = answers(&[row.clone(), row], &Known::default(), Some("dog"), 1);
        assert_eq!(tiles.len(), 1);
        assert_eq!((tiles[0].caption.each_ref().map(String::as_str), tiles[0].frame, tiles[0].part), (["", "0.5000"], Frame::Plain, Part::Whole));
    }

    #[test]
    fn a_patch_that_is_searched_with_is_cut_out() {
        let item = KnownItem { class: Some("dog".into()), bounding_box: Some([0.0, 0.0, 0.5, 0.5]), filepath: "/a.jpg".into() };
        let tile = query(&item);
        assert_eq!((tile.part, tile.caption[1].as_str(), tile.frame), (Part::Crop([0.0, 0.0, 0.5, 0.5]), "dog", Frame::Query));
    }
}
