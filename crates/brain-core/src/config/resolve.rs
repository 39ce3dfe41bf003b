//! The parameters of one backend, each with its value and its origin.

use std::collections::BTreeMap;

use figment::value::Value;

use super::parameter::{Parameter, ParameterKind};
use super::source::{DEFAULT, is_text};
use super::{BACKENDS, BackendDeclaration, Config, ParameterValue, Secret};
use crate::{Error, Parameters, Result};

/// The parameters of one backend after all sources were laid over each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedParameters {
    values: BTreeMap<&'static str, (ParameterValue, String)>,
}

impl ResolvedParameters {
    /// A parameter's value; `None` where it has none.
    pub fn get(&self, name: &str) -> Option<&ParameterValue> {
        self.values.get(name).map(|(value, _)| value)
    }

    /// A text parameter's value.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(ParameterValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A whole-number parameter's value.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(ParameterValue::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// Where a parameter's value came from.
    pub fn origin(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(_, origin)| origin.as_str())
    }

    /// Whether a parameter has its built-in default, or nothing: nobody asked for a value.
    pub fn is_default(&self, name: &str) -> bool {
        self.origin(name).is_none_or(|origin| origin == DEFAULT)
    }

    /// Name, value and origin of each parameter that has a value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &ParameterValue, &str)> {
        self.values.iter().map(|(name, (value, origin))| (*name, value, origin.as_str()))
    }

    /// What may be stored with an index: everything but the credentials.
    pub fn to_stored(&self) -> Parameters {
        let stored = |value: &ParameterValue| match value {
            ParameterValue::Text(text) => Some(text.as_str().into()),
            ParameterValue::Integer(number) => Some((*number).into()),
            ParameterValue::Bool(flag) => Some((*flag).into()),
            ParameterValue::Secret(_) => None,
        };
        self.values.iter().filter_map(|(name, (value, _))| Some(((*name).to_owned(), stored(value)?))).collect()
    }
}

impl Config {
    /// The parameters of an exposed backend; `arguments` (name and text) come first.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) for an unknown parameter or a value of a wrong type, naming key and place.
    pub fn parameters(&self, backend: &str, arguments: &[(String, String)]) -> Result<ResolvedParameters> {
        let name = self.backend_name(backend, "asked for")?;
        let mut values = BTreeMap::new();
        let Some(declaration) = self.declared.iter().find(|declaration| declaration.name == name) else {
            return Ok(ResolvedParameters::default());
        };
        for parameter in declaration.parameters {
            if let Some(value) = parameter.default.and_then(|default| parameter.kind.parse(default)) {
                values.insert(parameter.name, (value, DEFAULT.to_owned()));
            }
        }
        for section in declaration.names() {
            self.section(declaration, section, &mut values)?;
        }
        for (key, text) in arguments {
            let origin = format!("argument --param {key}");
            let parameter = known(declaration, key, &origin)?;
            values.insert(parameter.name, (read_text(parameter, key, &origin, text)?, origin));
        }
        Ok(ResolvedParameters { values })
    }

    fn section(&self, declaration: &BackendDeclaration, section: &str, values: &mut BTreeMap<&'static str, (ParameterValue, String)>) -> Result<()> {
        let key = format!("{BACKENDS}.{section}");
        let Some((value, origin)) = self.value(&key) else { return Ok(()) };
        let Some(dict) = value.as_dict() else {
            return Err(wrong_type(&key, &origin, "a JSON object of parameters", &value));
        };
        for name in dict.keys() {
            let key = format!("{key}.{name}");
            let Some((value, origin)) = self.value(&key) else { continue };
            // `config_cls` names the Python class that reads the section in FiftyOne.
            if name == "config_cls" {
                continue;
            }
            let parameter = known(declaration, name, &format!("{key} in {origin}"))?;
            if matches!(value, Value::Empty(..)) {
                continue;
            }
            let read = match &value {
                Value::String(_, text) if is_text(&origin) => read_text(parameter, &key, &origin, text)?,
                other => read_value(parameter, &key, &origin, other)?,
            };
            values.insert(parameter.name, (read, origin));
        }
        Ok(())
    }
}

fn known(declaration: &BackendDeclaration, name: &str, place: &str) -> Result<&'static Parameter> {
    declaration.parameter(name).ok_or_else(|| {
        let names: Vec<_> = declaration.parameters.iter().map(|parameter| parameter.name).collect();
        Error::config(format!("the backend {} has no parameter {name:?} ({place})", declaration.name))
            .with_hint(format!("its parameters are {}", names.join(", ")))
    })
}

fn read_text(parameter: &Parameter, key: &str, origin: &str, text: &str) -> Result<ParameterValue> {
    parameter.kind.parse(text).ok_or_else(|| {
        let found = if parameter.kind == ParameterKind::Secret { "[redacted]".to_owned() } else { format!("{text:?}") };
        Error::config(format!("{key} from {origin} must be {}, not {found}", parameter.kind))
    })
}

/// A value of a file has a type of its own, which must be the parameter's.
fn read_value(parameter: &Parameter, key: &str, origin: &str, value: &Value) -> Result<ParameterValue> {
    let read = match (parameter.kind, value) {
        (ParameterKind::Secret, Value::String(_, text)) => Some(ParameterValue::Secret(Secret::new(text))),
        (ParameterKind::Text | ParameterKind::Choice(_), Value::String(_, text)) => parameter.kind.parse(text),
        (ParameterKind::Bool, Value::Bool(_, flag)) => Some(ParameterValue::Bool(*flag)),
        (ParameterKind::Integer, Value::Num(_, number)) => {
            number.to_i128().or_else(|| number.to_u128().and_then(|n| n.try_into().ok())).and_then(|n| n.try_into().ok()).map(ParameterValue::Integer)
        }
        _ => None,
    };
    read.ok_or_else(|| {
        if parameter.kind == ParameterKind::Secret {
            return Error::config(format!("{key} from {origin} must be a text")).with_hint("put it in quotes");
        }
        wrong_type(key, origin, &parameter.kind.to_string(), value)
    })
}

pub(super) fn wrong_type(key: &str, origin: &str, expected: &str, value: &Value) -> Error {
    let found = match value {
        Value::String(_, text) => format!("the text {text:?}"),
        Value::Bool(_, flag) => format!("{flag}"),
        Value::Num(_, number) => match (number.to_i128(), number.to_f64()) {
            (Some(whole), _) => format!("the number {whole}"),
            (None, Some(number)) => format!("the number {number}"),
            _ => "a number".to_owned(),
        },
        Value::Array(..) => "a list".to_owned(),
        Value::Dict(..) => "an object".to_owned(),
        Value::Empty(..) | Value::Char(..) => "something else".to_owned(),
    };
    Error::config(format!("{key} from {origin} must be {expected}, not {found}"))
}
