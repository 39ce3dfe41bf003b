//! A contact sheet: queries and their answers, or things that are alike, as one picture.
//!
//! A line of the sheet is a query and what it found, or a photo and its duplicates, each a [`Tile`]: a photo, or a part of it, in a coloured frame over a caption. A photo that
//! cannot be read is an empty tile, so that one bad file costs no sheet.

mod answers;
mod font;
mod tile;

use std::path::{Path, PathBuf};

use brain::core::{Error, Result};
use image::{ImageFormat, Rgb, RgbImage};

pub(crate) use answers::{answers, item, query};

/// What lies between two tiles, in pixels.
const GAP: u32 = 6;

const PAPER: Rgb<u8> = Rgb([250, 250, 248]);

/// One photo of a sheet.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    /// The photo; `None` where there is none to show, as for a query by vector.
    pub(crate) photo: Option<PathBuf>,
    /// Which part of it.
    pub(crate) part: Part,
    /// The two lines that stand below it.
    pub(crate) caption: [String; 2],
    /// The colour around it.
    pub(crate) frame: Frame,
}

/// Which part of a photo is shown. Boxes are `[x, y, w, h]` in fractions of the photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// What is in a box.
    Crop([f64; 4]),
    /// All of it, with a box drawn in.
    Boxed([f64; 4]),
}

/// What a tile is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A query, or what is kept of a group of duplicates.
    Query,
    /// An answer of the query's class.
    Same,
    /// An answer of another class.
    Other,
    /// An answer, where classes are not known or do not matter.
    Plain,
}

impl Frame {
    /// The frame of an answer: by whether its class is the query's.
    pub(crate) fn of(query: Option<&str>, answer: Option<&str>) -> Self {
        match (query, answer) {
            (Some(query), Some(answer)) if query == answer => Self::Same,
            (Some(_), Some(_)) => Self::Other,
            _ => Self::Plain,
        }
    }

    fn colour(self) -> Rgb<u8> {
        match self {
            Self::Query => Rgb([38, 84, 160]),
            Self::Same => Rgb([52, 140, 82]),
            Self::Other => Rgb([200, 62, 54]),
            Self::Plain => Rgb([150, 150, 150]),
        }
    }
}

/// Draws lines of tiles and writes the picture to `path` as PNG, whole or not at all.
///
/// # Errors
/// Those of the file system; [`InvalidInput`](brain::core::ErrorKind::InvalidInput) for a sheet without a tile.
pub(crate) fn write(lines: &[Vec<Tile>], path: &Path) -> Result<()> {
    let longest = lines.iter().map(Vec::len).max().unwrap_or_default();
    if longest == 0 {
        return Err(Error::invalid("there is nothing to draw a sheet of").with_hint("search for something that has answers"));
    }
    let across = |tiles: usize, side: u32| u32::try_from(tiles).unwrap_or(u32::MAX).saturating_mul(side + GAP).saturating_add(GAP);
    let mut sheet = RgbImage::from_pixel(across(longest, tile::WIDTH), across(lines.len(), tile::HEIGHT), PAPER);
    for (line, tiles) in lines.iter().enumerate() {
        for (column, tile) in tiles.iter().enumerate() {
            let (x, y) = (across(column, tile::WIDTH), across(line, tile::HEIGHT));
            image::imageops::replace(&mut sheet, &tile::draw(tile), i64::from(x), i64::from(y));
        }
    }
    save(&sheet, path)
}

fn save(sheet: &RgbImage, path: &Path) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let saved = sheet.save_with_format(&partial, ImageFormat::Png).map_err(|error| match error {
        image::ImageError::IoError(source) => Error::io("write", path, source),
        other => Error::unexpected(format!("{} cannot be drawn: {other}", path.display())).with_source(other),
    });
    saved.and_then(|()| std::fs::rename(&partial, path).map_err(|source| Error::io("write", path, source)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_has_a_place_for_every_tile() {
        let folder = tempfile::tempdir().unwrap();
        let photo = folder.path().join("green.png");
        RgbImage::from_pixel(20, 10, Rgb([0, 200, 0])).save(&photo).unwrap();
        let tile =
            |photo: Option<&PathBuf>, frame| Tile { photo: photo.cloned(), part: Part::Whole, caption: ["dog".into(), "0.1234".into()], frame };
        let gone = folder.path().join("gone.jpg");
        let lines = [vec![tile(Some(&photo), Frame::Query), tile(Some(&gone), Frame::Other)], vec![tile(None, Frame::Plain)]];
        let path = folder.path().join("sheet.png");
        write(&lines, &path).unwrap();
        let sheet = image::open(&path).unwrap().to_rgb8();
        assert_eq!(sheet.dimensions(), (GAP + 2 * (tile::WIDTH + GAP), GAP + 2 * (tile::HEIGHT + GAP)));
        assert_eq!(*sheet.get_pixel(GAP + 1, GAP + 1), Frame::Query.colour());
        assert_eq!(*sheet.get_pixel(GAP + tile::WIDTH / 2, GAP + tile::WIDTH / 2), Rgb([0, 200, 0]));
        assert_eq!(*sheet.get_pixel(GAP + tile::WIDTH + GAP + 1, GAP + 1), Frame::Other.colour());
    }

    #[test]
    fn nothing_is_no_sheet() {
        assert!(write(&[vec![]], Path::new("/nowhere/sheet.png")).unwrap_err().hint().is_some());
    }

    #[test]
    fn frames_tell_classes_apart() {
        assert_eq!(Frame::of(Some("dog"), Some("dog")), Frame::Same);
        assert_eq!(Frame::of(Some("dog"), Some("cat")), Frame::Other);
        assert_eq!(Frame::of(None, Some("cat")), Frame::Plain);
    }
}
