//! Configuration: arguments over environment over file over defaults, and where each value came from.
//!
//! | source, highest first | how it is named |
//! |---|---|
//! | arguments of the call | `--param key=value`, `--home`, `--config` |
//! | environment | [`variables`] |
//! | JSON file | `$FIFTYONE_BRAIN_CONFIG_PATH`, else `~/.fiftyone/brain_config.json` |
//! | built-in default | what each [`Parameter`] declares |
//!
//! A backend declares its parameters once, as a [`BackendDeclaration`]; a value is read by its parameter's type wherever it comes from, so a
//! password of digits stays a text. FiftyOne keeps one file for everything: sections and variables of things that are not here are left alone,
//! and [`Config::check`] lists them.
//!
//! ```
//! use brain_core::config::{BackendDeclaration, Config, Environment, Parameter, ParameterKind, Sources};
//! const LOCAL: BackendDeclaration = BackendDeclaration {
//!     name: "local",
//!     aliases: &["sklearn"],
//!     parameters: &[Parameter { name: "metric", kind: ParameterKind::Choice(&["cosine", "l1"]), default: Some("cosine"), about: "…" }],
//! };
//! let environment = Environment::from_iter([("FIFTYONE_BRAIN_SIMILARITY_LOCAL_METRIC", "l1")]);
//! let config = Config::load(&Sources { file: None, home: Some("data".into()), environment }, &[LOCAL])?;
//! let parameters = config.parameters("local", &[])?;
//! assert_eq!(parameters.text("metric"), Some("l1"));
//! assert_eq!(parameters.origin("metric"), Some("environment variable FIFTYONE_BRAIN_SIMILARITY_LOCAL_METRIC"));
//! # Ok::<(), brain_core::Error>(())
//! ```

mod check;
mod parameter;
mod resolve;
mod secret;
mod source;
pub mod variables;

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::value::Value;

use crate::{Error, Result};

pub use check::{LeftAlone, Setting};
pub use parameter::{BackendDeclaration, Parameter, ParameterKind, ParameterValue};
pub use resolve::ResolvedParameters;
pub use secret::Secret;
pub use source::{Environment, Sources};

/// The name of the section of backends in the file.
const BACKENDS: &str = "similarity_backends";
/// The name of the default backend's key in the file.
const DEFAULT_BACKEND: &str = "default_similarity_backend";

/// The configuration of one session: loaded once, asked often.
#[derive(Clone)]
pub struct Config {
    figment: Figment,
    environment: Environment,
    /// Where the file would be, and whether it is there.
    file: Option<(PathBuf, bool)>,
    declared: Vec<BackendDeclaration>,
    exposed: Vec<&'static str>,
    home: PathBuf,
    default_backend: &'static str,
}

impl Config {
    /// Reads the sources. `declared` are the backends that are built in, the default one first.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) naming key and place; [`NotFound`](crate::ErrorKind::NotFound) for a file that was named and is not there.
    pub fn load(sources: &Sources, declared: &[BackendDeclaration]) -> Result<Self> {
        let file = source::file(sources)?;
        let figment = source::figment(sources, file.as_ref(), declared)?;
        let home = source::home(sources)?;
        let exposed = exposed(&figment, declared)?;
        let mut config =
            Self { figment, environment: sources.environment.clone(), file, declared: declared.to_vec(), exposed, home, default_backend: "" };
        config.default_backend = config.find_default()?;
        // What is wrong is said when the program starts, not when the parameter is first used.
        for backend in config.exposed.clone() {
            config.parameters(backend, &[])?;
        }
        Ok(config)
    }

    /// Where the embedded data lives.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The backend of a run that names none.
    pub fn default_backend(&self) -> &'static str {
        self.default_backend
    }

    /// The backends that are built in and exposed.
    pub fn exposed(&self) -> &[&'static str] {
        &self.exposed
    }

    /// The canonical name of an exposed backend.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) for any other, listing those that are; `origin` says who asked.
    pub fn backend_name(&self, asked: &str, origin: &str) -> Result<&'static str> {
        let exposed = || self.exposed.join(", ");
        match self.declared.iter().find(|declaration| declaration.is_called(asked)) {
            Some(declaration) if self.exposed.contains(&declaration.name) => Ok(declaration.name),
            Some(declaration) => Err(Error::config(format!("the backend {} ({origin}) is not exposed here", declaration.name)).with_hint(format!(
                "{} exposes {}",
                variables::BACKENDS,
                exposed()
            ))),
            None => Err(Error::config(format!("{asked:?} ({origin}) is no backend of this build")).with_hint(format!("built in: {}", exposed()))),
        }
    }

    fn find_default(&self) -> Result<&'static str> {
        let Some((value, origin)) = self.value(DEFAULT_BACKEND) else {
            return self.exposed.first().copied().ok_or_else(|| {
                Error::config(format!("{} exposes no backend that is built in", variables::BACKENDS)).with_hint("put * in it for the built-in ones")
            });
        };
        match value.as_str() {
            Some(name) => self.backend_name(name, &format!("{DEFAULT_BACKEND} from {origin}")),
            None => Err(resolve::wrong_type(DEFAULT_BACKEND, &origin, "the name of a backend", &value)),
        }
    }

    /// The value of a key and where it came from.
    fn value(&self, key: &str) -> Option<(Value, String)> {
        let value = self.figment.find_value(key).ok()?;
        let origin = self.figment.get_metadata(value.tag()).map_or_else(|| source::DEFAULT.to_owned(), source::origin);
        Some((value, origin))
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The figment holds credentials as it read them.
        f.debug_struct("Config").field("home", &self.home).field("file", &self.file).field("exposed", &self.exposed).finish_non_exhaustive()
    }
}

fn exposed(figment: &Figment, declared: &[BackendDeclaration]) -> Result<Vec<&'static str>> {
    let built_in = || declared.iter().map(|declaration| declaration.name);
    let Ok(value) = figment.find_value("exposed_backends") else {
        return Ok(built_in().collect());
    };
    let list = value.as_str().unwrap_or_default();
    let names: Vec<&str> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.contains(&"*") {
        return Ok(built_in().collect());
    }
    Ok(declared.iter().filter(|declaration| names.iter().any(|name| declaration.is_called(name))).map(|declaration| declaration.name).collect())
}

#[cfg(test)]
mod tests;
