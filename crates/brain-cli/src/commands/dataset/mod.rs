//! `brain dataset`: import, list, info, samples, delete, export.

mod import;
mod info;
mod samples;

use brain::core::timestamp::rfc3339_seconds;
use brain::{Brain, WithIndex};
use serde_json::json;

use crate::args::{DatasetCommand, DeleteArgs, ExportArgs};
use crate::commands::runs::index_of;
use crate::failure::Result;
use crate::plural::counted;
use crate::session::Session;
use crate::table::Table;

pub(super) async fn run(session: &mut Session<'_>, command: &DatasetCommand) -> Result<()> {
    let brain = session.brain()?;
    match command {
        DatasetCommand::Import(args) => import::run(session, &brain, args).await,
        DatasetCommand::List => list(session, &brain),
        DatasetCommand::Info { name } => info::run(session, &brain, name).await,
        DatasetCommand::Samples(args) => samples::run(session, &brain, args),
        DatasetCommand::Delete(args) => delete(session, &brain, args).await,
        DatasetCommand::Export(args) => export(session, &brain, args).await,
    }
}

fn list(session: &mut Session<'_>, brain: &Brain) -> Result<()> {
    let datasets = brain.datasets().list()?;
    if session.output.is_json() {
        let document = |dataset: &brain::dataset::DatasetSummary| json!({ "name": dataset.name, "samples": dataset.samples, "created_at": rfc3339_seconds(dataset.created_at) });
        return Ok(session.output.document(&datasets.iter().map(document).collect::<Vec<_>>())?);
    }
    if datasets.is_empty() {
        return Ok(session.output.hint("there are no datasets yet; make one: brain dataset import NAME PATH, or brain quickstart")?);
    }
    let mut table = Table::new().text("dataset").number("samples").text("made");
    for dataset in datasets {
        table.row([dataset.name, dataset.samples.to_string(), rfc3339_seconds(dataset.created_at)]);
    }
    Ok(session.output.table(&table)?)
}

async fn delete(session: &mut Session<'_>, brain: &Brain, args: &DeleteArgs) -> Result<()> {
    let indexes = if args.with_indexes { WithIndex::Drop } else { WithIndex::Keep };
    let runs = brain.delete_dataset(&args.name, indexes).await?;
    let output = &mut session.output;
    if output.is_json() {
        let orphaned = if args.with_indexes { &[][..] } else { &runs[..] };
        return Ok(output.document(&json!({ "deleted": args.name, "runs": runs, "orphaned": orphaned }))?);
    }
    let what = if args.with_indexes { "records and indexes" } else { "records" };
    output.line(format_args!("dataset {} is deleted, with the {what} of {}", args.name, counted(runs.len() as u64, "run", "runs")))?;
    if args.with_indexes || runs.is_empty() {
        return Ok(());
    }
    output.line("these indexes belong to no dataset now:")?;
    for run in &runs {
        output.line(format_args!("  {} (run {})", index_of(run), run.key))?;
    }
    output.hint("--with-indexes drops them along with the dataset. To drop one now, attach to it from any dataset, then delete that run:")?;
    output.hint("  brain compute-similarity NAME --brain-key KEY --backend BACKEND --no-embeddings --param index_name=INDEX")?;
    Ok(output.hint("  brain runs delete NAME KEY --with-index")?)
}

async fn export(session: &mut Session<'_>, brain: &Brain, args: &ExportArgs) -> Result<()> {
    let format = args.format();
    let exported = brain.export_dataset(&args.name, &args.path, format, &args.view.view()?, args.media()).await?;
    let output = &mut session.output;
    if output.is_json() {
        return Ok(output.document(&json!({
            "dataset": args.name, "path": args.path, "format": format.as_str(),
            "samples": exported.samples, "skipped_runs": exported.skipped_runs,
        }))?);
    }
    let samples = counted(exported.samples, "sample", "samples");
    output.line(format_args!("exported {samples} of {} to {} as {format}", args.name, args.path.display()))?;
    if !exported.skipped_runs.is_empty() {
        let runs = exported.skipped_runs.join(", ");
        output.line(format_args!("these runs stay behind, because FiftyOne could not open their indexes: {runs}"))?;
    }
    Ok(())
}
