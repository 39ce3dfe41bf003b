//! Who runs the servers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who runs the servers of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Provider {
    /// A container engine, with the official images.
    Docker,
    /// Programs of this machine, from pinned packages.
    Native,
    /// Somebody else: the environment says where they are.
    External,
}

/// What may be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Docker where an engine answers, else native.
    #[default]
    Auto,
    Only(Provider),
}

impl Choice {
    pub(crate) const NAMES: &str = "auto, docker, native or external";

    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "docker" => Some(Self::Only(Provider::Docker)),
            "native" => Some(Self::Only(Provider::Native)),
            "external" => Some(Self::Only(Provider::External)),
            _ => None,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "docker",
            Self::Native => "native",
            Self::External => "external",
        })
    }
}
