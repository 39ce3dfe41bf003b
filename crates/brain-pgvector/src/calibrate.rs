//! How hard a search has to look: measured once the index is built, on questions that lie among its rows.

use brain_core::search::{Calibrating, Calibration, QUESTIONS, compare, depth_of_question, questions_between};
use brain_core::{Direction, Progress, Result, Scope};
use futures::future::try_join_all;

use crate::index::PgvectorIndex;
use crate::options::Method;
use crate::search::AT_ONCE;
use crate::wire::read_vector;

/// Below so many rows all of them are compared.
pub(crate) const WORTH_IT: u64 = 1_000;

/// So many rows are looked at for each that is taken: the server reads whole pages, whose rows may be alike.
const SAMPLED: usize = 20;

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
        let questions = self.questions(rows).await?;
        if questions.is_empty() {
            progress.finish();
            return Ok(None);
        }
        let truth = compare(self, &questions, depth_of_question(0, rows), Scope::All, Direction::Nearest).await?;
        // A graph search keeps at least as many rows in sight as it is to return.
        let least = if index.method == Method::Hnsw { |k| k as u32 } else { |_| 1 };
        let mut calibrating = Calibrating::new(rows, efforts(index.method), least, &truth);
        while let Some(asked) = calibrating.ask(AT_ONCE) {
            let answers = questions[asked.questions].iter().map(|question| self.through(index, question, asked.k, asked.effort));
            calibrating.learn(&try_join_all(answers).await?);
        }
        progress.finish();
        Ok(Some(calibrating.found()))
    }

    /// What lies among the rows.
    async fn questions(&self, rows: u64) -> Result<Vec<Vec<f32>>> {
        let x = crate::quote::identifier(&self.extension);
        let send = if self.table().halves { "halfvec_send" } else { "vector_send" };
        let vector = crate::table::VECTOR_COLUMN;
        let percent = (100.0 * (SAMPLED * QUESTIONS) as f64 / rows as f64).min(100.0);
        let (table, filter) = (&self.ranked.table, self.ranked.filtered(""));
        let sampled = format!("SELECT {vector} FROM {table} TABLESAMPLE SYSTEM ({percent}){filter} ORDER BY random() LIMIT {QUESTIONS}");
        let sql = format!("SELECT {x}.{send}({vector}) FROM ({sampled}) AS sampled");
        let sql = &sql;
        let sampled = self
            .pool
            .retrying(|connection| async move { connection.query_once(&[], sql, &[]).await.map_err(|error| self.failed("sample", error)) })
            .await?;
        let mut rows = Vec::with_capacity(sampled.len());
        for row in &sampled {
            let mut vector = Vec::with_capacity(self.spec.dimension);
            if read_vector(row.get(0), self.table().halves, self.spec.dimension, &mut vector).is_some() {
                rows.push(vector);
            }
        }
        Ok(questions_between(&rows).filter(|query| self.is_plain(query)).collect())
    }
}
