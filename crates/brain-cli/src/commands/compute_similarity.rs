//! `brain compute-similarity`

use std::time::Instant;

use brain::core::ItemKind;
use brain::{ComputePlan, Computed};
use serde_json::json;

use crate::args::ComputeArgs;
use crate::failed_items;
use crate::failure::Result;
use crate::output::Output;
use crate::plural;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>, args: &ComputeArgs) -> Result<()> {
    let brain = args.runtime.of(session.brain()?);
    let compute = args.build(&brain)?;
    if args.dry_run {
        let plan = compute.plan().await?;
        return if session.output.is_json() { Ok(session.output.document(&plan)?) } else { print_plan(&mut session.output, &plan) };
    }
    let started = Instant::now();
    let computed = compute.run().await?;
    print_computed(&mut session.output, &computed, started.elapsed().as_secs_f64())
}

fn print_plan(output: &mut Output, plan: &ComputePlan) -> Result<()> {
    let dimension = plan.dimension.map_or_else(|| "not known yet".to_owned(), |dimension| dimension.to_string());
    output.line(format_args!("nothing was written; this is what would be done for run {} of {}:", plan.brain_key, plan.dataset))?;
    output.line(format_args!("backend    {}", plan.backend))?;
    output.line(format_args!("metric     {}", plan.metric))?;
    output.line(format_args!("dimension  {dimension}"))?;
    output.line(format_args!("vectors    {}", plan.source))?;
    output.line(format_args!("items      {}", plural::items(plan.items, plan.total)))?;
    if plan.done > 0 {
        output.line(format_args!("done       {} of them, by an interrupted run", plan.done))?;
    }
    Ok(())
}

fn print_computed(output: &mut Output, computed: &Computed, seconds: f64) -> Result<()> {
    let Computed { record, report, done_before, failures, without_vector } = computed;
    let worked = report.added + report.replaced;
    let per_second = if seconds > 0.0 { worked as f64 / seconds } else { 0.0 };
    if output.is_json() {
        return Ok(output.document(&json!({
            "run": record, "report": report, "done_before": done_before, "failures": failures, "without_vector": without_vector,
            "seconds": seconds, "per_second": per_second,
        }))?);
    }
    let (name, key) = (&record.dataset, &record.key);
    let index = record.config_text("index_name").unwrap_or_default();
    let kind = if record.config_text("patches_field").is_some() { ItemKind::Patches } else { ItemKind::Samples };
    let indexed = plural::items(kind, worked);
    output.line(format_args!("indexed {indexed} of {name} under {key} in {seconds:.1} s ({per_second:.0} a second)"))?;
    if *done_before > 0 {
        output.line(format_args!("{done_before} were indexed before, by the interrupted run"))?;
    }
    if *without_vector > 0 {
        output.line(format_args!("{without_vector} had no vector in the field"))?;
    }
    failed_items::print(output, failures)?;
    if record.counts.contains_key("indexed") {
        output.line(format_args!("index {index} in {}", record.method))?;
    } else {
        output.line(format_args!("index {index} in {}: there is none of this name yet; it is made with the first vectors", record.method))?;
    }
    let next = match record.counts.get("indexed") {
        None | Some(0) => format!("add-to-index {name} --brain-key {key} --embeddings FILE.npy --ids FILE"),
        Some(_) => format!("sort-by-similarity {name} --brain-key {key} --id ID -k 10"),
    };
    Ok(output.hint(format_args!("next: brain {next}"))?)
}
