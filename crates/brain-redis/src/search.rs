//! The nearest rows: through the graph with the effort its recall takes, or by comparing all that are meant.

use std::sync::Arc;

use brain_core::{
    Direction, Hit, ItemKind, Metric, NearestRequest, NearestResponse, Precision, Result, Scope, Selector, SimilarityIndex as _, validate,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::cost::View;
use crate::index::RedisIndex;
use crate::knn::Among;
use crate::note::Note;
use crate::options::{Algorithm, Number};
use crate::scope::KeyWords;

/// The most rows that a search through a graph keeps in sight.
const EF_MOST: usize = 4_096;
/// The effort for a graph whose recall nobody has measured. It found .998 of the 10 nearest among 50,000 rows of 512 numbers.
const UNMEASURED: u32 = 200;
/// So many candidates are looked at where fewer held too few of a view.
const WIDE: usize = 1_000;
/// How many questions of one request are asked at once: the server answers one after the other, and need not wait for the next.
pub(crate) const AT_ONCE: usize = 4;
/// Beyond so many keys a query is too long for the server to take it in at once.
const KEYS_MOST: f64 = 200_000.0;
/// Products smaller than this drown in the 1 that the server subtracts them from.
const DROWNED: f32 = 1e-2;

/// How a question is answered.
enum Way {
    /// By the graph: so many candidates, with that effort, of which those in scope remain.
    Graph { candidates: usize, effort: u32 },
    /// By comparing every row in scope, and why, where the graph could have been asked.
    Every(Option<String>),
    /// By reading the rows and comparing them here, and why.
    Here(&'static str),
    /// In half precision: by the server's candidates, compared here in full.
    Halves,
}

/// How every row in scope is compared.
enum Every {
    /// All rows are, of which those in scope remain: so many are asked for at first.
    All(usize),
    /// Those of these keys are.
    Keys(Arc<KeyWords>),
}

impl RedisIndex {
    pub(crate) async fn find_nearest(&self, request: NearestRequest<'_>) -> Result<NearestResponse> {
        loop {
            let most = self.rows_most();
            match self.find(request).await {
                // The server has just said that it answers with fewer rows than were asked for: there are other ways.
                Err(_) if self.rows_most() < most => {}
                done => return done,
            }
        }
    }

    async fn find(&self, request: NearestRequest<'_>) -> Result<NearestResponse> {
        let dimension = self.spec.dimension;
        validate::queries(request.queries, dimension)?;
        let queries: Vec<&[f32]> = request.queries.chunks_exact(dimension).collect();
        let note = self.current_note().await?;
        match self.way(&request, &queries, note.as_ref()).await? {
            Way::Here(why) => self.compared_here(&queries, request, why).await,
            Way::Every(declined) => self.every(&queries, request, declined).await,
            Way::Halves => self.halves(&queries, request).await,
            Way::Graph { candidates, effort } => {
                let answers = self.through_all(&queries, &request, candidates, effort).await?;
                let is_whole = |answers: &Vec<Vec<Hit>>| answers.iter().all(|hits| hits.len() >= request.k);
                self.shortfalls.note(request.scope, !is_whole(&answers));
                let (hits, candidates, effort) = match self.effort(note.as_ref(), WIDE) {
                    // The view lies apart from the question: a wider look may still be enough.
                    Effort::Enough(effort) if !is_whole(&answers) && candidates < WIDE && self.pays(&request, WIDE, effort).await? => {
                        let answers = self.through_all(&queries, &request, WIDE, effort).await?;
                        self.shortfalls.note(request.scope, !is_whole(&answers));
                        (answers, WIDE, effort)
                    }
                    _ => (answers, candidates, effort),
                };
                if !is_whole(&hits) {
                    return self.every(&queries, request, Some(format!("the {candidates} nearest rows of the graph held too few of the view"))).await;
                }
                let remark = format!("HNSW, {candidates} candidates, EF_RUNTIME {effort}");
                Ok(NearestResponse { hits, exact: false, declined: None, remark: Some(remark) })
            }
        }
    }

    async fn way(&self, request: &NearestRequest<'_>, queries: &[&[f32]], note: Option<&Note>) -> Result<Way> {
        if note.is_some_and(|note| note.extreme) || !queries.iter().all(|query| self.is_plain(query)) {
            return Ok(Way::Here("numbers this large or small exceed the server's single precision, so the rows were compared here"));
        }
        if request.direction == Direction::Farthest && (self.spec.metric == Metric::Euclidean || self.schema.number == Number::Half) {
            return Ok(Way::Here("the server ranks the nearest only, so the rows were compared here"));
        }
        if request.k >= self.rows_most() {
            return Ok(Way::Here("the server answers with fewer rows at most, so the rows were compared here"));
        }
        let is_view = !matches!(request.scope, Scope::All);
        if self.schema.number == Number::Half {
            let exactly = request.precision == Precision::Exact;
            return Ok(if exactly || is_view || halves_wanted(request.k) > self.rows_most() {
                Way::Here("the server would round the query, so the rows were compared here")
            } else {
                Way::Halves
            });
        }
        if request.precision == Precision::Exact || request.direction == Direction::Farthest || self.schema.algorithm == Algorithm::Flat {
            return Ok(Way::Every(None));
        }
        let rows = self.estimate(Scope::All).await?;
        if rows < self.exact_below {
            return Ok(Way::Every(Some("the index is small, so comparing all of it is fastest".to_owned())));
        }
        let candidates = if is_view { self.wanted(request).await? } else { request.k };
        Ok(match self.effort(note, candidates) {
            Effort::Enough(effort) if is_view && !self.pays(request, candidates, effort).await? => {
                Way::Every(Some("comparing all of the view costs less than asking the graph".to_owned()))
            }
            Effort::Enough(effort) => Way::Graph { candidates, effort },
            Effort::None(why) if is_view => Way::Every(Some(format!("{why}, so all of the view was compared"))),
            Effort::None(why) => Way::Every(Some(why)),
        })
    }

    /// Of how many rows at least `k` are in a view drawn at random, nearly always.
    async fn wanted(&self, request: &NearestRequest<'_>) -> Result<usize> {
        let rows = self.estimate(Scope::All).await?;
        let within = self.estimate(request.scope).await?.max(1);
        let k = request.k as f64;
        let wanted = ((k + 3.0 * k.sqrt() + 3.0) * rows as f64 / within as f64).ceil() as usize;
        Ok(wanted.max(request.k))
    }

    async fn view(&self, request: &NearestRequest<'_>) -> Result<View> {
        let by_sample = matches!(request.scope, Scope::Samples(_)) && self.spec.items == ItemKind::Patches;
        let within = match request.scope {
            Scope::Items(set) | Scope::Samples(set) if !by_sample => set.len() as f64,
            _ => self.estimate(request.scope).await? as f64,
        };
        let (rows, wanted) = (self.estimate(Scope::All).await? as f64, self.wanted(request).await?);
        Ok(View { rows, within, wanted, by_sample, dimension: self.spec.dimension })
    }

    /// Whether the graph is worth asking, which it may be in vain, before all of a view is compared.
    async fn pays(&self, request: &NearestRequest<'_>, candidates: usize, effort: u32) -> Result<bool> {
        let view = self.view(request).await?;
        let every = view.by_all(self.schema.algorithm).min(view.by_keys());
        Ok(view.through_graph(candidates, effort) < (1.0 - self.shortfalls.likely(request.scope)) * every)
    }

    /// The effort that finds the `k` nearest.
    fn effort(&self, note: Option<&Note>, k: usize) -> Effort {
        if k > EF_MOST {
            return Effort::None(format!("the graph keeps at most {EF_MOST} rows in sight, and {k} are needed"));
        }
        if k > self.rows_most() {
            return Effort::None(format!("the server answers with at most {} rows, and {k} are needed", self.rows_most()));
        }
        let at_least = |effort: u32| Effort::Enough(effort.max(k as u32));
        if let Some(effort) = self.options.ef_runtime {
            return at_least(effort);
        }
        let Some(known) = note.and_then(|note| note.calibration.as_ref()).or(self.measured.as_ref()) else {
            return at_least(UNMEASURED.max((2 * k).min(EF_MOST) as u32));
        };
        match known.effort(k) {
            Some(effort) => at_least(effort),
            None if k <= 10 => Effort::None("no effort finds enough of the nearest in this data, so every row was compared".to_owned()),
            None => Effort::None(format!("no effort of the graph finds enough of the {k} nearest in this data")),
        }
    }

    /// The candidates of each question that are in scope, the first `k` of them in order.
    async fn through_all(&self, queries: &[&[f32]], request: &NearestRequest<'_>, candidates: usize, effort: u32) -> Result<Vec<Vec<Hit>>> {
        let mut answers: Vec<BoxFuture<'_, Result<Vec<Hit>>>> = Vec::with_capacity(queries.len());
        for query in queries {
            let answer = async move {
                let mut hits = self.through(query, candidates, effort).await?;
                hits.retain(|hit| request.scope.contains(&hit.item));
                hits.truncate(request.k);
                Ok(hits)
            };
            answers.push(answer.boxed());
        }
        stream::iter(answers).buffered(AT_ONCE).try_collect().await
    }

    /// The candidates that the graph finds for a query, in order.
    pub(crate) async fn through(&self, query: &[f32], candidates: usize, effort: u32) -> Result<Vec<Hit>> {
        Ok(self.knn(query, Among::Graph(effort), candidates).await?.hits)
    }

    /// The first `k` of all rows in scope.
    async fn every(&self, queries: &[&[f32]], request: NearestRequest<'_>, declined: Option<String>) -> Result<NearestResponse> {
        let every = &self.how(&request).await?;
        let mut answers: Vec<BoxFuture<'_, Result<Option<Vec<Hit>>>>> = Vec::with_capacity(queries.len());
        for query in queries {
            answers.push(self.every_row(query, &request, every).boxed());
        }
        let answers: Vec<Option<Vec<Hit>>> = stream::iter(answers).buffered(AT_ONCE).try_collect().await?;
        let Some(hits) = answers.into_iter().collect() else {
            let why = "the server does not tell these rows apart, or answers with too few of them, so they were compared here";
            return Ok(NearestResponse { declined, ..self.compared_here(queries, request, why).await? });
        };
        let remark = match every {
            Every::All(_) => "the server compared every row".to_owned(),
            Every::Keys(keys) => format!("the server compared the rows of {} keys", keys.count),
        };
        Ok(NearestResponse { hits, exact: true, declined, remark: Some(remark) })
    }

    /// Whether it takes less to compare all rows and to pass over those out of scope, or to send the keys of those in it.
    async fn how(&self, request: &NearestRequest<'_>) -> Result<Every> {
        let (Scope::Items(set) | Scope::Samples(set)) = request.scope else { return Ok(Every::All(request.k)) };
        let view = self.view(request).await?;
        let is_too_much = view.wanted >= self.rows_most();
        if view.within > KEYS_MOST || !is_too_much && view.by_keys() > view.by_all(self.schema.algorithm) {
            return Ok(Every::All(view.wanted));
        }
        Ok(Every::Keys(if view.by_sample {
            let ids: Vec<_> = self.patches_of(set.as_slice()).await?.into_iter().map(|patch| patch.id).collect();
            Arc::new(KeyWords::new(&self.schema.prefix, &ids))
        } else {
            self.keys.of(&self.schema.prefix, set)
        }))
    }

    /// The first `k` rows in scope for one query; `None` where the server's distances do not decide which they are.
    async fn every_row(&self, query: &[f32], request: &NearestRequest<'_>, every: &Every) -> Result<Option<Vec<Hit>>> {
        let farthest = request.direction == Direction::Farthest;
        let negated: Vec<f32>;
        let query = if farthest {
            negated = query.iter().map(|x| -x).collect();
            &negated
        } else {
            query
        };
        let (among, mut asked) = match every {
            Every::All(wanted) => (Among::All, *wanted),
            Every::Keys(keys) if keys.count == 0 => return Ok(Some(Vec::new())),
            Every::Keys(keys) => (Among::Keys(keys), request.k),
        };
        // One row more shows whether the last one ties with what follows it.
        asked = asked.max(request.k).saturating_add(1);
        loop {
            if asked > self.rows_most() {
                return Ok(None);
            }
            let found = self.knn(query, among, asked).await?;
            if found.is_unranked {
                return Ok(None);
            }
            let last = found.hits.last().map_or(f32::INFINITY, |hit| hit.distance);
            let mut hits = found.hits;
            hits.retain(|hit| request.scope.contains(&hit.item));
            // What follows the list is as far as its last row, or farther.
            let is_decided = hits.get(request.k - 1).is_some_and(|hit| hit.distance < last);
            if !found.is_all && !is_decided {
                asked = asked.saturating_mul(4);
                continue;
            }
            hits.truncate(request.k);
            if self.spec.metric == Metric::DotProduct && !hits.is_empty() && hits.iter().all(|hit| hit.distance.abs() < DROWNED) {
                return Ok(None);
            }
            if farthest {
                for hit in &mut hits {
                    hit.distance = if self.spec.metric == Metric::Cosine { 2.0 - hit.distance } else { 0.0 - hit.distance };
                }
                hits.sort_by(|a, b| b.distance.total_cmp(&a.distance).then_with(|| a.item.id.cmp(&b.item.id)));
            }
            return Ok(Some(hits));
        }
    }

    /// The server's candidates, whose stored halves are compared with the whole query.
    async fn halves(&self, queries: &[&[f32]], request: NearestRequest<'_>) -> Result<NearestResponse> {
        let candidates = halves_wanted(request.k);
        let effort = match self.effort(self.current_note().await?.as_ref(), candidates) {
            _ if self.schema.algorithm == Algorithm::Flat => None,
            Effort::Enough(effort) if self.estimate(Scope::All).await? >= self.exact_below => Some(effort),
            _ => None,
        };
        let mut lists = Vec::with_capacity(queries.len());
        for query in queries {
            let found = self.knn(query, effort.map_or(Among::All, Among::Graph), candidates).await?;
            let ids: Vec<_> = found.hits.into_iter().map(|hit| hit.item.id).collect();
            let rows = self.fetch_rows(Selector::Items(&ids)).await?.rows;
            let mut ranking = brain_core::search::Ranking::new(request.direction, request.k);
            for (item, vector) in rows.rows() {
                ranking.push(self.spec.metric.reference(query, vector) as f32, || item.clone());
            }
            lists.push(ranking.into_hits());
        }
        let remark = format!("{candidates} candidates in half precision, compared in full");
        Ok(NearestResponse { hits: lists, exact: false, declined: None, remark: Some(remark) })
    }

    async fn compared_here(&self, queries: &[&[f32]], request: NearestRequest<'_>, why: &str) -> Result<NearestResponse> {
        let queries: Vec<Vec<f32>> = queries.iter().map(|query| query.to_vec()).collect();
        let hits = brain_core::search::compare(self, &queries, request.k, request.scope, request.direction).await?;
        Ok(NearestResponse { hits, exact: true, declined: None, remark: Some(why.to_owned()) })
    }

    /// The query that the server is sent for the first question of a request.
    pub(crate) async fn explained(&self, request: NearestRequest<'_>) -> Result<String> {
        let note = self.current_note().await?;
        let queries: Vec<&[f32]> = request.queries.chunks_exact(self.spec.dimension).take(1).collect();
        let name = &self.options.name;
        Ok(match self.way(&request, &queries, note.as_ref()).await? {
            Way::Here(_) => "SCAN and the rows of its keys".to_owned(),
            Way::Halves => format!("FT.SEARCH {name} '{}'", self.query(Among::All, request.k)),
            Way::Graph { candidates, effort } => format!("FT.SEARCH {name} '{}'", self.query(Among::Graph(effort), candidates)),
            Way::Every(_) => match self.how(&request).await? {
                Every::All(wanted) => format!("FT.SEARCH {name} '{}'", self.query(Among::All, wanted + 1)),
                Every::Keys(ref keys) => format!("FT.SEARCH {name} '{}' INKEYS {} …", self.query(Among::Keys(keys), request.k + 1), keys.count),
            },
        })
    }

    /// The `k` nearest of all rows, exactly.
    pub(crate) async fn exactly(&self, query: &[f32], k: usize) -> Result<Vec<Hit>> {
        Ok(self.knn(query, Among::All, k).await?.hits)
    }
}

/// How many candidates are compared in full, where the server compares halves.
fn halves_wanted(k: usize) -> usize {
    k + k.div_ceil(2).max(20)
}

enum Effort {
    Enough(u32),
    None(String),
}
