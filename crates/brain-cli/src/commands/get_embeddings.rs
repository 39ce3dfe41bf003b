//! `brain get-embeddings`: vectors out of an index, into a NumPy file.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use brain::core::{Error, Item, ItemId, VectorBatch, enumerate};
use brain::npy::NpyWriter;
use brain::{Items, Similarity};
use futures::TryStreamExt as _;
use serde_json::json;

use crate::args::GetArgs;
use crate::failure::Result;
use crate::plural::counted;
use crate::session::Session;

/// How many vectors named by id are held at once.
const CHUNK: usize = 4096;

pub(super) async fn run(session: &mut Session<'_>, args: &GetArgs) -> Result<()> {
    let items = args.items.items()?;
    let similarity = session.brain()?.load_brain_results(&args.run.name, &args.run.brain_key).await?;
    let Some(index) = similarity.index() else {
        return Err(Error::not_found(format!("run {:?} has no vectors yet", args.run.brain_key))
            .with_hint("add some with `brain add-to-index`")
            .into());
    };
    let dimension = index.spec().dimension;
    let mut sink = Sink::create(&args.out, args.ids_out.as_deref(), dimension)?;
    let written = write(&similarity, &items, &mut sink).await;
    let missing = match written {
        Ok(missing) => missing,
        Err(error) => {
            sink.discard();
            return Err(error.into());
        }
    };
    let rows = sink.finish()?;
    let output = &mut session.output;
    if !missing.is_empty() {
        output.warn(format_args!("not in the index, and so without a row: {}", enumerate(&missing)))?;
    }
    if output.is_json() {
        return Ok(output.document(&json!({ "rows": rows, "dimension": dimension, "out": args.out, "ids_out": args.ids_out, "missing": missing }))?);
    }
    output.line(format_args!("{} of {dimension} numbers in {}", counted(rows, "vector", "vectors"), args.out.display()))?;
    if let Some(path) = &args.ids_out {
        output.line(format_args!("their ids in {}", path.display()))?;
    }
    Ok(())
}

/// Writes the rows of `items`; gives the ids of a view that the index lacks. Named ids must be there: a row left out would shift the others.
async fn write(similarity: &Similarity, items: &Items, sink: &mut Sink) -> Result<Vec<ItemId>, Error> {
    match items {
        Items::All => {
            let Some(index) = similarity.index() else { return Ok(Vec::new()) };
            let mut batches = index.stream();
            while let Some(batch) = batches.try_next().await? {
                sink.write(&batch)?;
            }
            Ok(Vec::new())
        }
        Items::Ids(ids) => {
            for chunk in ids.chunks(CHUNK) {
                sink.write(&all_of(similarity, Items::Ids(chunk.to_vec())).await?)?;
            }
            Ok(Vec::new())
        }
        Items::Samples(ids) => {
            for chunk in ids.chunks(CHUNK) {
                sink.write(&all_of(similarity, Items::Samples(chunk.to_vec())).await?)?;
            }
            Ok(Vec::new())
        }
        Items::View(_) => {
            let fetched = similarity.get_embeddings(items).await?;
            sink.write(&fetched.rows)?;
            Ok(fetched.missing)
        }
    }
}

async fn all_of(similarity: &Similarity, items: Items) -> Result<VectorBatch, Error> {
    let fetched = similarity.get_embeddings(&items).await?;
    if fetched.missing.is_empty() {
        return Ok(fetched.rows);
    }
    Err(Error::not_found(format!("the index does not hold {}", enumerate(&fetched.missing)))
        .with_operation("get embeddings")
        .with_hint("leave them out, or name the items by view flags: what is missing is passed over then"))
}

/// The two files being written. They appear under their names when both are complete.
struct Sink {
    vectors: NpyWriter,
    ids: Option<IdsFile>,
}

struct IdsFile {
    path: PathBuf,
    partial: PathBuf,
    writer: BufWriter<File>,
}

impl Sink {
    fn create(out: &Path, ids_out: Option<&Path>, dimension: usize) -> Result<Self, Error> {
        let ids = match ids_out {
            Some(path) => {
                let partial = partial_of(path);
                let file = File::create(&partial).map_err(|source| Error::io("write", &partial, source))?;
                Some(IdsFile { path: path.to_owned(), partial, writer: BufWriter::new(file) })
            }
            None => None,
        };
        Ok(Self { vectors: NpyWriter::create(out, dimension)?, ids })
    }

    fn write(&mut self, batch: &VectorBatch) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.vectors.write_rows(batch.vectors())?;
        let Some(ids) = &mut self.ids else { return Ok(()) };
        for Item { id, .. } in batch.items() {
            writeln!(ids.writer, "{id}").map_err(|source| Error::io("write", &ids.partial, source))?;
        }
        Ok(())
    }

    /// How many rows there are.
    fn finish(self) -> Result<u64, Error> {
        if let Some(IdsFile { path, partial, mut writer }) = self.ids {
            writer.flush().map_err(|source| Error::io("write", &partial, source))?;
            std::fs::rename(&partial, &path).map_err(|source| Error::io("write", &path, source))?;
        }
        self.vectors.finish()
    }

    /// Removes what was begun.
    fn discard(self) {
        if let Some(ids) = &self.ids {
            // The error that led here is the one to tell. The vectors' writer removes its own.
            let _ = std::fs::remove_file(&ids.partial);
        }
    }
}

/// Where a file is written before it has its name.
fn partial_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}
