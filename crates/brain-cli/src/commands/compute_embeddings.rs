//! `brain compute-embeddings`

use std::time::Instant;

use serde_json::json;

use crate::args::ComputeEmbeddingsArgs;
use crate::failed_items;
use crate::failure::Result;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>, args: &ComputeEmbeddingsArgs) -> Result<()> {
    let brain = args.runtime.of(session.brain()?);
    let started = Instant::now();
    let done = args.build(&brain)?.run().await?;
    let seconds = started.elapsed().as_secs_f64();
    let (name, field, output) = (&args.name, &args.embeddings_field, &mut session.output);
    let per_second = if seconds > 0.0 { done.embedded as f64 / seconds } else { 0.0 };
    if output.is_json() {
        return Ok(output.document(&json!({
            "dataset": name, "embeddings_field": field, "model": done.model, "model_fingerprint": done.fingerprint, "dimension": done.dimension,
            "embedded": done.embedded, "skipped": done.skipped, "failures": done.failures, "seconds": seconds, "per_second": per_second,
        }))?);
    }
    let (embedded, model, dimension) = (done.embedded, &done.model, done.dimension);
    output.line(format_args!(
        "embedded {embedded} of {name} into {field} with {model} in {seconds:.1} s ({per_second:.0} a second), {dimension} numbers each"
    ))?;
    if done.skipped > 0 {
        output.line(format_args!("{} had a vector and kept it", done.skipped))?;
    }
    failed_items::print(output, &done.failures)?;
    Ok(output.hint(format_args!("next: brain compute-similarity {name} --brain-key KEY --embeddings-field {field} --model {model}"))?)
}
