//! `brain add-to-index`

use serde_json::json;

use crate::args::AddArgs;
use crate::failed_items;
use crate::failure::Result;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>, args: &AddArgs) -> Result<()> {
    let brain = args.runtime.of(session.brain()?);
    let mut add = brain.add_to_index(&args.run.name, &args.run.brain_key).await?.on_conflict(args.on_conflict()).skip_failures(!args.stop_on_failure);
    if let Some(embeddings) = args.embeddings() {
        add = add.embeddings(embeddings);
    }
    if args.new {
        add = add.only_new();
    }
    let added = add.run().await?;
    let output = &mut session.output;
    if output.is_json() {
        return Ok(output.document(&json!({ "report": added.report, "failures": added.failures, "total": added.total }))?);
    }
    let report = added.report;
    output.line(format_args!(
        "{} added, {} replaced, {} left as they were; the index holds {} now",
        report.added, report.replaced, report.skipped, added.total
    ))?;
    Ok(failed_items::print(output, &added.failures)?)
}
