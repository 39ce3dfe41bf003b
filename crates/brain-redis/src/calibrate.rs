//! How hard a search has to look in a graph: measured once the rows are there, on questions that lie among them. The server itself compares all rows for the
//! exact answers.

use std::collections::HashMap;

use brain_core::search::{Calibrating, Calibration, QUESTIONS, depth_of_question, questions_between};
use brain_core::{Progress, Result, Scope};
use futures::TryStreamExt as _;
use futures::future::try_join_all;

use crate::command::Command;
use crate::index::RedisIndex;
use crate::keys;
use crate::note::{self, Note};
use crate::options::Algorithm;
use crate::search::AT_ONCE;

/// Below so many rows all of them are compared.
pub(crate) const WORTH_IT: u64 = 1_000;
/// An index that has grown or shrunk by this share since it was measured is measured again.
const CHANGED: f64 = 0.5;
/// The efforts that are tried, least first.
const EFFORTS: [u32; 14] = [10, 16, 25, 40, 64, 100, 160, 250, 400, 640, 1000, 1600, 2500, 4000];

impl RedisIndex {
    /// Finds out how hard a search of an index of this library has to look, and notes it.
    pub(crate) async fn measure(&self, progress: &dyn Progress) -> Result<()> {
        let Some(note) = self.current_note().await? else { return Ok(()) };
        if self.schema.algorithm == Algorithm::Flat || self.options.ef_runtime.is_some() {
            return Ok(());
        }
        let rows = self.count_items(Scope::All).await?;
        let is_known = note.calibration.as_ref().is_some_and(|known| known.rows.abs_diff(rows) as f64 <= known.rows as f64 * CHANGED);
        if is_known {
            return Ok(());
        }
        let Some(found) = self.calibrate(rows, progress).await? else { return Ok(()) };
        let command = Command::new("HSET").arg(keys::note(&self.options.name)).arg(note::CALIBRATION).arg(note::text(&found)?);
        let command = &command;
        self.pool.retrying(|connection| async move { self.ask(&connection, vec![command.clone()]).await }).await?;
        self.set_note(Note { calibration: Some(found), ..note });
        Ok(())
    }

    /// Finds out the effort that the graph needs; `None` where no search goes through it.
    pub(crate) async fn calibrate(&self, rows: u64, progress: &dyn Progress) -> Result<Option<Calibration>> {
        if rows < self.exact_below || self.known_note().is_some_and(|note| note.extreme) {
            return Ok(None);
        }
        progress.start("measuring the recall of the index", None);
        let found = self.calibrated(rows).await;
        progress.finish();
        found
    }

    async fn calibrated(&self, rows: u64) -> Result<Option<Calibration>> {
        let questions = self.questions().await?;
        if questions.is_empty() {
            return Ok(None);
        }
        let mut truth = Vec::with_capacity(questions.len());
        for (number, question) in questions.iter().enumerate() {
            truth.push(self.exactly(question, depth_of_question(number, rows)).await?);
        }
        let mut calibrating = Calibrating::new(rows, &EFFORTS, |k| k as u32, &truth);
        while let Some(asked) = calibrating.ask(AT_ONCE) {
            let answers = questions[asked.questions].iter().map(|question| self.through(question, asked.k, asked.effort));
            calibrating.learn(&try_join_all(answers).await?);
        }
        Ok(Some(calibrating.found()))
    }

    /// What lies among the rows. The server walks through its keys in an order that is as good as chance.
    async fn questions(&self) -> Result<Vec<Vec<f32>>> {
        let mut sampled: HashMap<String, Vec<f32>> = HashMap::new();
        let mut batches = self.rows(true);
        while let Some(batch) = batches.try_next().await? {
            sampled.extend(batch.rows().map(|(item, vector)| (item.id.to_string(), vector.to_vec())).take(2 * QUESTIONS - sampled.len()));
            if sampled.len() >= 2 * QUESTIONS {
                break;
            }
        }
        let sampled: Vec<Vec<f32>> = sampled.into_values().collect();
        Ok(questions_between(&sampled).filter(|query| self.is_plain(query)).take(QUESTIONS).collect())
    }
}
