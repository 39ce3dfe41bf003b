//! Pictures among sentences: the mean of what the most probable classes of a picture mean (ConSE, Norouzi et al. 2014).

use std::fs;
use std::path::{Path, PathBuf};

use brain_core::{Error, Result};

use super::wire;
use crate::manifest::Classes;
use crate::sums::{of_bytes, write_whole};
use crate::text::TextTower;

/// What each class of a classifier means, in the space of sentences.
pub(crate) struct ClassVectors {
    /// Row after row, in the order of the scores.
    vectors: Vec<f32>,
    dimension: usize,
    top: usize,
}

impl ClassVectors {
    /// The vectors of the classes that `table` names.
    ///
    /// They take a run of the text tower each, and so they are kept in `folder`, under a name that changes with all they were made from;
    /// `made_from` names the text tower's files.
    pub(crate) fn new(classes: &Classes, table: &[u8], text: &TextTower, dimension: usize, folder: Option<&Path>, made_from: &str) -> Result<Self> {
        let sentences = sentences(classes, table)?;
        let digest = of_bytes(format!("{made_from}\n{}", sentences.join("\n")).as_bytes());
        let kept = folder.map(|folder| folder.join(format!("class-vectors-{}.f32", &digest[..16])));
        let vectors = match kept.as_ref().and_then(|path| read(path, sentences.len() * dimension)) {
            Some(vectors) => vectors,
            None => {
                let mut vectors = text.embed(&sentences)?;
                wire::normalise(&mut vectors, dimension);
                if let Some(path) = &kept {
                    // Where nothing can be kept they are made again next time.
                    let _ = write_whole(path, &vectors.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
                }
                vectors
            }
        };
        Ok(Self { vectors, dimension, top: classes.top })
    }

    /// How many classes there are.
    pub(crate) fn count(&self) -> usize {
        self.vectors.len() / self.dimension
    }

    /// Σ p(c)·v(c) over the most probable classes, p being the softmax of all scores.
    pub(crate) fn mean(&self, scores: &[f32]) -> Vec<f32> {
        let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let odds: Vec<f64> = scores.iter().map(|score| f64::from(score - largest).exp()).collect();
        let total: f64 = odds.iter().sum();
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        let mut mean = vec![0.0_f64; self.dimension];
        for class in order.into_iter().take(self.top) {
            let share = odds[class] / total;
            let vector = &self.vectors[class * self.dimension..][..self.dimension];
            mean.iter_mut().zip(vector).for_each(|(mean, value)| *mean += share * f64::from(*value));
        }
        mean.into_iter().map(|value| value as f32).collect()
    }
}

/// The sentence of each class.
fn sentences(classes: &Classes, table: &[u8]) -> Result<Vec<String>> {
    let wrong = |what: String| {
        Error::invalid(format!("the table of classes {} {what}", classes.file)).with_hint("its lines are: id, lemmas, definition, separated by tabs")
    };
    let table = std::str::from_utf8(table).map_err(|error| wrong(format!("is no text: {error}")))?;
    let sentence = |(at, line): (usize, &str)| match line.split('\t').collect::<Vec<_>>()[..] {
        [_, lemmas, definition] => Ok(classes.sentence.replace("{lemmas}", lemmas).replace("{definition}", definition)),
        _ => Err(wrong(format!("has no three columns in line {}", at + 1))),
    };
    table.lines().enumerate().map(sentence).collect()
}

fn read(path: &PathBuf, numbers: usize) -> Option<Vec<f32>> {
    let bytes = fs::read(path).ok().filter(|bytes| bytes.len() == numbers * 4)?;
    Some(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_probable_classes_are_averaged_by_their_probability() {
        let classes = ClassVectors { vectors: vec![1.0, 0.0, 0.0, 1.0, 5.0, 5.0], dimension: 2, top: 2 };
        // Probabilities 3/5, 1/5, 1/5: of classes with the same score the first counts.
        let scores = [3.0_f32.ln() + 700.0, 700.0, 700.0];
        let mean = classes.mean(&scores);
        assert!((mean[0] - 0.6).abs() < 1e-4 && (mean[1] - 0.2).abs() < 1e-4, "{mean:?}");
        assert_eq!(classes.count(), 3);
    }

    #[test]
    fn a_table_of_classes_is_read_by_lines() {
        let classes = Classes { file: "t.tsv".into(), sentence: "a photo of {lemmas}: {definition}".into(), top: 1 };
        assert_eq!(sentences(&classes, b"n01\ttench, fish\tgame fish\n").unwrap(), ["a photo of tench, fish: game fish"]);
        assert!(sentences(&classes, b"n01\ttench\n").unwrap_err().message().contains("line 1"));
    }
}
