//! `brain dataset import`

use brain::dataset::ImportReport;
use brain::{Brain, ImportedDataset};
use serde_json::json;

use crate::args::ImportArgs;
use crate::failure::Result;
use crate::output::Output;
use crate::plural::counted;
use crate::session::Session;

/// How many bad records are shown, unless more is to be said.
const SHOWN: usize = 10;

pub(super) async fn run(session: &mut Session<'_>, brain: &Brain, args: &ImportArgs) -> Result<()> {
    let ImportedDataset { format, report, runs } = brain.import_dataset(&args.name, &args.path, args.format, args.options()).await?;
    let output = &mut session.output;
    if output.is_json() {
        return Ok(output.document(&json!({ "dataset": args.name, "format": format.as_str(), "report": report, "runs": runs }))?);
    }
    let mut counts = counted(report.added, "sample", "samples");
    if report.skipped > 0 {
        counts += &format!(", {} there already", report.skipped);
    }
    if report.bad > 0 {
        counts += &format!(", {} left out", counted(report.bad, "bad record", "bad records"));
    }
    output.line(format_args!("imported {} as {format}: {counts}", args.name))?;
    bad_records(output, &report)?;
    for run in &runs {
        match &run.note {
            None => output.line(format_args!("run {} is attached to its index in {}", run.key, run.method))?,
            Some(note) => output.line(format_args!("run {} ({}) came along: {note}", run.key, run.method))?,
        }
    }
    Ok(output.hint(format_args!("next: brain compute-similarity {} --brain-key img_sim", args.name))?)
}

fn bad_records(output: &mut Output, report: &ImportReport) -> Result<()> {
    let shown = if output.is_verbose() { report.bad_records.len() } else { SHOWN };
    for bad in report.bad_records.iter().take(shown) {
        output.line(format_args!("  {}", bad.message))?;
    }
    let more = report.bad.saturating_sub(report.bad_records.len().min(shown) as u64);
    if more > 0 {
        output.line(format_args!("  and {more} more"))?;
    }
    Ok(())
}
