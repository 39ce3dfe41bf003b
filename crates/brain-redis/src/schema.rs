//! An index as it is: what the server says of it.

use brain_core::{Error, ErrorKind, Metric, Result};
use fred::clients::Client;

use crate::command::{Command, send};
use crate::error;
use crate::options::{Algorithm, Number, Storage};
use crate::reply::{self, Answer};

/// The field of the vectors that this library makes, and FiftyOne too.
pub(crate) const VECTOR: &str = "vector";
/// The field of the samples that patches belong to.
pub(crate) const SAMPLE: &str = "sample_id";
/// What parts several samples in one field: they are never, so it is a character that no id may hold.
pub(crate) const SEPARATOR: char = '\u{1f}';

/// A field of the documents.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// Its name in queries.
    pub(crate) name: String,
    /// Its name in a hash, or its path in a JSON document.
    pub(crate) path: String,
}

/// An index.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schema {
    pub(crate) storage: Storage,
    pub(crate) prefix: String,
    pub(crate) vector: Field,
    pub(crate) sample: Option<Field>,
    /// Whether the server finds a sample by its tag.
    pub(crate) samples_tagged: bool,
    pub(crate) algorithm: Algorithm,
    pub(crate) number: Number,
    pub(crate) dimension: usize,
    pub(crate) metric: Metric,
}

/// How an index stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    /// How many documents it holds.
    pub(crate) documents: u64,
    /// A number that rises with every document that is added or changed.
    pub(crate) last: u64,
    /// How many documents could not be indexed.
    pub(crate) failures: u64,
    /// The key of the last one.
    pub(crate) failed: Option<String>,
    /// Why.
    pub(crate) failure: Option<String>,
    /// How long indexing has taken in all, in milliseconds, as the server says it: an index that was made anew says another.
    pub(crate) took: Option<String>,
    /// Whether it is still reading documents that were there before it.
    pub(crate) is_indexing: bool,
    /// What it takes of the server's memory, without the documents.
    pub(crate) bytes: Option<u64>,
}

/// Asks for an index; `None` where there is none of the name.
pub(crate) async fn find(client: &Client, name: &str) -> Result<Option<Answer>> {
    match send(client, Command::new("FT.INFO").arg(name.to_owned())).await {
        Ok(answer) => Ok(Some(reply::map(answer))),
        Err(failure) if error::is_unknown_index(&failure) => Ok(None),
        Err(failure) => Err(error::of(failure, &format!("read what the index {name} is"))),
    }
}

impl Schema {
    /// Reads what the server says of the index `name`.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) for an index that is made in a way which cannot be searched here.
    pub(crate) fn of(name: &str, info: &Answer) -> Result<Self> {
        let unsupported = |what: String| Error::unsupported(format!("the index {name} {what}"));
        let definition = info.map("index_definition");
        let storage = match definition.text("key_type").as_deref() {
            Some("HASH") => Storage::Hash,
            Some("JSON") => Storage::Json,
            other => return Err(unsupported(format!("is over documents of a kind that is not known here ({})", other.unwrap_or("none")))),
        };
        let prefixes: Vec<String> = definition.list("prefixes").iter().filter_map(reply::text).collect();
        let [prefix] = &prefixes[..] else {
            return Err(unsupported(format!("takes documents of {} prefixes ({})", prefixes.len(), prefixes.join(", ")))
                .with_hint("an item's id is what follows the one prefix: make an index with one"));
        };
        let attributes: Vec<Answer> = info.list("attributes").into_iter().map(reply::map).collect();
        let is = |attribute: &Answer, kind: &str| attribute.text("type").is_some_and(|found| found.eq_ignore_ascii_case(kind));
        let field = |attribute: &Answer| {
            let path = attribute.text("identifier").unwrap_or_default();
            Field { name: attribute.text("attribute").unwrap_or_else(|| path.clone()), path }
        };
        let vectors: Vec<&Answer> = attributes.iter().filter(|attribute| is(attribute, "VECTOR")).collect();
        let vector = match &vectors[..] {
            [] => return Err(Error::new(ErrorKind::Conflict, format!("the index {name} has no field of vectors"))),
            [only] => *only,
            several => *several.iter().find(|attribute| field(attribute).name == VECTOR).ok_or_else(|| {
                let names: Vec<String> = several.iter().map(|attribute| field(attribute).name).collect();
                unsupported(format!("has several fields of vectors ({}), and none is called {VECTOR:?}", names.join(", ")))
            })?,
        };
        let algorithm = match vector.text("algorithm").as_deref() {
            Some("FLAT") => Algorithm::Flat,
            Some("HNSW") => Algorithm::Hnsw,
            other => return Err(unsupported(format!("has the algorithm {}, and FLAT and HNSW are served", other.unwrap_or("of an old server")))),
        };
        let number = match vector.text("data_type").as_deref() {
            Some("FLOAT32") => Number::Single,
            Some("FLOAT16") => Number::Half,
            Some("FLOAT64") => Number::Double,
            other => return Err(unsupported(format!("holds numbers as {}, and FLOAT32, FLOAT16 and FLOAT64 are served", other.unwrap_or_default()))),
        };
        let metric = match vector.text("distance_metric").as_deref() {
            Some("COSINE") => Metric::Cosine,
            Some("IP") => Metric::DotProduct,
            Some("L2") => Metric::Euclidean,
            other => return Err(unsupported(format!("ranks by {}, which is not known here", other.unwrap_or_default()))),
        };
        let dimension = vector.number("dim").and_then(|dimension| usize::try_from(dimension).ok()).filter(|&dimension| dimension > 0);
        let dimension = dimension.ok_or_else(|| unsupported("does not say how long its vectors are".to_owned()))?;
        let sample = attributes.iter().find(|attribute| {
            let field = field(attribute);
            field.name == SAMPLE || field.path == SAMPLE || field.path.trim_start_matches("$.") == SAMPLE
        });
        Ok(Self {
            storage,
            prefix: if prefix == "*" { String::new() } else { prefix.clone() },
            vector: field(vector),
            sample: sample.map(field),
            samples_tagged: sample.is_some_and(|sample| is(sample, "TAG")),
            algorithm,
            number,
            dimension,
            metric,
        })
    }
}

impl Standing {
    pub(crate) fn of(info: &Answer) -> Self {
        let errors = info.map("Index Errors");
        let said = |name: &str| errors.text(name).filter(|text| text != "N/A");
        Self {
            documents: info.number("num_docs").unwrap_or_default(),
            last: info.number("max_doc_id").unwrap_or_default(),
            failures: info.number("hash_indexing_failures").unwrap_or_default(),
            failed: said("last indexing error key"),
            failure: said("last indexing error"),
            took: info.text("total_indexing_time"),
            is_indexing: info.number("indexing").is_some_and(|indexing| indexing != 0),
            bytes: info.float("vector_index_sz_mb").map(|mebibytes| (mebibytes * f64::from(1 << 20)) as u64),
        }
    }

    /// Whether nothing was added, changed or removed between the two.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.documents, self.last, self.failures, &self.took) == (other.documents, other.last, other.failures, &other.took)
    }
}

/// What ranks vectors, in the server's words; `None` for what it does not offer.
pub(crate) fn metric_name(metric: Metric) -> Option<&'static str> {
    match metric {
        Metric::Cosine => Some("COSINE"),
        Metric::DotProduct => Some("IP"),
        Metric::Euclidean => Some("L2"),
        Metric::L1 | Metric::Hamming | Metric::Jaccard => None,
    }
}
