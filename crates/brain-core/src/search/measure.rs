//! What an approximate index is measured with: questions whose answers are not stored, and how many of the right rows an answer holds.

use crate::Hit;

/// How far a question lies from a row, on the way to another one: what is asked is seldom stored, and stored rows are found more easily.
const AWAY: f32 = 0.2;

/// A question that lies near `row`, on the way to `other`.
pub fn question_between(row: &[f32], other: &[f32]) -> Vec<f32> {
    row.iter().zip(other).map(|(x, y)| x * (1.0 - AWAY) + y * AWAY).collect()
}

/// The share of the `k` nearest that an answer holds, or of the farther half of them, where that is less: in a view, that half may be all there is. A row that
/// ties with the last of them is as good.
pub fn recall_of(answer: &[Hit], truth: &[Hit], k: usize) -> f64 {
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
    fn a_question_lies_between_rows() {
        assert_eq!(question_between(&[1.0, 0.0], &[0.0, 1.0]), [0.8, 0.2]);
    }
}
