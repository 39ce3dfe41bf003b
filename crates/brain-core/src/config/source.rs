//! Where values come from: file, environment, and how a place is named to a user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::providers::{Format as _, Json};
use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::{BACKENDS, BackendDeclaration, DEFAULT_BACKEND, variables};
use crate::{Error, Result};

/// How a built-in default is named.
pub(super) const DEFAULT: &str = "the built-in default";

/// Environment variables: the process's own, or some made up for a test.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process that concern the library. Values that are not Unicode are passed over.
    pub fn of_process() -> Self {
        let concerns = |name: &str| name.starts_with(variables::PREFIX) || matches!(name, "HOME" | "USERPROFILE");
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| concerns(name))
            .collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn user_folder(&self) -> Option<PathBuf> {
        self.get("HOME").or_else(|| self.get("USERPROFILE")).map(|home| Path::new(home).join(".fiftyone"))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(variables: T) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Where to read the configuration from. The default reads nothing but built-in defaults.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file that was named by an argument, over every other.
    pub file: Option<PathBuf>,
    /// The home that was named by an argument, over every other.
    pub home: Option<PathBuf>,
    /// The environment.
    pub environment: Environment,
}

impl Sources {
    /// The process's environment, and no arguments.
    pub fn of_process() -> Self {
        Self { environment: Environment::of_process(), ..Self::default() }
    }
}

/// The configuration file and whether it is there.
pub(super) fn file(sources: &Sources) -> Result<Option<(PathBuf, bool)>> {
    let named = sources
        .file
        .clone()
        .map(|path| (path, "--config"))
        .or_else(|| sources.environment.get(variables::CONFIG_PATH).map(|path| (path.into(), variables::CONFIG_PATH)));
    if let Some((path, by)) = named {
        if !path.is_file() {
            return Err(Error::not_found(format!("the configuration file {} (named by {by}) is not there", path.display()))
                .with_hint("check the path, or leave it out to use ~/.fiftyone/brain_config.json"));
        }
        return Ok(Some((path, true)));
    }
    Ok(sources.environment.user_folder().map(|folder| folder.join("brain_config.json")).map(|path| {
        let is_there = path.is_file();
        (path, is_there)
    }))
}

/// Where the embedded data lives.
pub(super) fn home(sources: &Sources) -> Result<PathBuf> {
    let environment = &sources.environment;
    sources
        .home
        .clone()
        .or_else(|| environment.get(variables::HOME).map(PathBuf::from))
        .or_else(|| environment.user_folder().map(|folder| folder.join("brain")))
        .ok_or_else(|| {
            Error::config("there is no home for the data: neither HOME nor FIFTYONE_BRAIN_HOME is set").with_hint("name one with --home DIR")
        })
}

/// File below environment. Arguments and defaults are laid over and under it where a backend's parameters are resolved.
pub(super) fn figment(sources: &Sources, file: Option<&(PathBuf, bool)>, declared: &[BackendDeclaration]) -> Result<Figment> {
    let mut figment = Figment::new();
    if let Some((path, true)) = file {
        figment = figment.merge(Json::file_exact(path));
        // Figment reports a broken file at the first extraction; this one is it.
        figment.data().map_err(|source| broken(path, &source))?;
    }
    for (key, name) in [(DEFAULT_BACKEND, variables::DEFAULT_BACKEND), ("exposed_backends", variables::BACKENDS)] {
        if let Some(value) = sources.environment.get(name) {
            figment = figment.merge(Variable { name: name.to_owned(), key: vec![key.to_owned()], value: value.to_owned() });
        }
    }
    for declaration in declared {
        for alias in declaration.names() {
            let prefix = variables::parameter(alias, "");
            for (name, value) in sources.environment.iter().filter(|(name, _)| name.starts_with(&prefix)) {
                let key = vec![BACKENDS.to_owned(), alias.to_owned(), name[prefix.len()..].to_lowercase()];
                figment = figment.merge(Variable { name: name.to_owned(), key, value: value.to_owned() });
            }
        }
    }
    Ok(figment)
}

fn broken(path: &Path, source: &figment::Error) -> Error {
    Error::config(format!("{} is no configuration file: {}", path.display(), source.kind))
        .with_hint("it holds one JSON object: {\"default_similarity_backend\": \"…\", \"similarity_backends\": {…}}")
}

/// One environment variable as a layer, so that figment knows its name. The value stays text: its parameter's type reads it later.
struct Variable {
    name: String,
    key: Vec<String>,
    value: String,
}

const VARIABLE: &str = "environment variable ";

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("{VARIABLE}{}", self.name))
    }

    fn data(&self) -> std::result::Result<Map<Profile, Dict>, figment::Error> {
        let leaf = Value::String(Tag::Default, self.value.clone());
        let value = self.key.iter().rev().fold(leaf, |value, key| Value::Dict(Tag::Default, Dict::from([(key.clone(), value)])));
        Ok(Map::from([(Profile::Default, value.into_dict().unwrap_or_default())]))
    }
}

/// How the place a value came from is named to a user.
pub(super) fn origin(metadata: &Metadata) -> String {
    match metadata.source.as_ref().and_then(figment::Source::file_path) {
        Some(path) => format!("JSON file {}", path.display()),
        None => metadata.name.to_string(),
    }
}

/// Whether a value came from a text source, where the parameter's type has to read it.
pub(super) fn is_text(origin: &str) -> bool {
    origin.starts_with(VARIABLE)
}
