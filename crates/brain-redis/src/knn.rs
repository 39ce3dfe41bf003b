//! The one command that searches: FT.SEARCH with a KNN clause, and its answer.

use brain_core::{Error, ErrorKind, Hit, Item, ItemId, ItemKind, Metric, Patience, Result};
use fred::error::Error as DriverError;

use crate::connect::line::{self, Line, Part};
use crate::index::RedisIndex;
use crate::options::Algorithm;
use crate::scope::KeyWords;
use crate::{keys, wire};

/// The name under which the server gives a distance.
const DISTANCE: &str = "__distance";
/// A word that no document holds: all are those that do not have it. A graph compares each row of such a filter.
const NOWHERE: &str = "(-brain0nowhere)";
/// The most rows that a server answers with by its default; some are set up for fewer, and say so when they are asked for more.
pub(crate) const ROWS_MOST: usize = 1_000_000;

/// Which rows the server compares.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Among<'a> {
    /// Those that the graph leads to, with so much effort.
    Graph(u32),
    /// All.
    All,
    /// Those of these keys.
    Keys(&'a KeyWords),
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
            (Among::Keys(_), _) => format!("*=>[KNN {k} @{field} $query HYBRID_POLICY ADHOC_BF AS {DISTANCE}]"),
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
        let command = self.search_command(query, among, k);
        let mut patience = Patience::default();
        let mut found = loop {
            match self.found(&command).await {
                Ok(found) => break found,
                Err(failure) => self.pool.wait(&mut patience, failure).await?,
            }
        };
        found.is_all = found.hits.len() < k && !found.is_unranked;
        found.hits.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| a.item.id.cmp(&b.item.id)));
        Ok(found)
    }

    /// The field that says the sample of a row, where it is another than the row's own.
    fn sample_field(&self) -> Option<&str> {
        self.schema.sample.as_ref().filter(|_| self.spec.items == ItemKind::Patches).map(|field| field.name.as_str())
    }

    fn search_command(&self, query: &[f32], among: Among<'_>, k: usize) -> Vec<u8> {
        let mut blob = Vec::with_capacity(query.len() * self.schema.number.width());
        wire::put(query, self.schema.number, &mut blob);
        let (words, timeout, limit) = (self.query(among, k), self.query_timeout().to_string(), k.to_string());
        let (keys, key_words) = match among {
            Among::Keys(keys) => (keys.count + 2, keys.words.as_slice()),
            Among::Graph(_) | Among::All => (0, [].as_slice()),
        };
        let sample = self.sample_field();
        let returned = if sample.is_some() { "2" } else { "1" };
        let after = ["RETURN", returned, DISTANCE].into_iter().chain(sample).chain(["LIMIT", "0", &limit, "TIMEOUT", &timeout]);
        let after: Vec<&[u8]> = after.map(str::as_bytes).chain([&b"PARAMS"[..], b"2", b"query", &blob, b"DIALECT", b"2"]).collect();
        let mut command = Vec::with_capacity(key_words.len() + blob.len() + 512);
        line::write_head(&mut command, 3 + keys + after.len());
        for word in ["FT.SEARCH", &self.options.name, &words] {
            line::write_word(&mut command, &[word.as_bytes()]);
        }
        if let Among::Keys(keys) = among {
            line::write_word(&mut command, &[b"INKEYS"]);
            line::write_word(&mut command, &[keys.count.to_string().as_bytes()]);
        }
        command.extend_from_slice(key_words);
        after.iter().for_each(|word| line::write_word(&mut command, &[word]));
        command
    }

    async fn found(&self, command: &[u8]) -> Result<Found> {
        let _turn = self.pool.turn().await;
        let mut line = self.pool.line().await?;
        line.send(command).await.map_err(|failure| self.unfound(failure))?;
        let found = self.read_found(&mut line).await?;
        self.pool.keep(line);
        Ok(found)
    }

    async fn read_found(&self, line: &mut Line) -> Result<Found> {
        let mut found = Found { hits: Vec::new(), is_unranked: false, is_all: false };
        let mut is_cut_short = false;
        for _ in 0..self.several(line).await? / 2 {
            match self.text(line).await? {
                Some(b"warning") => {
                    let warnings = self.several(line).await?;
                    for _ in 0..warnings {
                        line.pass().await.map_err(|failure| self.unfound(failure))?;
                    }
                    is_cut_short = warnings > 0;
                }
                Some(b"results") => {
                    let rows = self.several(line).await?;
                    found.hits.reserve_exact(rows);
                    for _ in 0..rows {
                        // A key that vanished while it was searched has no fields.
                        let Some((item, score)) = self.read_row(line).await? else { continue };
                        match score.is_nan() {
                            true => found.is_unranked = true,
                            false => found.hits.push(Hit { item, distance: self.distance(score) }),
                        }
                    }
                }
                _ => line.pass().await.map_err(|failure| self.unfound(failure))?,
            }
        }
        if is_cut_short { Err(self.cut_short()) } else { Ok(found) }
    }

    async fn read_row(&self, line: &mut Line) -> Result<Option<(Item, f64)>> {
        let (mut id, mut score, mut sample_id) = (None, None, None);
        for _ in 0..self.several(line).await? / 2 {
            match self.text(line).await? {
                Some(b"id") => id = self.text(line).await?.and_then(|key| keys::id(&self.schema.prefix, key)),
                Some(b"extra_attributes") => {
                    for _ in 0..self.several(line).await? / 2 {
                        if self.text(line).await? == Some(DISTANCE.as_bytes()) {
                            score = self.text(line).await?.and_then(|score| std::str::from_utf8(score).ok()?.parse().ok());
                        } else {
                            sample_id = self.text(line).await?.and_then(|id| std::str::from_utf8(id).ok()).map(ItemId::from_text);
                        }
                    }
                }
                _ => line.pass().await.map_err(|failure| self.unfound(failure))?,
            }
        }
        Ok(id.zip(score).map(|(id, score)| (Item { sample_id: sample_id.unwrap_or_else(|| id.clone()), id }, score)))
    }

    pub(crate) async fn several(&self, line: &mut Line) -> Result<usize> {
        match line.next().await.map_err(|failure| self.unfound(failure))? {
            Part::Several(parts) => Ok(parts),
            Part::Refusal(says) => Err(self.unfound(line::refusal(says))),
            Part::Nothing => Ok(0),
            Part::Bytes(_) => Err(self.unfound(line::not_understood())),
        }
    }

    pub(crate) async fn text<'l>(&self, line: &'l mut Line) -> Result<Option<&'l [u8]>> {
        match line.next().await.map_err(|failure| self.unfound(failure))? {
            Part::Bytes(bytes) => Ok(Some(bytes)),
            Part::Nothing => Ok(None),
            Part::Refusal(says) => Err(self.unfound(line::refusal(says))),
            Part::Several(_) => Err(self.unfound(line::not_understood())),
        }
    }

    fn unfound(&self, failure: DriverError) -> Error {
        self.failed("search", failure)
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
