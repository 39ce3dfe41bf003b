//! Who runs the servers.

use std::fmt;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::docker;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Docker where an engine answers, else native.
    Auto,
    Only(Provider),
}

/// Names the provider where the command line does not.
const VARIABLE: &str = "BRAIN_SERVICES_PROVIDER";

impl Choice {
    /// What the environment asks for, else [`Choice::Auto`].
    pub(crate) fn from_environment() -> Result<Self> {
        let Ok(name) = std::env::var(VARIABLE) else { return Ok(Self::Auto) };
        Self::named(&name).with_context(|| format!("{VARIABLE} is {}, not {name:?}", Self::NAMES))
    }

    /// Who it will be: docker where nobody says, but only where it answers.
    pub(crate) fn decide(self) -> Result<Provider> {
        match (self, docker::check()) {
            (Self::Only(Provider::Docker), answer) => answer.map(|()| Provider::Docker),
            (Self::Only(provider), _) => Ok(provider),
            (Self::Auto, Ok(())) => Ok(Provider::Docker),
            (Self::Auto, Err(error)) => {
                eprintln!("services: NOT IN DOCKER, but as programs of this machine: {error:#}");
                Ok(Provider::Native)
            }
        }
    }

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
