//! `brain index`: what the backend says of an index, and its end.

use brain::core::View;
use brain::{Attached, Similarity};
use serde_json::{Value, json};

use crate::args::{CleanupArgs, IndexCommand, RunArgs};
use crate::failure::Result;
use crate::session::Session;
use crate::table::Table;

pub(super) async fn run(session: &mut Session<'_>, command: &IndexCommand) -> Result<()> {
    match command {
        IndexCommand::Info(args) => info(session, args).await,
        IndexCommand::Cleanup(args) => cleanup(session, args).await,
    }
}

async fn load(session: &Session<'_>, args: &RunArgs) -> Result<Similarity> {
    Ok(session.brain()?.load_brain_results(&args.name, &args.brain_key).await?)
}

async fn info(session: &mut Session<'_>, args: &RunArgs) -> Result<()> {
    let similarity = load(session, args).await?;
    let info = similarity.info().await?;
    let missing = similarity.missing(&similarity.record().view.clone().unwrap_or_else(View::new)).await?.len();
    let output = &mut session.output;
    let spec = similarity.index().map(|index| index.spec());
    if output.is_json() {
        return Ok(output.document(&json!({
            "dataset": args.name, "brain_key": args.brain_key, "backend": similarity.record().method,
            "index": spec, "items": info.items, "bytes": info.bytes, "missing": missing, "details": info.details,
        }))?);
    }
    let mut table = Table::new().text("index").text("value");
    table.row(["backend", &similarity.record().method]);
    if let Some(spec) = spec {
        table.row(["name", &spec.name]);
        table.row(["dimension", &spec.dimension.to_string()]);
        table.row(["metric", spec.metric.as_str()]);
    }
    table.row(["items", &info.items.to_string()]);
    table.row(["items of the run that are missing", &missing.to_string()]);
    if let Some(bytes) = info.bytes {
        table.row(["bytes", &bytes.to_string()]);
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for (name, value) in &info.details {
        match value {
            Value::Object(parts) => parts.iter().for_each(|(part, value)| table.row([&format!("{name} {part}"), &text(value)])),
            value => table.row([name, &text(value)]),
        }
    }
    Ok(output.table(&table)?)
}

async fn cleanup(session: &mut Session<'_>, CleanupArgs { run: args, attached }: &CleanupArgs) -> Result<()> {
    let attached = if *attached { Attached::Drop } else { Attached::Keep };
    let dropped = session.brain()?.cleanup_index(&args.name, &args.brain_key, attached).await?;
    let output = &mut session.output;
    if output.is_json() {
        return Ok(output.document(&json!({ "dataset": args.name, "brain_key": args.brain_key, "dropped": dropped }))?);
    }
    let (name, key) = (&args.name, &args.brain_key);
    if dropped {
        output.line(format_args!("the index of run {key} of {name} is dropped; the run's record stays"))?;
    } else {
        output.line(format_args!("run {key} of {name} had no index"))?;
    }
    Ok(output.hint(format_args!("to delete the record too: brain runs delete {name} {key}"))?)
}
