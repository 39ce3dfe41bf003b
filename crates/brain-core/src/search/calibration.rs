//! How hard an approximate index has to look: found out once, by questions whose exact answers are known.
//!
//! A backend draws some of its rows, and asks for what lies between them. Of each question it knows the exact answer; [`Calibrating`] says which question to
//! ask with which effort, until enough of the answers are right. A search that goes astray loses the whole of its answer, so that it takes many questions
//! to tell one in a hundred of those from none. Data that no effort serves, such as noise without any neighbourhood, is answered exactly from then on.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Hit;

/// How many questions are asked.
pub const QUESTIONS: usize = 300;
/// Of those, so many are asked for more than a few neighbours.
const DEEP: usize = 40;
/// For how many neighbours effort is measured. Views need many: what is outside of them is passed over.
const MEASURED: [usize; 5] = [10, 30, 100, 300, 1000];
/// The share of right rows that is wanted, over what is promised (0.99), as it is measured on a sample.
const RECALL: f64 = 0.995;
/// How far a question lies from a row, on the way to another one: what is asked is seldom stored, and stored rows are found more easily.
const AWAY: f32 = 0.2;

/// What was found out about the recall of an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The version of this note.
    pub brain: u32,
    /// How many rows there were.
    pub rows: u64,
    /// How many nearest were asked for, and the effort that finds them; `None` where none does. The numbers ascend.
    pub efforts: Vec<(usize, Option<u32>)>,
    /// The share of the 10 nearest that was found.
    pub recall: f64,
}

impl Calibration {
    /// The effort that finds the `k` nearest: that of the next number that was measured.
    pub fn effort(&self, k: usize) -> Option<u32> {
        self.efforts.iter().find(|(measured, _)| *measured >= k).and_then(|(_, effort)| *effort)
    }
}

/// Questions that lie near the rows of a sample, each on the way to the next one.
pub fn questions_between(sample: &[Vec<f32>]) -> impl Iterator<Item = Vec<f32>> {
    let next = sample.iter().cycle().skip(1);
    sample.iter().zip(next).map(|(row, other)| row.iter().zip(other).map(|(x, y)| x * (1.0 - AWAY) + y * AWAY).collect())
}

/// How many of the nearest have to be known for this question, of an index of so many rows.
pub fn depth_of_question(number: usize, rows: u64) -> usize {
    let depth = MEASURED[if number < DEEP { MEASURED.len() - 1 } else { 0 }];
    usize::try_from(rows).map_or(depth, |rows| depth.min(rows))
}

/// What to ask of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The numbers of the questions.
    pub questions: Range<usize>,
    /// How many nearest each is asked for.
    pub k: usize,
    /// With which effort.
    pub effort: u32,
}

/// A calibration under way.
#[derive(Debug)]
pub struct Calibrating<'a> {
    efforts: &'a [u32],
    /// The least effort that a search for so many can be given.
    least: fn(usize) -> u32,
    truth: &'a [Vec<Hit>],
    found: Calibration,
    /// Where it stands: the effort, the question, and how many answers were right, in parts too.
    effort: usize,
    question: usize,
    right: f64,
}

impl<'a> Calibrating<'a> {
    /// Of an index of so many `rows`, with these `efforts`, least first. `truth` holds the exact answer of each question, as
    /// [deep](depth_of_question) as it takes.
    pub fn new(rows: u64, efforts: &'a [u32], least: fn(usize) -> u32, truth: &'a [Vec<Hit>]) -> Self {
        let found = Calibration { brain: 1, rows, efforts: Vec::new(), recall: 0.0 };
        Self { efforts, least, truth, found, effort: 0, question: 0, right: 0.0 }
    }

    /// What to ask next, at most so many questions at once; `None` when all is known.
    pub fn ask(&mut self, most: usize) -> Option<Asked> {
        let rows = usize::try_from(self.found.rows).unwrap_or(usize::MAX);
        loop {
            let k = *MEASURED.get(self.found.efforts.len()).filter(|&&k| k <= rows)?;
            if let Some(&effort) = self.efforts.get(self.effort) {
                let questions = self.question..self.count().min(self.question + most.max(1));
                return Some(Asked { questions, k, effort: effort.max((self.least)(k)) });
            }
            // More neighbours never take less effort.
            self.found.efforts.push((k, None));
        }
    }

    /// Takes the answers to that, in order. Those that come after it was decided are passed over.
    pub fn learn(&mut self, answers: &[Vec<Hit>]) {
        let Some(Asked { k, effort, .. }) = self.ask(answers.len()) else { return };
        let (count, first) = (self.count(), self.is_first());
        let is_last = self.effort + 1 == self.efforts.len();
        // Were all others answered rightly, it could still be too little; but the last effort's recall is wanted all the same.
        let at_best = |this: &Self| (this.right + count.saturating_sub(this.question) as f64) / count.max(1) as f64;
        for answer in answers {
            self.right += self.truth.get(self.question).map_or(1.0, |truth| recall_of(answer, truth, k));
            self.question += 1;
            if at_best(self) < RECALL && !(first && is_last) {
                break;
            }
        }
        let at_best = at_best(self);
        if self.question < count && (at_best >= RECALL || (first && is_last)) {
            return;
        }
        if first {
            self.found.recall = at_best;
        }
        (self.question, self.right) = (0, 0.0);
        if at_best >= RECALL {
            self.found.efforts.push((k, Some(effort)));
        } else {
            self.effort += 1;
        }
    }

    /// Whether it is about the few nearest, of which all questions are asked.
    fn is_first(&self) -> bool {
        self.found.efforts.is_empty()
    }

    /// How many questions there are.
    fn count(&self) -> usize {
        if self.is_first() { self.truth.len() } else { self.truth.len().min(DEEP) }
    }

    /// What was found out.
    pub fn found(self) -> Calibration {
        self.found
    }
}

/// The share of the `k` nearest that an answer holds, or of the farther half of them, where that is less: in a view, that half may be all there is. A row that
/// ties with the last of them is as good.
fn recall_of(answer: &[Hit], truth: &[Hit], k: usize) -> f64 {
    let k = k.min(truth.len());
    let within = |count: usize| {
        let Some(last) = count.checked_sub(1).and_then(|last| truth.get(last)) else { return 0 };
        let near = last.distance + last.distance.abs() * 1e-6 + 1e-9;
        answer.iter().filter(|hit| hit.distance <= near).count().min(count)
    };
    let share = |found: usize, of: usize| if of == 0 { 1.0 } else { found as f64 / of as f64 };
    let (all, nearer) = (within(k), within(k / 2));
    share(all, k).min(share(all - nearer, k - k / 2))
}

#[cfg(test)]
mod tests {
    use crate::Item;

    use super::*;

    fn hits(distances: &[f32]) -> Vec<Hit> {
        distances.iter().enumerate().map(|(number, &distance)| Hit { item: Item::sample(format!("{number}").as_str().into()), distance }).collect()
    }

    #[test]
    fn recall_counts_ties_and_the_farther_half() {
        let truth = hits(&[1.0, 2.0, 2.0, 3.0]);
        assert_eq!(recall_of(&hits(&[1.0, 2.0]), &truth, 2), 1.0);
        assert_eq!(recall_of(&hits(&[1.0, 3.0]), &truth, 2), 0.0);
        assert_eq!(recall_of(&hits(&[]), &truth, 2), 0.0);
        assert_eq!(recall_of(&hits(&[0.0]), &hits(&[0.0]), 10), 1.0);
        // Nine of ten, but of the farther five only four.
        let numbers: Vec<f32> = (1..=10).map(|number| number as f32).collect();
        assert_eq!(recall_of(&hits(&numbers[..9]), &hits(&numbers), 10), 0.8);
    }

    #[test]
    fn questions_lie_between_rows() {
        let between: Vec<_> = questions_between(&[vec![1.0, 0.0], vec![0.0, 1.0]]).collect();
        assert_eq!(between, [[0.8, 0.2], [0.2, 0.8]]);
    }

    /// Asks an index of 500 rows that finds so many of `k` with an effort, for each question; what was found out, and how many questions it took. However
    /// many are asked at once, the same is found out.
    fn calibrated(efforts: &[u32], finds: impl Fn(usize, usize, u32) -> usize) -> (Calibration, usize) {
        let (found, asked) = calibrated_by(1, efforts, &finds);
        let (same, _) = calibrated_by(7, efforts, &finds);
        assert_eq!(found, same);
        (found, asked)
    }

    fn calibrated_by(most: usize, efforts: &[u32], finds: impl Fn(usize, usize, u32) -> usize) -> (Calibration, usize) {
        let numbers: Vec<f32> = (0..500).map(|number| number as f32).collect();
        let truth: Vec<Vec<Hit>> = (0..QUESTIONS).map(|number| hits(&numbers[..depth_of_question(number, 500)])).collect();
        let mut calibrating = Calibrating::new(500, efforts, |k| k as u32, &truth);
        let mut asked = 0;
        while let Some(Asked { questions, k, effort }) = calibrating.ask(most) {
            asked += questions.len();
            let answers: Vec<_> = questions.map(|question| hits(&numbers[..finds(question, k, effort)])).collect();
            calibrating.learn(&answers);
        }
        (calibrating.found(), asked)
    }

    #[test]
    fn the_least_effort_that_is_enough_is_found_for_each_number() {
        // An effort finds as many rows as it says.
        let (found, asked) = calibrated(&[5, 20, 100], |_, k, effort| k.min(effort as usize));
        // An effort below the number asked for is raised to it.
        assert_eq!(found.efforts, [(10, Some(10)), (30, Some(30)), (100, Some(100)), (300, Some(300))]);
        assert_eq!((found.recall, asked), (1.0, QUESTIONS + 3 * DEEP));
        assert_eq!((found.effort(10), found.effort(11), found.effort(301)), (Some(10), Some(30), None));
    }

    #[test]
    fn one_lost_answer_in_a_hundred_is_too_many() {
        let astray = |every: usize| move |question: usize, k: usize, effort: u32| if effort < 64 && question % every == 7 { 0 } else { k };
        assert_eq!(calibrated(&[32, 64], astray(100)).0.effort(10), Some(64));
        assert_eq!(calibrated(&[32, 64], astray(QUESTIONS)).0.effort(10), Some(32));
    }

    #[test]
    fn what_no_effort_finds_is_none_and_its_recall_is_known() {
        let (found, asked) = calibrated(&[16, 32, 64], |_, k, _| k / 2);
        assert_eq!(found.efforts, [(10, None), (30, None), (100, None), (300, None)]);
        // All of the last effort's answers are asked for; of the others a few show that they are too bad.
        assert_eq!((found.recall, asked), (0.0, QUESTIONS + 2 * 2));
    }
}
