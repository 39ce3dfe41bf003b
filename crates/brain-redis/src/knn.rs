//! The one command that searches: FT.SEARCH with a KNN clause, and its answer.

use brain_core::{Error, ErrorKind, Hit, Item, ItemId, ItemKind, Metric, Result};
use bytes::Bytes;
use fred::types::Resp3Frame;

use crate::command::{Command, send_raw};
use crate::index::RedisIndex;
use crate::options::Algorithm;
use crate::{keys, wire};

/// The name under which the server gives a distance.
const DISTANCE: &str = "__distance";
/// A word that no document holds: all are those that do not have it. A graph compares each row of such a filter.
const NOWHERE: &str = "(-brain0nowhere)";
/// The most rows that the server answers with, by its default.
pub(crate) const ROWS_MOST: usize = 1_000_000;

/// Which rows the server compares.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Among<'a> {
    /// Those that the graph leads to, with so much effort.
    Graph(u32),
    /// All.
    All,
    /// Those of these keys.
    Keys(&'a [Bytes]),
}

/// What the server found.
pub(crate) struct Found {
    pub(crate) hits: Vec<Hit>,
    /// Whether there were rows that have no distance.
    pub(crate) is_unranked: bool,
    /// Whether these are all rows that there are.
    pub(crate) is_all: bool,
}

impl RedisIndex {
    /// The query, for the server's log and ours.
    pub(crate) fn query(&self, among: Among<'_>, k: usize) -> String {
        let field = keys::tag(&self.schema.vector.name);
        match (among, self.schema.algorithm) {
            (Among::Graph(effort), _) => format!("*=>[KNN {k} @{field} $query EF_RUNTIME {effort} AS {DISTANCE}]"),
            (Among::All, Algorithm::Hnsw) => format!("{NOWHERE}=>[KNN {k} @{field} $query HYBRID_POLICY ADHOC_BF AS {DISTANCE}]"),
            (Among::All, Algorithm::Flat) => format!("*=>[KNN {k} @{field} $query AS {DISTANCE}]"),
            (Among::Keys(_), _) => format!("{NOWHERE}=>[KNN {k} @{field} $query HYBRID_POLICY ADHOC_BF AS {DISTANCE}]"),
        }
    }

    /// How long the server may search, in milliseconds.
    pub(crate) fn query_timeout(&self) -> usize {
        usize::try_from(self.pool.settings().query_timeout().as_millis()).unwrap_or(usize::MAX)
    }

    /// The error of a search that the server ended early.
    pub(crate) fn cut_short(&self) -> Error {
        let seconds = self.pool.settings().query_timeout().as_secs();
        Error::new(
            ErrorKind::Timeout,
            format!("cannot search the index {}: the server ended it after {seconds} s, before its end", self.options.name),
        )
        .with_hint("raise query_timeout (in seconds), or ask for less at once")
    }

    /// The `k` rows nearest to a query, by the server's own distances, in order.
    pub(crate) async fn knn(&self, query: &[f32], among: Among<'_>, k: usize) -> Result<Found> {
        let mut blob = Vec::with_capacity(query.len() * self.schema.number.width());
        wire::put(query, self.schema.number, &mut blob);
        let blob = Bytes::from(blob);
        let with_sample = self.schema.sample.as_ref().filter(|_| self.spec.items == ItemKind::Patches);
        let blob = &blob;
        let frame = self
            .pool
            .retrying(|connection| async move {
                let mut command = Command::with_room("FT.SEARCH", 24).arg(&self.options.name).arg(self.query(among, k));
                if let Among::Keys(keys) = among {
                    command = command.arg("INKEYS").arg(keys.len()).args(keys.iter().cloned());
                }
                command = match with_sample {
                    Some(field) => command.arg("RETURN").arg("2").arg(DISTANCE).arg(&field.name),
                    None => command.arg("RETURN").arg("1").arg(DISTANCE),
                };
                let command = command.arg("LIMIT").arg("0").arg(k).arg("TIMEOUT").arg(self.query_timeout());
                let command = command.arg("PARAMS").arg("2").arg("query").arg(blob.clone()).arg("DIALECT").arg("2");
                let frame = send_raw(&connection, command).await.map_err(|failure| self.failed("search", failure))?;
                match error_of(&frame) {
                    Some(failure) => Err(self.failed("search", failure)),
                    None => Ok(frame),
                }
            })
            .await?;
        let mut found = self.read_found(frame, with_sample.map(|field| field.name.as_str()))?;
        found.is_all = found.hits.len() < k && !found.is_unranked;
        found.hits.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| a.item.id.cmp(&b.item.id)));
        Ok(found)
    }

    fn read_found(&self, frame: Resp3Frame, sample: Option<&str>) -> Result<Found> {
        let malformed = || Error::new(ErrorKind::Unexpected, "the server's answer to a search is not understood");
        let Resp3Frame::Map { data, .. } = frame else { return Err(malformed()) };
        let mut found = Found { hits: Vec::new(), is_unranked: false, is_all: false };
        for (name, value) in data {
            match (text(&name), value) {
                (Some("warning"), Resp3Frame::Array { data, .. }) if !data.is_empty() => return Err(self.cut_short()),
                (Some("results"), Resp3Frame::Array { data, .. }) => {
                    found.hits.reserve_exact(data.len());
                    for row in data {
                        // A key that vanished while it was searched has no fields.
                        let Some((item, score)) = self.read_row(&row, sample) else { continue };
                        match score.is_nan() {
                            true => found.is_unranked = true,
                            false => found.hits.push(Hit { item, distance: self.distance(score) }),
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    fn read_row(&self, row: &Resp3Frame, sample: Option<&str>) -> Option<(Item, f64)> {
        let Resp3Frame::Map { data, .. } = row else { return None };
        let part = |wanted: &str| data.iter().find(|(name, _)| text(name) == Some(wanted)).map(|(_, value)| value);
        let id = keys::id(&self.schema.prefix, bytes(part("id")?)?)?;
        let Resp3Frame::Map { data: fields, .. } = part("extra_attributes")? else { return None };
        let field = |wanted: &str| fields.iter().find(|(name, _)| text(name) == Some(wanted)).and_then(|(_, value)| text(value));
        let score = field(DISTANCE)?.parse().ok()?;
        let sample_id = sample.and_then(field).map_or_else(|| id.clone(), ItemId::from_text);
        Some((Item { id, sample_id }, score))
    }

    /// The server's score as a distance: IP is 1 less the product, and L2 is squared.
    fn distance(&self, score: f64) -> f32 {
        let distance = match self.spec.metric {
            Metric::DotProduct => score - 1.0,
            Metric::Euclidean => score.max(0.0).sqrt(),
            _ => score,
        };
        distance as f32 + 0.0
    }
}

fn error_of(frame: &Resp3Frame) -> Option<fred::error::Error> {
    let says = match frame {
        Resp3Frame::SimpleError { data, .. } => data.to_string(),
        Resp3Frame::BlobError { data, .. } => String::from_utf8_lossy(data).into_owned(),
        _ => return None,
    };
    Some(fred::error::Error::new(fred::error::ErrorKind::Unknown, says))
}

fn bytes(frame: &Resp3Frame) -> Option<&[u8]> {
    match frame {
        Resp3Frame::BlobString { data, .. } | Resp3Frame::SimpleString { data, .. } => Some(data),
        _ => None,
    }
}

fn text(frame: &Resp3Frame) -> Option<&str> {
    std::str::from_utf8(bytes(frame)?).ok()
}
