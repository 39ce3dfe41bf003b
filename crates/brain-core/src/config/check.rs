//! What is set, and what was left alone.

use figment::Provider as _;
use serde::Serialize;

use super::{BACKENDS, Config, DEFAULT_BACKEND, source, variables};
use crate::Result;

/// One value of the configuration, fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its key, as it would stand in the file.
    pub key: String,
    /// Its value; credentials are redacted.
    pub value: String,
    /// Where it came from.
    pub origin: String,
}

/// A key or a variable that means nothing here and was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftAlone {
    /// The key of the file, or the variable.
    pub name: String,
    /// Where it stands.
    pub origin: String,
    /// Why it means nothing here.
    pub reason: String,
}

impl Config {
    /// Every value in force.
    ///
    /// # Errors
    /// As [`parameters`](Self::parameters).
    pub fn settings(&self) -> Result<Vec<Setting>> {
        let home_origin = match (&self.home, self.environment.get(variables::HOME)) {
            (home, Some(named)) if home.as_os_str() == named => format!("environment variable {}", variables::HOME),
            (home, _) if home.ends_with(".fiftyone/brain") => source::DEFAULT.to_owned(),
            _ => "argument --home".to_owned(),
        };
        let default_origin = self.value(DEFAULT_BACKEND).map_or_else(|| source::DEFAULT.to_owned(), |(_, origin)| origin);
        let mut settings = vec![
            Setting { key: "home".to_owned(), value: self.home.display().to_string(), origin: home_origin },
            Setting { key: DEFAULT_BACKEND.to_owned(), value: self.default_backend.to_owned(), origin: default_origin },
        ];
        for backend in &self.exposed {
            for (name, value, origin) in self.parameters(backend, &[])?.iter() {
                settings.push(Setting { key: format!("{BACKENDS}.{backend}.{name}"), value: value.to_string(), origin: origin.to_owned() });
            }
        }
        Ok(settings)
    }

    /// The file in use, or where it would be; and whether it is there.
    pub fn file(&self) -> Option<(&std::path::Path, bool)> {
        self.file.as_ref().map(|(path, is_there)| (path.as_path(), *is_there))
    }

    /// What FiftyOne may read and this program does not: sections and variables of backends that are not built in, and other settings.
    pub fn check(&self) -> Vec<LeftAlone> {
        let mut left = Vec::new();
        let is_declared = |name: &str| self.declared.iter().any(|declaration| declaration.is_called(name));
        if let Some((path, true)) = &self.file
            && let Ok(data) = self.figment.data()
        {
            let origin = format!("JSON file {}", path.display());
            for (key, value) in data.values().flatten() {
                match (key.as_str(), value.as_dict()) {
                    (BACKENDS, Some(sections)) => {
                        for name in sections.keys().filter(|name| !is_declared(name)) {
                            left.push(LeftAlone {
                                name: format!("{BACKENDS}.{name}"),
                                origin: origin.clone(),
                                reason: "a backend that is not built in".to_owned(),
                            });
                        }
                    }
                    (BACKENDS | DEFAULT_BACKEND | "exposed_backends", _) => {}
                    _ => left.push(LeftAlone { name: key.clone(), origin: origin.clone(), reason: "no setting of this program".to_owned() }),
                }
            }
        }
        let known = [variables::CONFIG_PATH, variables::HOME, variables::DEFAULT_BACKEND, variables::BACKENDS];
        let is_ours = |name: &str| {
            known.contains(&name)
                || self.declared.iter().flat_map(|declaration| declaration.names()).any(|alias| name.starts_with(&variables::parameter(alias, "")))
        };
        for (name, _) in self.environment.iter().filter(|(name, _)| name.starts_with(variables::PREFIX) && !is_ours(name)) {
            left.push(LeftAlone {
                name: name.to_owned(),
                origin: "environment".to_owned(),
                reason: if name.starts_with(variables::PARAMETER_PREFIX) {
                    "a backend that is not built in".to_owned()
                } else {
                    "no setting of this program".to_owned()
                },
            });
        }
        left
    }
}
