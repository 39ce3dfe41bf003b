//! From samples to an export that FiftyOne imports.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use brain_core::{Error, ErrorKind, ItemId, Result, Sample, timestamp};
use serde_json::{Map, Value, json};

use super::super::document::{ExportedSample, PRIVATE_FIELDS, Stamp};
use super::super::samples::unwritable;
use super::super::staging::StagedFolder;
use super::fields::Fields;
use super::media::{Library, Media};
use super::metadata::{METADATA, SAMPLES};
use super::runs::ExportedRun;

/// The version of FiftyOne whose export format is written. Newer versions bring such a dataset up to date when they import it.
const FORMAT_VERSION: &str = "1.22.1";

/// What goes into an export beside the samples.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// What becomes of the photos.
    pub media: Media,
    /// The dataset's runs. FiftyOne finds their vectors in the table or index that the configuration names.
    pub runs: Vec<ExportedRun>,
}

/// What an export holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many samples were written.
    pub samples: u64,
    /// The keys of runs that were left out, because FiftyOne has no such method (a local index, say) and would refuse the dataset's runs.
    pub skipped_runs: Vec<String>,
}

/// Writes samples as a FiftyOne dataset export into `folder`, which is new or empty; FiftyOne imports it with
/// `Dataset.from_dir(folder, dataset_type=fo.types.FiftyOneDataset)`.
///
/// Ids are kept; a sample or label without one gets one. Samples and photos are streamed. The folder appears under its name when it is complete.
///
/// # Errors
/// [`AlreadyExists`](ErrorKind::AlreadyExists) when `folder` holds anything; [`NotFound`](ErrorKind::NotFound) when a photo to copy is missing;
/// [`InvalidInput`](ErrorKind::InvalidInput) for what FiftyOne could not load: an id that is not 24 hexadecimal digits, a field of two types, a
/// field name that FiftyOne keeps to itself; and the first error among the samples.
pub fn write_fiftyone(folder: &Path, name: &str, samples: impl IntoIterator<Item = Result<Sample>>, options: &ExportOptions) -> Result<Exported> {
    refuse_occupied(folder)?;
    let staged = StagedFolder::beside(folder)?;
    let stamp = Stamp { dataset_id: ItemId::generate(), now: timestamp::now() };
    let (fields, count) = write_samples(staged.path(), folder, samples, options.media, &stamp)?;
    let (runs, skipped_runs) = write_runs(staged.path(), &options.runs, &stamp)?;
    let document = dataset(name, &fields, runs, &stamp);
    write_json(&staged.path().join(METADATA), &document)?;
    staged.publish()?;
    Ok(Exported { samples: count, skipped_runs })
}

fn refuse_occupied(folder: &Path) -> Result<()> {
    let occupied = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => false,
        // A file of that name, or a folder that cannot be looked into.
        Err(source) if source.kind() == std::io::ErrorKind::NotADirectory => true,
        Err(source) => return Err(Error::io("read the folder", folder, source).with_operation("export")),
    };
    if occupied {
        return Err(Error::new(ErrorKind::AlreadyExists, format!("{} exists already and is not empty", folder.display()))
            .with_operation("export")
            .with_hint("choose another folder, or delete this one first; an export never overwrites"));
    }
    Ok(())
}

fn write_samples(
    export: &Path,
    folder: &Path,
    samples: impl IntoIterator<Item = Result<Sample>>,
    media: Media,
    stamp: &Stamp,
) -> Result<(Fields, u64)> {
    let path = export.join(SAMPLES);
    let io = |source| Error::io("write", &folder.join(SAMPLES), source);
    let mut library = Library::inside(export, media)?;
    let mut fields = Fields::default();
    let mut writer = BufWriter::new(File::create_new(&path).map_err(io)?);
    let mut count = 0;
    writer.write_all(b"{\"samples\": [").map_err(io)?;
    for sample in samples {
        let sample = sample?;
        learn(&mut fields, &sample)?;
        let filepath = library.add(&sample.filepath)?;
        writer.write_all(if count == 0 { b"\n" } else { b",\n" }).map_err(io)?;
        let document = ExportedSample { sample: &sample, filepath: &filepath, stamp };
        serde_json::to_writer(&mut writer, &document).map_err(|error| unwritable(&sample, &folder.join(SAMPLES), error))?;
        count += 1;
    }
    writer.write_all(b"\n]}\n").map_err(io)?;
    writer.into_inner().map_err(|error| io(error.into_error()))?.sync_all().map_err(io)?;
    Ok((fields, count))
}

fn learn(fields: &mut Fields, sample: &Sample) -> Result<()> {
    for (name, value) in &sample.fields {
        let refuse = |message: String| {
            let sample = sample.id.as_ref().map_or_else(|| sample.filepath.clone(), ToString::to_string);
            Error::invalid(format!("sample {sample} cannot be exported: {message}")).with_operation("export")
        };
        if PRIVATE_FIELDS.contains(&name.as_str()) {
            return Err(refuse(format!("FiftyOne keeps field {name:?} to itself")).with_hint("rename the field, or export as JSON Lines"));
        }
        fields.learn(name, value).map_err(|message| refuse(message).with_hint("FiftyOne gives a field one type; export as JSON Lines keeps both"))?;
    }
    Ok(())
}

fn write_runs(export: &Path, runs: &[ExportedRun], stamp: &Stamp) -> Result<(Map<String, Value>, Vec<String>)> {
    let (mut entries, mut skipped) = (Map::new(), Vec::new());
    let folder = export.join("brain");
    for run in runs {
        let Some((entry, results)) = run.documents(&stamp.dataset_id, FORMAT_VERSION, &stamp.now) else {
            skipped.push(run.key.clone());
            continue;
        };
        if !brain_core::is_identifier(&run.key) {
            return Err(Error::invalid(format!("brain key {:?} is not an identifier", run.key)).with_operation("export"));
        }
        fs::create_dir_all(&folder).map_err(|source| Error::io("make the folder", &folder, source))?;
        write_json(&folder.join(format!("{}.json", run.key)), &results)?;
        entries.insert(run.key.clone(), entry);
    }
    Ok((entries, skipped))
}

fn write_json(path: &Path, document: &Value) -> Result<()> {
    let io = |source| Error::io("write", path, source);
    let mut writer = BufWriter::new(File::create_new(path).map_err(io)?);
    serde_json::to_writer(&mut writer, document).map_err(|error| io(error.into()))?;
    writer.into_inner().map_err(|error| io(error.into_error()))?.sync_all().map_err(io)
}

/// The dataset's document, every member that FiftyOne's own exports have.
fn dataset(name: &str, fields: &Fields, runs: Map<String, Value>, stamp: &Stamp) -> Value {
    let now = json!({ "$date": stamp.now });
    json!({
        "_id": { "$oid": stamp.dataset_id },
        "name": name,
        "slug": slug(name),
        "version": FORMAT_VERSION,
        "created_at": now,
        "last_modified_at": now,
        "last_deletion_at": null,
        "last_loaded_at": now,
        "sample_collection_name": format!("samples.{}", stamp.dataset_id),
        "persistent": false,
        "media_type": "image",
        "group_media_types": {},
        "tags": [],
        "info": {},
        "app_config": {},
        "classes": {},
        "default_classes": [],
        "mask_targets": {},
        "default_mask_targets": {},
        "skeletons": {},
        "sample_fields": fields.schema(&stamp.now),
        "frame_fields": [],
        "saved_views": [],
        "workspaces": [],
        "annotation_runs": {},
        "brain_methods": runs,
        "evaluations": {},
        "runs": {},
    })
}

/// A name as FiftyOne puts it into addresses: lower case, words joined by hyphens.
fn slug(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}
