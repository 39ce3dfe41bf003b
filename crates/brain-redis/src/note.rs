//! What this library keeps about an index that it made, beside it in the server: what its items are, how many vectors were acknowledged, and how hard a
//! search has to look.

use brain_core::search::Calibration;
use brain_core::{Error, ItemKind, Metric, Result};
use fred::clients::Client;
use serde::{Deserialize, Serialize};

use crate::command::{Command, send};
use crate::{error, keys, reply};

/// The fields of the note's hash.
pub(crate) const ABOUT: &str = "about";
pub(crate) const ROWS: &str = "rows";
pub(crate) const EXTREME: &str = "extreme";
pub(crate) const CALIBRATION: &str = "calibration";

/// What an index of this library is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct About {
    /// The version of the note.
    pub(crate) brain: u32,
    pub(crate) metric: Metric,
    pub(crate) items: ItemKind,
}

/// The note about an index.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) about: About,
    /// Whether it holds a vector that the server's arithmetic in single precision cannot compare.
    pub(crate) extreme: bool,
    pub(crate) calibration: Option<Calibration>,
}

/// Reads the note about the index `name`; `None` where there is none.
///
/// # Errors
/// [`Corrupt`](brain_core::ErrorKind::Corrupt) for one that cannot be read.
pub(crate) async fn find(client: &Client, name: &str) -> Result<Option<Note>> {
    let answer = send(client, Command::new("HGETALL").arg(keys::note(name))).await;
    let answer = reply::map(answer.map_err(|failure| error::of(failure, &format!("read what the index {name} is")))?);
    let Some(about) = answer.text(ABOUT) else { return Ok(None) };
    let unreadable = |source: serde_json::Error| {
        Error::corrupt(format!("the note about the index {name}, at the key {:?}, cannot be read", keys::note(name))).with_source(source)
    };
    Ok(Some(Note {
        about: serde_json::from_str(&about).map_err(unreadable)?,
        extreme: answer.text(EXTREME).is_some(),
        calibration: answer.text(CALIBRATION).map(|text| serde_json::from_str(&text)).transpose().map_err(unreadable)?,
    }))
}

/// A note's part as text.
pub(crate) fn text(part: &impl Serialize) -> Result<String> {
    serde_json::to_string(part).map_err(|source| Error::unexpected("a note does not serialise").with_source(source))
}
