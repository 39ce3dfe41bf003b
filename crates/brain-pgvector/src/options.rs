//! What an index is to be, out of its parameters: checked once, before anything is made.

use brain_core::{Error, IndexSpec, Metric, Parameters, Result};
use serde_json::Value;

use crate::quote::check_name;

/// The longest vectors that a column of either type holds.
pub(crate) const DIMENSION_MOST: usize = 16_000;
/// The longest vectors that an index holds as they are.
const INDEXED_VECTOR: usize = 2_000;
/// The longest vectors that an index holds in half precision.
const INDEXED_HALF: usize = 4_000;

/// How a search finds the nearest without reading every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Hnsw,
    Ivfflat,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hnsw => "hnsw",
            Self::Ivfflat => "ivfflat",
        }
    }
}

/// What of a vector an index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The column as it is.
    Column,
    /// The column's vectors in half precision.
    Halves,
    /// Their sign bits.
    Signs,
}

impl Over {
    /// What an index over vectors of this length and metric can hold.
    pub(crate) fn best(metric: Metric, halves: bool, dimension: usize) -> Self {
        match metric {
            Metric::Hamming | Metric::Jaccard => Self::Signs,
            _ if dimension > INDEXED_HALF => Self::Signs,
            _ if dimension > INDEXED_VECTOR && !halves => Self::Halves,
            _ => Self::Column,
        }
    }
}

/// The parameters of an index, typed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
    /// `None` for a name of the server's choosing.
    pub(crate) index: Option<String>,
    pub(crate) halves: bool,
    /// `None` for a table that is read row by row.
    pub(crate) method: Option<Method>,
    pub(crate) m: u32,
    pub(crate) ef_construction: u32,
    pub(crate) lists: Option<u32>,
    /// `hnsw_ef_search` or `ivfflat_probes`: whichever belongs to the method.
    pub(crate) effort: Option<u32>,
    pub(crate) maintenance_work_mem: Option<String>,
    pub(crate) maintenance_workers: Option<u32>,
}

impl Options {
    /// Reads the parameters of the index `name`.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a name or number that PostgreSQL would refuse or cut.
    pub(crate) fn of(name: &str, parameters: &Parameters) -> Result<Self> {
        let text = |name: &str| parameters.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let number = |name: &str, least: u32, most: u32| match parameters.get(name).filter(|value| !value.is_null()) {
            None => Ok(None),
            Some(value) => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| (least..=most).contains(number));
                let refused = || Error::invalid(format!("{name} is {value}")).with_hint(format!("it goes from {least} to {most}"));
                number.map(Some).ok_or_else(refused)
            }
        };
        let method = match text("index_type").as_deref() {
            None | Some("hnsw") => Some(Method::Hnsw),
            Some("ivfflat") => Some(Method::Ivfflat),
            Some("none") => None,
            Some(other) => return Err(Error::invalid(format!("index_type is {other:?}")).with_hint("it is one of hnsw, ivfflat, none")),
        };
        let effort = match method {
            Some(Method::Hnsw) => number("hnsw_ef_search", 1, 1000)?,
            Some(Method::Ivfflat) => number("ivfflat_probes", 1, 32_768)?,
            None => None,
        };
        let (m, ef_construction) = (number("hnsw_m", 2, 100)?.unwrap_or(16), number("hnsw_ef_construction", 4, 1000)?.unwrap_or(64));
        if method == Some(Method::Hnsw) && ef_construction < 2 * m {
            return Err(Error::invalid(format!("hnsw_ef_construction is {ef_construction}, and hnsw_m is {m}"))
                .with_hint("hnsw_ef_construction must be at least twice hnsw_m"));
        }
        // A table named beside it makes the index's name the index's own.
        let table = text("table_name").unwrap_or_else(|| name.to_owned());
        let index = (table != name).then(|| name.to_owned());
        let schema = text("schema_name");
        check_name("table_name", &table)?;
        index.as_deref().map_or(Ok(()), |index| check_name("index_name", index))?;
        schema.as_deref().map_or(Ok(()), |schema| check_name("schema_name", schema))?;
        Ok(Self {
            schema,
            table,
            index,
            halves: text("vector_type").as_deref() == Some("halfvec"),
            method,
            m,
            ef_construction,
            lists: number("ivfflat_lists", 1, 32_768)?,
            effort,
            maintenance_work_mem: text("maintenance_work_mem"),
            maintenance_workers: number("max_parallel_maintenance_workers", 0, 1024)?,
        })
    }

    /// Refuses a method that cannot serve a metric.
    ///
    /// # Errors
    /// [`Unsupported`](brain_core::ErrorKind::Unsupported), with what can.
    pub(crate) fn check(&self, spec: &IndexSpec) -> Result<()> {
        let refused = match spec.metric {
            Metric::L1 | Metric::Jaccard => Some(String::new()),
            // A direction of one number is a sign, which makes no lists.
            Metric::Cosine | Metric::DotProduct if spec.dimension == 1 => Some(" vectors of one number".to_owned()),
            _ => None,
        };
        if let Some(what) = refused.filter(|_| self.method == Some(Method::Ivfflat)) {
            return Err(Error::unsupported(format!("an ivfflat index cannot rank{what} by {}", spec.metric))
                .with_hint("choose index_type hnsw, or none to compare every row"));
        }
        Ok(())
    }
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
        assert_eq!((options.table.as_str(), options.index, options.method), ("birds", None, Some(Method::Hnsw)));
        assert_eq!((options.m, options.ef_construction, options.effort, options.halves), (16, 64, None, false));
    }

    #[test]
    fn an_index_name_is_the_table_s_unless_that_is_named() {
        let options = of(&[("table_name", "nests".into())]).unwrap();
        assert_eq!((options.table.as_str(), options.index.as_deref()), ("nests", Some("birds")));
    }

    #[test]
    fn what_postgresql_would_refuse_or_cut_is_refused() {
        for parameters in [
            &[("hnsw_m", 1.into())][..],
            &[("hnsw_m", 64.into())],
            &[("hnsw_ef_search", 1001.into())],
            &[("index_type", "flat".into())],
            &[("table_name", "x".repeat(64).into())],
            &[("ivfflat_lists", (-3).into())],
        ] {
            assert!(of(parameters).unwrap_err().hint().is_some(), "{parameters:?}");
        }
    }

    #[test]
    fn long_vectors_are_indexed_in_fewer_bits() {
        let best = |dimension| Over::best(Metric::Cosine, false, dimension);
        assert_eq!([2_000, 2_001, 4_000, 4_001].map(best), [Over::Column, Over::Halves, Over::Halves, Over::Signs]);
        assert_eq!(Over::best(Metric::L1, true, 4_000), Over::Column);
        assert_eq!(Over::best(Metric::Jaccard, false, 3), Over::Signs);
    }
}
