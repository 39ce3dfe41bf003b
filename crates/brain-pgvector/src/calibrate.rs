//! How hard a search has to look: found out once, by questions whose exact answers are known.
//!
//! Questions that lie among the rows, but are none of them, are asked. The exact answers come from one pass over all rows, as they stream by; then the index
//! answers with more and more effort, until enough of its answers are right. Data that no effort serves, such as noise without any neighbourhood, is
//! answered exactly from then on.

use brain_core::search::{question_between, recall_of};
use brain_core::{Direction, Progress, Result, Scope};

use crate::index::PgvectorIndex;
use crate::options::Method;
use crate::table::Calibration;
use crate::wire::read_vector;

/// How many questions are asked.
const ASKED: usize = 40;
/// The share of right rows that is wanted, over what is promised (0.99), as it is measured on a sample.
const RECALL: f64 = 0.995;
/// For how many neighbours effort is measured. Views need many: what is outside of them is passed over.
const MEASURED: [usize; 5] = [10, 30, 100, 300, 1000];
/// Below so many rows all of them are compared.
pub(crate) const WORTH_IT: u64 = 1_000;

/// The efforts that are tried, least first.
fn efforts(method: Method) -> &'static [u32] {
    match method {
        Method::Hnsw => &[40, 64, 100, 160, 250, 400, 640, 1000],
        Method::Ivfflat => &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
    }
}

impl PgvectorIndex {
    /// Finds out the effort that the index needs; `None` where no search goes through it.
    pub(crate) async fn calibrate(&self, rows: u64, progress: &dyn Progress) -> Result<Option<Calibration>> {
        let table = self.table();
        let Some(index) = table.index_for(self.spec.metric, self.spec.dimension).filter(|_| rows >= self.exact_below) else {
            return Ok(None);
        };
        // No search of such a table is left to the server.
        if table.note.is_some_and(|note| note.extreme) {
            return Ok(None);
        }
        progress.start("measuring the recall of the index", None);
        let queries = self.sample(rows).await?;
        if queries.is_empty() {
            progress.finish();
            return Ok(None);
        }
        let most = usize::try_from(rows).unwrap_or(usize::MAX);
        let deepest = MEASURED[MEASURED.len() - 1].min(most);
        let truth = brain_core::search::compare(self, &queries, deepest, Scope::All, Direction::Nearest).await?;
        let mut found = Calibration { brain: 1, rows, efforts: Vec::new(), recall: 0.0 };
        let mut efforts = efforts(index.method).iter().copied().peekable();
        for k in MEASURED.into_iter().filter(|&k| k <= most) {
            // More neighbours never take less effort.
            let mut enough = None;
            while let Some(&effort) = efforts.peek() {
                let (mut share, count) = (0.0, queries.len() as f64);
                for (asked, (query, truth)) in queries.iter().zip(&truth).enumerate() {
                    share += recall_of(&self.through(index, query, k, effort.max(least(index.method, k))).await?, truth, k) / count;
                    // Were all others answered rightly, it would still be too little.
                    if k > MEASURED[0] && share + (count - 1.0 - asked as f64) / count < RECALL {
                        break;
                    }
                }
                if k == MEASURED[0] {
                    // Shares that were added up may come to a little more than all.
                    found.recall = share.min(1.0);
                }
                if share >= RECALL {
                    enough = Some(effort.max(least(index.method, k)));
                    break;
                }
                efforts.next();
            }
            found.efforts.push((k, enough));
        }
        progress.finish();
        Ok(Some(found))
    }

    /// Vectors that lie among those that are stored.
    async fn sample(&self, rows: u64) -> Result<Vec<Vec<f32>>> {
        let x = crate::quote::identifier(&self.extension);
        let send = if self.table().halves { "halfvec_send" } else { "vector_send" };
        let percent = (100.0 * 2.0 * ASKED as f64 / rows as f64).min(100.0);
        let sql = format!(
            "SELECT {x}.{send}({}) FROM {} TABLESAMPLE BERNOULLI ({percent}){} ORDER BY random() LIMIT {ASKED}",
            crate::table::VECTOR_COLUMN,
            self.ranked.table,
            self.ranked.filtered("")
        );
        let sql = &sql;
        let sampled = self
            .pool
            .retrying(|connection| async move { connection.query_once(&[], sql, &[]).await.map_err(|error| self.failed("sample", error)) })
            .await?;
        let mut queries = Vec::with_capacity(sampled.len());
        for row in &sampled {
            let mut vector = Vec::with_capacity(self.spec.dimension);
            if read_vector(row.get(0), self.table().halves, self.spec.dimension, &mut vector).is_some() {
                queries.push(vector);
            }
        }
        let between = (0..queries.len()).map(|number| question_between(&queries[number], &queries[(number + 1) % queries.len()]));
        Ok(between.filter(|query| self.is_plain(query)).collect())
    }
}

/// A graph search keeps at least as many rows in sight as it is to return.
fn least(method: Method, k: usize) -> u32 {
    if method == Method::Hnsw { k as u32 } else { 1 }
}
