//! The nearest rows: through the index with the effort its recall takes, or by comparing all that are meant.

use brain_core::{Direction, Hit, Item, ItemId, NearestRequest, NearestResponse, Precision, Result, Scope, validate};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::connect::Setting;
use crate::index::PgvectorIndex;
use crate::options::Method;
use crate::scope::Clause;
use crate::table::VectorIndex;
use crate::wire::QueryVector;

/// The most that `hnsw.ef_search` can be.
const EF_MOST: usize = 1_000;
/// The effort for an index whose recall nobody has measured: that of others' tables. It found .999 of the 10 nearest among 50,000 rows of 512 numbers.
const UNMEASURED: u32 = 200;
/// So many candidates are looked at where fewer held too few of a view.
const WIDE: usize = 1_000;
/// How many questions of one request are asked at once.
pub(crate) const AT_ONCE: usize = 4;
/// From so many questions on, reading every row once and comparing it here with all of them is faster than letting the server read them for each.
const READ_ONCE: usize = 8;

/// How a question is answered.
enum Way<'a> {
    /// By the index: so many candidates, with that effort, of which those in scope remain.
    Index { index: &'a VectorIndex, candidates: usize, effort: u32 },
    /// By comparing every row in scope, and why, where the index could have been asked.
    Every(Option<String>),
}

impl PgvectorIndex {
    pub(crate) async fn find_nearest(&self, request: NearestRequest<'_>) -> Result<NearestResponse> {
        let dimension = self.spec.dimension;
        validate::queries(request.queries, dimension)?;
        let queries: Vec<&[f32]> = request.queries.chunks_exact(dimension).collect();
        let table = self.current_table().await?;
        if table.note.is_some_and(|note| note.extreme) || !queries.iter().all(|query| self.is_plain(query)) {
            let why = "numbers this large or small exceed the server's single precision, so the rows were compared here";
            return self.compared_here(&queries, request, why).await;
        }
        match self.way(&table.index_for(self.spec.metric, dimension), &request).await? {
            Way::Every(declined) => self.every(&queries, request, declined).await,
            Way::Index { index, candidates, effort } => {
                let answers = self.through_all(index, &queries, &request, candidates, effort).await?;
                let is_whole = |answers: &Vec<Vec<Hit>>| answers.iter().all(|hits| hits.len() >= request.k);
                let (hits, candidates, effort) = match self.effort(index, WIDE) {
                    // The view lies apart from the question: a wider look may still be enough, and costs less than comparing all of a large view.
                    Effort::Enough(effort) if !is_whole(&answers) && candidates < WIDE => {
                        (self.through_all(index, &queries, &request, WIDE, effort).await?, WIDE, effort)
                    }
                    _ => (answers, candidates, effort),
                };
                if !is_whole(&hits) {
                    let why = format!("the {candidates} nearest rows of the index held too few of the view");
                    return self.every(&queries, request, Some(why)).await;
                }
                let kind = if index.method == Method::Hnsw { "ef_search" } else { "probes" };
                let remark = format!("index {}, {candidates} candidates, {kind} {effort}", index.name);
                Ok(NearestResponse { hits, exact: false, declined: None, remark: Some(remark) })
            }
        }
    }

    async fn way<'a>(&self, index: &Option<&'a VectorIndex>, request: &NearestRequest<'_>) -> Result<Way<'a>> {
        if request.precision == Precision::Exact || request.direction == Direction::Farthest {
            return Ok(Way::Every(None));
        }
        let Some(index) = *index else { return Ok(Way::Every(Some("the table has no index for this metric".to_owned()))) };
        let rows = brain_core::SimilarityIndex::estimate(self, Scope::All).await?;
        if rows < self.exact_below {
            return Ok(Way::Every(Some("the index is small, so comparing all of it is fastest".to_owned())));
        }
        let (wanted, is_view) = match request.scope {
            Scope::All => (request.k, false),
            Scope::Items(_) | Scope::Samples(_) => {
                let within = brain_core::SimilarityIndex::estimate(self, request.scope).await?.max(1);
                let k = request.k as f64;
                // Enough that at least k of them are in a view drawn at random, nearly always.
                ((((k + 3.0 * k.sqrt() + 3.0) * rows as f64 / within as f64).ceil()) as usize, true)
            }
        };
        let candidates = wanted.max(request.k);
        Ok(match self.effort(index, candidates) {
            Effort::Enough(effort) => Way::Index { index, candidates, effort },
            Effort::None(why) if is_view => Way::Every(Some(format!("{why}, so all of the view was compared"))),
            Effort::None(why) => Way::Every(Some(why)),
        })
    }

    /// The effort that finds the `k` nearest.
    fn effort(&self, index: &VectorIndex, k: usize) -> Effort {
        let most = if index.method == Method::Hnsw { EF_MOST } else { usize::MAX };
        if k > most {
            return Effort::None(format!("the index keeps at most {most} rows in sight, and {k} are needed"));
        }
        if let Some(effort) = self.options.effort {
            return Effort::Enough(if index.method == Method::Hnsw { effort.max(k as u32) } else { effort });
        }
        let Some(known) = index.calibration.as_ref().or(self.measured.as_ref()) else {
            return Effort::Enough(if index.method == Method::Hnsw { UNMEASURED.max((2 * k).min(most) as u32) } else { UNMEASURED });
        };
        match known.effort(k) {
            Some(effort) => Effort::Enough(if index.method == Method::Hnsw { effort.max(k as u32) } else { effort }),
            None if k <= 10 => Effort::None("no effort finds enough of the nearest in this data, so every row was compared".to_owned()),
            None => Effort::None(format!("no effort of the index finds enough of the {k} nearest in this data")),
        }
    }

    /// The candidates of each question that are in scope, the first `k` of them in order.
    async fn through_all(
        &self,
        index: &VectorIndex,
        queries: &[&[f32]],
        request: &NearestRequest<'_>,
        candidates: usize,
        effort: u32,
    ) -> Result<Vec<Vec<Hit>>> {
        let mut answers: Vec<BoxFuture<'_, Result<Vec<Hit>>>> = Vec::with_capacity(queries.len());
        for query in queries {
            let answer = async move {
                let mut hits = self.through(index, query, candidates, effort).await?;
                hits.retain(|hit| request.scope.contains(&hit.item));
                hits.truncate(request.k);
                Ok(hits)
            };
            answers.push(answer.boxed());
        }
        stream::iter(answers).buffered(AT_ONCE).try_collect().await
    }

    /// The candidates that the index finds for a query, in order.
    pub(crate) async fn through(&self, index: &VectorIndex, query: &[f32], candidates: usize, effort: u32) -> Result<Vec<Hit>> {
        // Where the index holds less than the rows, all that it has in sight are compared in full.
        let statement =
            self.ranked.through(index, candidates.max(if index.method == Method::Hnsw && self.ranked.compares(index) { effort as usize } else { 0 }));
        let rows = self.ask(&settings(index, effort), &statement, query, None, true).await?;
        let mut hits = hits(&rows)?;
        hits.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| a.item.id.cmp(&b.item.id)));
        Ok(hits)
    }

    /// The first `k` of all rows in scope.
    async fn every(&self, queries: &[&[f32]], request: NearestRequest<'_>, declined: Option<String>) -> Result<NearestResponse> {
        if queries.len() >= READ_ONCE {
            let response = self.compared_here(queries, request, "the rows were read once and compared here with all queries").await?;
            return Ok(NearestResponse { declined, ..response });
        }
        let clause = Clause::of(request.scope, &self.ranked, 2, &self.texts);
        let sql = self.ranked.every(&clause.sql, request.direction == Direction::Farthest, Some(request.k));
        let (sql, clause) = (&sql, &clause);
        let settings = &every(clause.is_lasting());
        let mut answers: Vec<BoxFuture<'_, Result<Vec<Hit>>>> = Vec::with_capacity(queries.len());
        for query in queries {
            answers.push(async move { hits(&self.ask(settings, sql, query, clause.ids.as_deref(), clause.is_lasting()).await?) }.boxed());
        }
        let hits: Vec<Vec<Hit>> = stream::iter(answers).buffered(AT_ONCE).try_collect().await?;
        Ok(NearestResponse { hits, exact: true, declined, remark: Some("the server compared every row in scope".to_owned()) })
    }

    /// The server's plan for the first query of a request.
    pub(crate) async fn explained(&self, request: NearestRequest<'_>) -> Result<String> {
        let table = self.table();
        let query = &request.queries[..self.spec.dimension.min(request.queries.len())];
        let (settings, sql, clause) = match self.way(&table.index_for(self.spec.metric, self.spec.dimension), &request).await? {
            Way::Index { index, candidates, effort } => (settings(index, effort), self.ranked.through(index, candidates), Clause::all()),
            Way::Every(_) => {
                let clause = Clause::of(request.scope, &self.ranked, 2, &self.texts);
                (every(clause.is_lasting()), self.ranked.every(&clause.sql, request.direction == Direction::Farthest, Some(request.k)), clause)
            }
        };
        let rows = self.ask(&settings, &format!("EXPLAIN {sql}"), query, clause.ids.as_deref(), false).await?;
        let lines: Vec<String> = rows.iter().map(|row| without_values(row.get(0))).collect();
        Ok(lines.join("\n"))
    }

    async fn compared_here(&self, queries: &[&[f32]], request: NearestRequest<'_>, why: &str) -> Result<NearestResponse> {
        let queries: Vec<Vec<f32>> = queries.iter().map(|query| query.to_vec()).collect();
        let hits = brain_core::search::compare(self, &queries, request.k, request.scope, request.direction).await?;
        Ok(NearestResponse { hits, exact: true, declined: None, remark: Some(why.to_owned()) })
    }

    async fn ask(&self, settings: &[Setting], sql: &str, query: &[f32], ids: Option<&Vec<String>>, is_lasting: bool) -> Result<Vec<Row>> {
        let query = &QueryVector(query);
        self.pool
            .retrying(|connection| async move {
                let vector = connection.types().vector.clone();
                let parameters = [Some((query as _, vector)), ids.map(|ids| (ids as _, Type::TEXT_ARRAY))];
                let parameters: Vec<_> = parameters.into_iter().flatten().collect();
                let rows = if is_lasting {
                    connection.query(settings, sql, &parameters).await
                } else {
                    connection.query_once(settings, sql, &parameters).await
                };
                rows.map_err(|error| self.failed("search", error))
            })
            .await
    }
}

enum Effort {
    Enough(u32),
    None(String),
}

/// What a search through an index runs under. The server would rather read a small table whole, and compile a plan whose cost it overrates.
fn settings(index: &VectorIndex, effort: u32) -> Vec<Setting> {
    let effort = match index.method {
        Method::Hnsw => ("hnsw.ef_search", effort.to_string()),
        Method::Ivfflat => ("ivfflat.probes", effort.to_string()),
    };
    vec![effort, ("enable_seqscan", "off".to_owned()), ("jit", "off".to_owned()), plan(true)]
}

/// What a search that compares every row runs under.
fn every(is_lasting: bool) -> Vec<Setting> {
    vec![("jit", "off".to_owned()), plan(is_lasting)]
}

/// A statement that is prepared is planned once, and not five times more to find out whether that is worth it.
fn plan(is_lasting: bool) -> Setting {
    ("plan_cache_mode", if is_lasting { "force_generic_plan" } else { "auto" }.to_owned())
}

/// A line of a plan with its values, thousands of numbers or ids, left out.
fn without_values(line: &str) -> String {
    let mut parts = line.split('\'');
    let mut short = parts.next().unwrap_or_default().to_owned();
    for (number, part) in parts.enumerate() {
        match number % 2 {
            0 if part.len() > 40 => short.push_str("'…'"),
            0 => short.push_str(&format!("'{part}'")),
            _ => short.push_str(part),
        }
    }
    short
}

/// Rows of id, sample and distance; those without a distance, which no metric ranks, are left out.
fn hits(rows: &[Row]) -> Result<Vec<Hit>> {
    let mut hits = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(distance) = row.get::<_, Option<f32>>(2).filter(|distance| !distance.is_nan()) else { continue };
        let item = Item { id: ItemId::from_text(row.get(0)), sample_id: ItemId::from_text(row.get(1)) };
        hits.push(Hit { item, distance: distance + 0.0 });
    }
    Ok(hits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_shown_without_its_vectors() {
        let line = format!("Order By: (v <=> '[{}]'::vector) and id = 'a'", "1,".repeat(100));
        assert_eq!(without_values(&line), "Order By: (v <=> '…'::vector) and id = 'a'");
    }
}
