//! How hard a search has to look in a graph: found out once, by questions whose exact answers are known.
//!
//! Questions that lie among the rows, but are none of them, are asked. The server itself compares all rows for the exact answers; then the graph answers
//! with more and more effort, until enough of its answers are right. Data that no effort serves, such as noise without any neighbourhood, is answered
//! exactly from then on.

use std::collections::HashMap;

use brain_core::search::{question_between, recall_of};
use brain_core::{Progress, Result, Scope};
use futures::TryStreamExt as _;

use crate::command::Command;
use crate::index::RedisIndex;
use crate::keys;
use crate::note::{self, Calibration, Note};
use crate::options::Algorithm;

/// How many questions are asked.
const ASKED: usize = 40;
/// The share of right rows that is wanted, over what is promised (0.99), as it is measured on a sample.
const RECALL: f64 = 0.995;
/// For how many neighbours effort is measured. Views need many: what is outside of them is passed over.
const MEASURED: [usize; 5] = [10, 30, 100, 300, 1000];
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
        let queries = self.sample().await?;
        if queries.is_empty() {
            return Ok(None);
        }
        let most = usize::try_from(rows).unwrap_or(usize::MAX);
        let deepest = MEASURED[MEASURED.len() - 1].min(most);
        let mut truth = Vec::with_capacity(queries.len());
        for query in &queries {
            truth.push(self.exactly(query, deepest).await?);
        }
        let mut found = Calibration { brain: 1, rows, efforts: Vec::new(), recall: 0.0 };
        let mut efforts = EFFORTS.into_iter().peekable();
        for k in MEASURED.into_iter().filter(|&k| k <= most) {
            // More neighbours never take less effort.
            let mut enough = None;
            while let Some(&effort) = efforts.peek() {
                let effort = effort.max(k as u32);
                let (mut share, count) = (0.0, queries.len() as f64);
                for (asked, (query, truth)) in queries.iter().zip(&truth).enumerate() {
                    share += recall_of(&self.through(query, k, effort).await?, truth, k) / count;
                    // Were all others answered rightly, it would still be too little.
                    if k > MEASURED[0] && share + (count - 1.0 - asked as f64) / count < RECALL {
                        break;
                    }
                }
                if k == MEASURED[0] {
                    found.recall = share.min(1.0);
                }
                if share >= RECALL {
                    enough = Some(effort);
                    break;
                }
                efforts.next();
            }
            found.efforts.push((k, enough));
        }
        Ok(Some(found))
    }

    /// Vectors that lie among those that are stored. The server walks through its keys in an order that is as good as chance.
    async fn sample(&self) -> Result<Vec<Vec<f32>>> {
        let mut sampled: HashMap<String, Vec<f32>> = HashMap::new();
        let mut batches = self.rows(true);
        while let Some(batch) = batches.try_next().await? {
            sampled.extend(batch.rows().map(|(item, vector)| (item.id.to_string(), vector.to_vec())).take(2 * ASKED - sampled.len()));
            if sampled.len() >= 2 * ASKED {
                break;
            }
        }
        let sampled: Vec<Vec<f32>> = sampled.into_values().collect();
        let between = (0..sampled.len()).map(|number| question_between(&sampled[number], &sampled[(number + 1) % sampled.len()]));
        Ok(between.filter(|query| self.is_plain(query)).take(ASKED).collect())
    }
}
