//! What a backend says of its own parameters.

use std::fmt;

use super::Secret;

/// A backend that is built in: its name, its other names, its parameters.
#[derive(Clone, Copy, Debug)]
pub struct BackendDeclaration {
    /// The name that runs and configuration use.
    pub name: &'static str,
    /// Other names it answers to.
    pub aliases: &'static [&'static str],
    /// Its parameters.
    pub parameters: &'static [Parameter],
}

impl BackendDeclaration {
    /// Whether `name` means this backend.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// All names, the canonical one last, so that it wins where both have a section.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.aliases.iter().copied().chain([self.name])
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

/// One parameter of a backend.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name, in snake case.
    pub name: &'static str,
    /// What values it takes.
    pub kind: ParameterKind,
    /// The built-in default, as it would be written in a variable; `None` where there is none.
    pub default: Option<&'static str>,
    /// One line on what it does.
    pub about: &'static str,
}

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Any text.
    Text,
    /// A text that is never shown or stored.
    Secret,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Bool,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl ParameterKind {
    /// Reads a value as it stands in a variable or an argument; `None` where it does not fit.
    pub(super) fn parse(self, text: &str) -> Option<ParameterValue> {
        Some(match self {
            Self::Text => ParameterValue::Text(text.to_owned()),
            Self::Secret => ParameterValue::Secret(Secret::new(text)),
            Self::Integer => ParameterValue::Integer(text.trim().parse().ok()?),
            Self::Bool => ParameterValue::Bool(match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => true,
                "false" | "0" | "no" | "off" => false,
                _ => return None,
            }),
            Self::Choice(words) => ParameterValue::Text((*words.iter().find(|word| **word == text)?).to_owned()),
        })
    }
}

impl fmt::Display for ParameterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text | Self::Secret => f.write_str("a text"),
            Self::Integer => f.write_str("a whole number"),
            Self::Bool => f.write_str("true or false"),
            Self::Choice(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

/// The value of a parameter, of the parameter's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterValue {
    /// See [`ParameterKind::Text`] and [`ParameterKind::Choice`].
    Text(String),
    /// See [`ParameterKind::Secret`].
    Secret(Secret),
    /// See [`ParameterKind::Integer`].
    Integer(i64),
    /// See [`ParameterKind::Bool`].
    Bool(bool),
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Secret(secret) => fmt::Display::fmt(secret, f),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Bool(flag) => write!(f, "{flag}"),
        }
    }
}
