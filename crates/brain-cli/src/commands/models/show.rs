//! What is known of models, for people and for programs.

use brain::brain_models::zoo::ModelFile;
use brain::brain_models::{FetchedFile, Manifest, ModelInfo, ModelState, Removed, Runtime, SumOrigin, Verified};
use serde_json::{Value, json};

use crate::failure::Result;
use crate::output::Output;
use crate::table::Table;

pub(super) fn list(output: &mut Output, models: &[ModelInfo]) -> Result<()> {
    if output.is_json() {
        return Ok(output.document(&models.iter().map(document).collect::<Vec<_>>())?);
    }
    let mut table = Table::new().text("model").number("dimension").text("embeds").text("files").text("description");
    for model in models {
        let Manifest { name, dimension, description, .. } = &model.manifest;
        table.row([name.as_str(), &dimension.to_string(), embeds(&model.manifest).join(" and ").as_str(), state(model), description.as_str()]);
    }
    Ok(output.table(&table)?)
}

pub(super) fn info(output: &mut Output, model: &ModelInfo, runtime: &Runtime) -> Result<()> {
    if output.is_json() {
        let mut document = document(model);
        document["runtime"] = json!(runtime.to_string());
        return Ok(output.document(&document)?);
    }
    let manifest = &model.manifest;
    output.heading(&manifest.name)?;
    if !manifest.description.is_empty() {
        output.line(&manifest.description)?;
    }
    if !manifest.aliases.is_empty() {
        output.line(format_args!("also       {}", manifest.aliases.join(", ")))?;
    }
    output.line(format_args!("embeds     {}, into vectors of {} numbers", embeds(manifest).join(" and "), manifest.dimension))?;
    if let Some(image) = &manifest.image {
        output.line(format_args!("looks at   {0} by {0} pixels, {1} of the {2}", image.size, image.crop, resized(manifest)))?;
    }
    if let Some(text) = &manifest.text {
        output.line(format_args!("reads      up to {} tokens", text.tokenizer.context))?;
    }
    // What was chosen; what it then is, version and device, is known once it runs.
    output.line(format_args!("run by     {runtime}"))?;
    for ModelFile { name, bytes, sha256 } in &model.files {
        let sum = sha256.as_ref().map_or_else(String::new, |sum| format!(", sha256 {sum}"));
        output.line(format_args!("file       {name}, {}{sum}", megabytes(*bytes)))?;
    }
    if let ModelState::Missing(files) = &model.state {
        for file in files {
            output.line(format_args!("missing    {}, from {}", file.name, file.from.as_deref().unwrap_or("its maker")))?;
        }
    }
    if let Some(folder) = &model.folder {
        output.line(format_args!("folder     {}", folder.display()))?;
    }
    let variants: Vec<String> = manifest.variants.keys().map(|variant| format!("{}-{variant}", manifest.name)).collect();
    for (label, value) in [("variants", variants.join(", ")), ("licence", manifest.licence.clone()), ("source", manifest.source.clone())] {
        if !value.is_empty() {
            output.line(format_args!("{label:<10} {value}"))?;
        }
    }
    if matches!(model.state, ModelState::Missing(_)) && !model.added {
        output.hint(format_args!("next: brain models pull {}", manifest.name))?;
    }
    Ok(())
}

pub(super) fn pulled(output: &mut Output, model: &ModelInfo, fetched: &[FetchedFile]) -> Result<()> {
    if output.is_json() {
        let files: Vec<Value> = fetched.iter().map(|file| sum(&file.name, file.bytes, &file.sha256, file.checked)).collect();
        return Ok(output.document(&json!({ "model": document(model), "fetched": files }))?);
    }
    for file in fetched {
        output.line(format_args!("fetched {}, {}, sha256 {} ({})", file.name, megabytes(file.bytes), file.sha256, who(file.checked)))?;
    }
    output.line(format_args!("the model {} is ready", model.manifest.name))?;
    next(output, &model.manifest)
}

pub(super) fn added(output: &mut Output, model: &ModelInfo) -> Result<()> {
    if output.is_json() {
        return Ok(output.document(&document(model))?);
    }
    output.line(format_args!("the model {} is ready; its files stay where they are", model.manifest.name))?;
    next(output, &model.manifest)
}

pub(super) fn verified(output: &mut Output, model: &ModelInfo, verified: &Verified) -> Result<()> {
    let Verified { files, fingerprint, runtime, image_ms, text_ms, .. } = verified;
    if output.is_json() {
        let files: Vec<Value> = files.iter().map(|file| sum(&file.name, file.bytes, &file.sha256, file.checked)).collect();
        return Ok(output.document(&json!({
            "model": model.manifest.name, "files": files, "fingerprint": fingerprint, "runtime": runtime, "image_ms": image_ms, "text_ms": text_ms,
        }))?);
    }
    for file in files {
        output.line(format_args!("right: {}, sha256 {} ({})", file.name, file.sha256, who(file.checked)))?;
    }
    for (what, ms) in [("a picture", image_ms), ("a sentence", text_ms)] {
        if let Some(ms) = ms {
            output.line(format_args!("ran:   {what} in {ms:.1} ms, by {runtime}"))?;
        }
    }
    Ok(output.line(format_args!("the model {} is as it must be; fingerprint {fingerprint}", model.manifest.name))?)
}

pub(super) fn removed(output: &mut Output, removed: &Removed) -> Result<()> {
    let Removed { name, added, bytes, left_at, .. } = removed;
    if output.is_json() {
        return Ok(output.document(&json!({ "removed": name, "bytes": bytes, "left_at": left_at }))?);
    }
    match left_at {
        Some(folder) => output.line(format_args!("the model {name} is removed; its files stay in {}", folder.display()))?,
        None => output.line(format_args!("the model {name} is removed: {} are deleted", megabytes(*bytes)))?,
    }
    match (added, left_at) {
        (false, _) => output.hint(format_args!("to have it again: brain models pull {name}"))?,
        (true, Some(folder)) => output.hint(format_args!("to have it again: brain models add {}", folder.display()))?,
        (true, None) => {}
    }
    Ok(())
}

fn next(output: &mut Output, manifest: &Manifest) -> Result<()> {
    Ok(output.hint(format_args!("next: brain compute-similarity NAME --brain-key KEY --model {}", manifest.name))?)
}

fn embeds(manifest: &Manifest) -> Vec<&'static str> {
    let known = [(manifest.image.is_some(), "photos"), (manifest.text.is_some(), "text")];
    known.into_iter().filter(|(can, _)| *can).map(|(_, name)| name).collect()
}

fn resized(manifest: &Manifest) -> &'static str {
    use brain::brain_models::manifest::Resize;
    match manifest.image.as_ref().map(|image| image.resize) {
        Some(Resize::Squash) => "squashed picture",
        _ => "short side",
    }
}

fn state(model: &ModelInfo) -> &'static str {
    match model.state {
        ModelState::BuiltIn => "built in",
        ModelState::Ready => "here",
        ModelState::Missing(_) => "to pull",
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Who vouches for a sum, in words.
fn who(origin: SumOrigin) -> &'static str {
    match origin {
        SumOrigin::Manifest => "as its manifest says",
        SumOrigin::Hub => "as the hub says",
        SumOrigin::Seen => "as first seen: nobody says what it must be",
    }
}

fn sum(name: &str, bytes: u64, sha256: &str, checked: SumOrigin) -> Value {
    json!({ "name": name, "bytes": bytes, "sha256": sha256, "checked": checked })
}

fn document(model: &ModelInfo) -> Value {
    let ModelInfo { manifest, folder, added, files, .. } = model;
    let missing: Vec<Value> = match &model.state {
        ModelState::Missing(files) => files.iter().map(|file| json!({ "name": file.name, "from": file.from })).collect(),
        _ => Vec::new(),
    };
    let files: Vec<Value> = files.iter().map(|file| json!({ "name": file.name, "bytes": file.bytes, "sha256": file.sha256 })).collect();
    json!({
        "name": manifest.name, "aliases": manifest.aliases, "description": manifest.description, "dimension": manifest.dimension,
        "images": manifest.image.is_some(), "text": manifest.text.is_some(), "licence": manifest.licence, "source": manifest.source,
        "state": state(model), "added": added, "folder": folder, "files": files, "missing": missing,
        "variants": manifest.variants.keys().map(|variant| format!("{}-{variant}", manifest.name)).collect::<Vec<_>>(),
        "manifest": manifest,
    })
}
