//! `metadata.json`: the dataset's own document.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use brain_core::{Error, Result, timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The name of the dataset's document inside an export.
pub(super) const METADATA: &str = "metadata.json";

/// The name of the samples' file inside an export.
pub(super) const SAMPLES: &str = "samples.json";

/// What an import needs of the dataset's document; the rest is passed over.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) media_type: Option<String>,
    #[serde(default)]
    pub(super) brain_methods: Option<Map<String, Value>>,
}

impl Metadata {
    /// Reads `folder/metadata.json`.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(METADATA);
        const HINT: &str = "give the folder of a FiftyOne export (dataset_type FiftyOneDataset), which holds metadata.json and samples.json";
        if !path.exists() {
            return Err(Error::not_found(format!("{} does not exist", path.display())).with_hint(HINT));
        }
        let file = File::open(&path).map_err(|source| Error::io("read", &path, source))?;
        serde_json::from_reader(BufReader::new(file)).map_err(|error| {
            if error.is_io() {
                return Error::io("read", &path, error.into());
            }
            let (line, column) = (error.line(), error.column());
            Error::invalid(format!("{}:{line}:{column}: this is not a dataset's document: {error}", path.display())).with_hint(HINT)
        })
    }
}

/// An instant as extended JSON spells it, `{"$date": …}`, in RFC 3339; `None` when it is none.
pub(super) fn date(value: &Value) -> Option<String> {
    match value.get("$date")? {
        Value::String(text) => Some(text.clone()),
        Value::Number(milliseconds) => milliseconds.as_i64().map(timestamp::rfc3339),
        long => long.get("$numberLong")?.as_str()?.parse().ok().map(timestamp::rfc3339),
    }
}
