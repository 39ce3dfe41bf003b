//! `brain config`: the values in force, and what was left alone.

use serde_json::json;

use crate::args::ConfigCommand;
use crate::failure::Result;
use crate::session::Session;
use crate::table::Table;

pub(super) fn run(session: &mut Session<'_>, command: &ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Show { origin } => show(session, *origin),
        ConfigCommand::Check => check(session),
    }
}

fn show(session: &mut Session<'_>, with_origin: bool) -> Result<()> {
    let settings = session.config()?.settings()?;
    if session.output.is_json() {
        return Ok(session.output.document(&settings)?);
    }
    let mut table = Table::new().text("key").text("value");
    if with_origin {
        table = table.text("origin");
    }
    for setting in settings {
        table.row([setting.key, setting.value, setting.origin]);
    }
    Ok(session.output.table(&table)?)
}

/// A configuration that is wrong has failed to load by now, with the key and the place it came from.
fn check(session: &mut Session<'_>) -> Result<()> {
    let config = session.config()?;
    let left_alone = config.check();
    let file = config.file();
    if session.output.is_json() {
        let file = file.map(|(path, is_there)| json!({ "path": path, "exists": is_there }));
        return Ok(session.output.document(&json!({ "file": file, "left_alone": left_alone }))?);
    }
    match file {
        Some((path, true)) => session.output.line(format_args!("{} reads well", path.display()))?,
        Some((path, false)) => session.output.line(format_args!("there is no file at {}; the defaults and the environment hold", path.display()))?,
        None => session.output.line("there is no configuration file; the defaults and the environment hold")?,
    }
    if left_alone.is_empty() {
        return Ok(());
    }
    session.output.line("left alone, because it means nothing to this program:")?;
    let mut table = Table::new().text("name").text("origin").text("reason");
    for left in left_alone {
        table.row([left.name, left.origin, left.reason]);
    }
    Ok(session.output.table(&table)?)
}
