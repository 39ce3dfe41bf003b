//! What an index is to be, out of its parameters: checked once, before anything is made.

use brain_core::{Error, Parameters, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest vectors that the server indexes.
pub(crate) const DIMENSION_MOST: usize = 32_768;
/// The longest name: it stands in every key.
const NAME_BYTES: usize = 200;

/// How a search finds the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Flat,
    Hnsw,
}

/// What holds a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    Hash,
    Json,
}

/// How the index holds a vector's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Number {
    Single,
    Half,
    /// Of others' indexes.
    Double,
}

impl Algorithm {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Flat => "FLAT",
            Self::Hnsw => "HNSW",
        }
    }
}

impl Storage {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hash => "HASH",
            Self::Json => "JSON",
        }
    }
}

impl Number {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Single => "FLOAT32",
            Self::Half => "FLOAT16",
            Self::Double => "FLOAT64",
        }
    }

    /// How many bytes one takes.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Single => 4,
            Self::Half => 2,
            Self::Double => 8,
        }
    }
}

/// The parameters of an index, typed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) name: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) storage: Storage,
    pub(crate) number: Number,
    pub(crate) m: u32,
    pub(crate) ef_construction: u32,
    pub(crate) ef_runtime: Option<u32>,
}

impl Options {
    /// Reads the parameters of the index `name`.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a name or number that Redis would refuse.
    pub(crate) fn of(name: &str, parameters: &Parameters) -> Result<Self> {
        let text = |name: &str| parameters.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let number = |name: &str, least: u32, most: u32| match parameters.get(name).filter(|value| !value.is_null()) {
            None => Ok(None),
            Some(value) => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| (least..=most).contains(number));
                let refused = || Error::invalid(format!("{name} is {value}")).with_hint(format!("it goes from {least} to {most}"));
                number.map(Some).ok_or_else(refused)
            }
        };
        let one_of = |name: &str, choices: [&str; 2]| match text(name) {
            None => Ok(0),
            Some(value) => choices
                .iter()
                .position(|choice| choice.eq_ignore_ascii_case(value))
                .ok_or_else(|| Error::invalid(format!("{name} is {value:?}")).with_hint(format!("it is one of {}", choices.join(", ")))),
        };
        check_name(name)?;
        Ok(Self {
            name: name.to_owned(),
            algorithm: [Algorithm::Flat, Algorithm::Hnsw][one_of("algorithm", ["FLAT", "HNSW"])?],
            storage: [Storage::Hash, Storage::Json][one_of("storage", ["hash", "json"])?],
            number: [Number::Single, Number::Half][one_of("vector_type", ["float32", "float16"])?],
            m: number("hnsw_m", 2, 512)?.unwrap_or(16),
            ef_construction: number("hnsw_ef_construction", 1, 4096)?.unwrap_or(200),
            ef_runtime: number("hnsw_ef_runtime", 1, 4096)?,
        })
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("index_name is empty"));
    }
    if name.contains('\0') {
        return Err(Error::invalid(format!("index_name {name:?} holds a NUL, at which Redis would cut it")));
    }
    if name.len() > NAME_BYTES {
        return Err(Error::invalid(format!("index_name {name:?} has {} bytes", name.len()))
            .with_hint(format!("choose one of at most {NAME_BYTES}: the name stands in the key of every vector")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parameters: &[(&str, Value)]) -> Result<Options> {
        Options::of("birds", &parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let options = of(&[]).unwrap();
        assert_eq!((options.algorithm, options.storage, options.number), (Algorithm::Flat, Storage::Hash, Number::Single));
        assert_eq!((options.m, options.ef_construction, options.ef_runtime), (16, 200, None));
        let options = of(&[("algorithm", "hnsw".into()), ("storage", "json".into()), ("vector_type", "float16".into())]).unwrap();
        assert_eq!((options.algorithm, options.storage, options.number), (Algorithm::Hnsw, Storage::Json, Number::Half));
    }

    #[test]
    fn what_redis_would_refuse_or_cut_is_refused() {
        for parameters in [
            &[("hnsw_m", 1.into())][..],
            &[("hnsw_ef_construction", 4097.into())],
            &[("hnsw_ef_runtime", (-3).into())],
            &[("algorithm", "ivf".into())],
            &[("storage", "list".into())],
        ] {
            assert!(of(parameters).unwrap_err().hint().is_some(), "{parameters:?}");
        }
        for name in ["", "a\0b", &"x".repeat(201)] {
            assert!(Options::of(name, &Parameters::new()).is_err());
        }
    }
}
