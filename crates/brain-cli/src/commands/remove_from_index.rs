//! `brain remove-from-index`

use brain::Items;
use brain::core::{Error, enumerate};
use serde_json::json;

use crate::args::RemoveArgs;
use crate::failure::Result;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>, args: &RemoveArgs) -> Result<()> {
    let items = args.items.items()?;
    let (name, key) = (&args.run.name, &args.run.brain_key);
    if items == Items::All {
        return Err(Error::invalid("nothing says which items to remove")
            .with_hint(format!(
                "name them by --id, --sample-id, --ids or view flags; to drop the whole index: brain index cleanup {name} --brain-key {key}"
            ))
            .into());
    }
    let mut similarity = session.brain()?.load_brain_results(name, key).await?;
    let report = similarity.remove_from_index(&items, args.on_missing()).await?;
    let total = similarity.total_index_size().await?;
    let output = &mut session.output;
    if !report.missing.is_empty() {
        output.warn(format_args!("not in the index: {}", enumerate(&report.missing)))?;
    }
    if output.is_json() {
        return Ok(output.document(&json!({ "removed": report.removed, "missing": report.missing, "total": total }))?);
    }
    Ok(output.line(format_args!("{} removed; the index holds {total} now", report.removed))?)
}
