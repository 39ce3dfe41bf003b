//! `brain runs`: the records of computations.

use brain::WithIndex;
use brain::core::RunRecord;
use serde_json::json;

use crate::args::{RunsCommand, RunsListArgs};
use crate::failure::Result;
use crate::session::Session;
use crate::table::Table;

pub(super) async fn run(session: &mut Session<'_>, command: &RunsCommand) -> Result<()> {
    match command {
        RunsCommand::List(args) => list(session, args).await,
        RunsCommand::Info { name, key } => info(session, name, key).await,
        RunsCommand::Rename { name, key, new_key } => rename(session, name, key, new_key).await,
        RunsCommand::Delete { name, key, with_index } => delete(session, name, key, *with_index).await,
    }
}

async fn list(session: &mut Session<'_>, args: &RunsListArgs) -> Result<()> {
    let brain = session.brain()?;
    let filter = args.filter();
    let names = match &args.name {
        Some(name) => vec![name.clone()],
        None => brain.datasets().list()?.into_iter().map(|summary| summary.name).collect(),
    };
    let mut runs = Vec::new();
    for name in names {
        runs.extend(brain.list_brain_runs(&name, &filter).await?);
    }
    if session.output.is_json() {
        return Ok(session.output.document(&runs)?);
    }
    if runs.is_empty() {
        return Ok(session.output.hint("there are no such runs")?);
    }
    Ok(session.output.table(&table(&runs))?)
}

/// Runs as a table.
pub(super) fn table(runs: &[RunRecord]) -> Table {
    let mut table = Table::new().text("dataset").text("brain key").text("type").text("method").text("state").number("items").text("made");
    for run in runs {
        let items = run.counts.get("indexed").map_or_else(|| "?".to_owned(), u64::to_string);
        table.row([&run.dataset, &run.key, &run.run_type, &run.method, run.state.as_str(), &items, &run.timestamp]);
    }
    table
}

async fn info(session: &mut Session<'_>, name: &str, key: &str) -> Result<()> {
    let record = session.brain()?.get_brain_info(name, key).await?;
    let output = &mut session.output;
    if output.is_json() {
        return Ok(output.document(&record)?);
    }
    output.table(&table(std::slice::from_ref(&record)))?;
    output.line("")?;
    let mut settings = Table::new().text("setting").text("value");
    for (name, value) in record.config.iter().filter(|(_, value)| !value.is_null()) {
        settings.row([name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)]);
    }
    for (name, count) in &record.counts {
        settings.row([format!("count of {name}"), count.to_string()]);
    }
    if let Some(view) = &record.view {
        settings.row(["view".to_owned(), serde_json::to_string(view).unwrap_or_default()]);
    }
    if let Some(error) = &record.error {
        settings.row(["error", error]);
    }
    Ok(output.table(&settings)?)
}

async fn rename(session: &mut Session<'_>, name: &str, key: &str, new_key: &str) -> Result<()> {
    session.brain()?.rename_brain_run(name, key, new_key).await?;
    if session.output.is_json() {
        return Ok(session.output.document(&json!({ "dataset": name, "key": new_key, "was": key }))?);
    }
    Ok(session.output.line(format_args!("run {key} of {name} is called {new_key} now"))?)
}

async fn delete(session: &mut Session<'_>, name: &str, key: &str, with_index: bool) -> Result<()> {
    let index = if with_index { WithIndex::Drop } else { WithIndex::Keep };
    let record = session.brain()?.delete_brain_run(name, key, index).await?;
    if session.output.is_json() {
        return Ok(session.output.document(&json!({ "deleted": record, "index_dropped": with_index }))?);
    }
    if with_index && record.config.get("attached").is_some_and(|attached| attached == true) {
        session.output.line(format_args!("the record of run {key} of {name} is deleted"))?;
        return Ok(session.output.hint(format_args!("its index, {}, was made by somebody else and is left as it is", index_of(&record)))?);
    }
    if with_index {
        return Ok(session.output.line(format_args!("run {key} of {name} and its index are deleted"))?);
    }
    session.output.line(format_args!("the record of run {key} of {name} is deleted; its index is left as it is: {}", index_of(&record)))?;
    let Some(index) = record.config_text("index_name") else { return Ok(()) };
    session.output.hint("--with-index drops the index along with the record. To have the run back, attach to the index:")?;
    let attach = format!("brain compute-similarity {name} --brain-key {key} --backend {} --no-embeddings --param index_name={index}", record.method);
    Ok(session.output.hint(format_args!("  {attach}"))?)
}

/// Names the index of a run.
pub(super) fn index_of(record: &RunRecord) -> String {
    match record.config_text("index_name") {
        Some(index) => format!("{index} in {}", record.method),
        None => format!("in {}", record.method),
    }
}
