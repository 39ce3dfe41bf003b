//! `brain backends`: what is built in, what it can do, and whether it answers.

use serde_json::json;

use crate::failure::Result;
use crate::session::Session;
use crate::table::Table;

pub(super) async fn run(session: &mut Session<'_>) -> Result<()> {
    let brain = session.brain()?;
    let default = brain.config().default_backend();
    let mut documents = Vec::new();
    let mut table = Table::new().text("backend").text("metrics").text("search").text("attach").text("state");
    for backend in brain.backends().iter() {
        let (name, capabilities) = (backend.name(), backend.capabilities());
        let health = backend.health().await;
        let state = match &health {
            Ok(health) => format!("ready: {}", health.detail),
            Err(error) => format!("not ready: {error}"),
        };
        let (detail, error) = match health {
            Ok(health) => (Some(health.detail), None),
            Err(error) => (None, Some(json!({ "kind": error.kind().as_str(), "message": error.message(), "hint": error.hint() }))),
        };
        let metrics: Vec<&str> = capabilities.metrics.iter().map(|metric| metric.as_str()).collect();
        table.row([
            if name == default { format!("{name} (default)") } else { name.to_owned() },
            metrics.join(" "),
            if capabilities.approximate { "approximate or exact" } else { "exact" }.to_owned(),
            if capabilities.attach { "yes" } else { "no" }.to_owned(),
            state,
        ]);
        documents.push(json!({
            "name": name, "default": name == default, "capabilities": capabilities,
            "ready": error.is_none(), "detail": detail, "error": error,
        }));
    }
    if session.output.is_json() { Ok(session.output.document(&documents)?) } else { Ok(session.output.table(&table)?) }
}
