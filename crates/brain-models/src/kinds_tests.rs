//! The zoo of files: every kind that is read gives the pixels that Pillow gives, and every other is refused by its name, with a reason, while the run goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brain_core::{Embedder, Error, ErrorKind, Item, ItemId, Modalities, PreparedImage, Result, RgbImage};
use futures::executor::block_on_stream;

use crate::{EmbedJob, Pipeline, PipelineOptions, read_image};

fn kinds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kinds")
}

fn photo() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos/cat-000.jpg")).unwrap()
}

/// The mean of each colour: enough to see that a picture came through.
struct Mean;

impl Embedder for Mean {
    fn name(&self) -> &str {
        "mean"
    }

    fn dimension(&self) -> usize {
        3
    }

    fn modalities(&self) -> Modalities {
        Modalities { images: true, text: false }
    }

    fn fingerprint(&self) -> String {
        "mean".to_owned()
    }

    fn prepare(&self, image: &RgbImage) -> Result<PreparedImage> {
        let pixels = image.pixels.len() as f64 / 3.0;
        let mean = |channel| image.pixels.iter().skip(channel).step_by(3).map(|&value| f64::from(value)).sum::<f64>() / pixels;
        Ok(PreparedImage([0, 1, 2].map(|channel| mean(channel) as f32).to_vec()))
    }

    fn embed_images(&self, batch: &[PreparedImage]) -> Result<Vec<f32>> {
        Ok(batch.iter().flat_map(|image| image.0.clone()).collect())
    }

    fn embed_text(&self, _: &[String]) -> Result<Vec<f32>> {
        Err(Error::unsupported("no text"))
    }
}

/// What the pipeline makes of files: a vector, or a message, by name.
fn outcomes(files: &[PathBuf]) -> BTreeMap<String, Result<Vec<f32>, Arc<Error>>> {
    let jobs: Vec<_> =
        files.iter().enumerate().map(|(number, file)| EmbedJob::whole(Item::sample(ItemId::from_text(&number.to_string())), file)).collect();
    let name = |item: &Item| files[item.id.to_string().parse::<usize>().unwrap()].file_name().unwrap().to_string_lossy().into_owned();
    let mut outcomes = BTreeMap::new();
    for batch in block_on_stream(Pipeline::new(Arc::new(Mean), PipelineOptions::default()).unwrap().run(jobs).unwrap()) {
        let batch = batch.unwrap();
        outcomes.extend(batch.rows.items().iter().enumerate().map(|(row, item)| (name(item), Ok(batch.rows.vector(row).to_vec()))));
        outcomes.extend(batch.failures.iter().map(|failure| (name(&failure.item), Err(failure.error.clone()))));
    }
    outcomes
}

/// How far the pixels of a kind may lie from Pillow's: another decoder rounds otherwise.
fn tolerance(name: &str) -> u8 {
    match name {
        "cmyk.jpg" => 2,
        "photo.webp" => 3,
        _ => 0,
    }
}

#[test]
fn kinds_that_are_read_have_the_pixels_that_pillow_reads() {
    let mut files: Vec<_> = fs::read_dir(kinds()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_none_or(|extension| extension != "rgb") && !file.to_string_lossy().contains("refused"));
    files.sort();
    assert!(files.len() > 30, "{}", files.len());
    let outcomes = outcomes(&files);
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy();
        let expected = fs::read(kinds().join(format!("{name}.rgb"))).unwrap();
        match read_image(file) {
            Ok(image) => {
                let far = image.pixels.iter().zip(&expected).map(|(ours, theirs)| ours.abs_diff(*theirs)).max().unwrap_or(u8::MAX);
                println!("| {name} | embedded | at most {far} levels from Pillow |");
                if (image.width, image.height, image.pixels.len()) != (32, 32, expected.len()) || far > tolerance(&name) {
                    wrong.push(format!("{name}: {} x {}, {far} levels away", image.width, image.height));
                }
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
        assert!(outcomes[&*name].is_ok(), "{name}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_cannot_be_read_is_refused_by_name_and_the_others_go_on() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let write = |name: &str, bytes: &[u8]| fs::write(at(name), bytes).unwrap();
    let cut = |name: &str, of: &[u8]| write(name, &of[..of.len() / 2]);
    let kind = |name: &str| fs::read(kinds().join(name)).unwrap();

    write("whole.jpg", &photo());
    write("empty.jpg", b"");
    write("text.jpg", b"this is not a photo");
    cut("cut.jpg", &photo());
    cut("cut-progressive.jpg", &kind("progressive.jpg"));
    write("no-end.jpg", &photo()[..photo().len() - 2]);
    for name in ["palette.png", "lossless.webp", "photo.webp", "turned.tiff", "plain.gif", "palette.bmp"] {
        cut(&format!("cut-{name}"), &kind(name));
    }
    // The header of a bitmap of 32768 x 32768 pixels, and a few bytes of it.
    let [size, side] = [40_u32, 32_768].map(u32::to_le_bytes);
    write("bomb.bmp", &[b"BM".as_slice(), &[0; 8], &[54, 0, 0, 0], &size, &side, &side, &[1, 0, 24, 0], &[0; 124]].concat());
    let mut damaged = kind("grey.png");
    // The checksum of the pixels, before the last chunk.
    let checksum = damaged.len() - 16..damaged.len() - 12;
    damaged[checksum].fill(0xAA);
    write("damaged.png", &damaged);
    for name in ["refused.ico", "refused.jp2", "refused.avif", "refused.svg"] {
        fs::copy(kinds().join(name), at(name)).unwrap();
    }
    fs::create_dir(at("folder.jpg")).unwrap();

    let expected = [
        ("empty.jpg", "is empty"),
        ("text.jpg", "is not an image"),
        ("none.jpg", "cannot read"),
        ("folder.jpg", "is a directory"),
        ("cut.jpg", "is truncated"),
        ("cut-progressive.jpg", "is truncated"),
        ("no-end.jpg", "is truncated"),
        ("cut-palette.png", "is truncated"),
        ("cut-lossless.webp", "is damaged"),
        ("cut-photo.webp", "is truncated"),
        ("cut-turned.tiff", "is truncated"),
        ("cut-plain.gif", "is damaged"),
        ("cut-palette.bmp", "is truncated"),
        ("bomb.bmp", "32768 x 32768 pixels"),
        ("damaged.png", "is damaged"),
        ("refused.ico", "is not read here"),
        ("refused.jp2", "is not an image"),
        ("refused.avif", "is not read here"),
        ("refused.svg", "is not an image"),
    ];
    let files: Vec<_> = expected.iter().map(|(name, _)| *name).chain(["whole.jpg"]).map(at).collect();
    let outcomes = outcomes(&files);
    let mut wrong = Vec::new();
    for (name, reason) in expected {
        match &outcomes[name] {
            Ok(_) => wrong.push(format!("{name} was embedded")),
            Err(error) => {
                println!("| {name} | refused ({}) | {} |", error.kind(), error.message().replace(&format!("{}/", home.path().display()), ""));
                let kind = if name == "none.jpg" { ErrorKind::NotFound } else { ErrorKind::InvalidInput };
                if error.kind() != kind || !error.message().contains(reason) || !error.message().contains(name) {
                    wrong.push(format!("{name}: {error}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(outcomes["whole.jpg"].is_ok());
}

#[test]
fn fifty_megapixels_are_embedded() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("large.png");
    let (width, height) = (8660, 5774);
    // A left half of 40 and a right half of 200.
    image::GrayImage::from_fn(width, height, |x, _| image::Luma([if x < width / 2 { 40 } else { 200 }])).save(&file).unwrap();
    let outcomes = outcomes(&[file]);
    assert_eq!(outcomes["large.png"].as_ref().unwrap(), &[120.0; 3]);
}
