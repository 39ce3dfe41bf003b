//! `brain models`: the models of this build.

use crate::args::ModelsCommand;
use crate::failure::Result;
use crate::session::Session;

#[cfg(not(feature = "models"))]
pub(super) fn run(_session: &mut Session<'_>, _command: &ModelsCommand) -> Result<()> {
    Err(super::needs_models("listing models").into())
}

#[cfg(feature = "models")]
pub(super) fn run(session: &mut Session<'_>, command: &ModelsCommand) -> Result<()> {
    match command {
        ModelsCommand::List => list(session),
        ModelsCommand::Info { model } => info(session, model),
    }
}

#[cfg(feature = "models")]
fn list(session: &mut Session<'_>) -> Result<()> {
    let models = brain::brain_models::zoo::list();
    if session.output.is_json() {
        return Ok(session.output.document(&models.iter().map(document).collect::<Vec<_>>())?);
    }
    let mut table = crate::table::Table::new().text("model").number("dimension").text("embeds").text("description");
    for model in models {
        table.row([model.name, &model.dimension.to_string(), modalities(model).join(" and ").as_str(), model.description]);
    }
    Ok(session.output.table(&table)?)
}

#[cfg(feature = "models")]
fn info(session: &mut Session<'_>, name: &str) -> Result<()> {
    let model = brain::brain_models::zoo::info(name)?;
    if session.output.is_json() {
        return Ok(session.output.document(&document(model))?);
    }
    let output = &mut session.output;
    output.heading(model.name)?;
    output.line(model.description)?;
    output.line(format_args!("embeds     {}, into vectors of {} numbers", modalities(model).join(" and "), model.dimension))?;
    output.line(format_args!("looks at   {0} by {0} pixels, {1} of the short side", model.image_size, model.crop))?;
    output.line(format_args!("weights    {:.1} MB, sha256 {}", model.weight_bytes as f64 / 1e6, model.sha256))?;
    output.line(format_args!("licence    {}", model.licence))?;
    Ok(output.line(format_args!("source     {}", model.source))?)
}

#[cfg(feature = "models")]
fn modalities(model: &brain::brain_models::zoo::ModelInfo) -> Vec<&'static str> {
    let known = [(model.modalities.images, "photos"), (model.modalities.text, "text")];
    known.into_iter().filter(|(can, _)| *can).map(|(_, name)| name).collect()
}

#[cfg(feature = "models")]
fn document(model: &brain::brain_models::zoo::ModelInfo) -> serde_json::Value {
    serde_json::json!({
        "name": model.name, "description": model.description, "dimension": model.dimension,
        "images": model.modalities.images, "text": model.modalities.text, "licence": model.licence, "source": model.source,
        "image_size": model.image_size, "crop": model.crop, "weight_bytes": model.weight_bytes, "sha256": model.sha256,
    })
}
