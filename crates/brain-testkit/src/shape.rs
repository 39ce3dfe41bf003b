//! Vectors of the shapes that searches go wrong on.

use crate::random::Random;

/// How the vectors of a test lie in space. No shape has a zero vector, so each can be ranked by every metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Independent normal numbers: nothing is near anything.
    Isotropic,
    /// Twelve dense clusters, as embeddings of photos have.
    Clustered,
    /// Few different vectors, each many times: most of an answer is ties.
    Duplicates,
    /// Whole numbers from -1 to 2: many distances tie without the vectors being equal.
    Lattice,
    /// Few directions, both ways, of many lengths: under cosine all rows of a direction tie, up to what rounding makes of their lengths.
    Collinear,
    /// A common offset of 100 beside a spread of 1: sums of products lose what tells the rows apart.
    OffsetMeans,
    /// A single number each: under cosine all distances are 0 or 2.
    OneDimension,
    /// 2,500 numbers, more than a pgvector index or a block of a kernel takes at once.
    Wide,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 8] =
        [Self::Isotropic, Self::Clustered, Self::Duplicates, Self::Lattice, Self::Collinear, Self::OffsetMeans, Self::OneDimension, Self::Wide];

    /// How many numbers a vector of this shape has.
    pub fn dimension(self) -> usize {
        match self {
            Self::Isotropic => 13,
            Self::Clustered => 16,
            Self::Duplicates => 8,
            Self::Lattice => 5,
            Self::Collinear => 3,
            Self::OffsetMeans => 12,
            Self::OneDimension => 1,
            Self::Wide => 2_500,
        }
    }

    /// `count` vectors; another seed draws other vectors from the same clusters and offsets, so that queries lie among the rows.
    pub fn vectors(self, count: usize, seed: u64) -> Vec<Vec<f32>> {
        let mut random = Random::new(seed);
        let dimension = self.dimension();
        match self {
            Self::Isotropic | Self::OneDimension => (0..count).map(|_| normal(&mut random, dimension, 1.0)).collect(),
            // Of length 1 or so, as embeddings are: the rounding of longer sums would be measured against larger distances.
            Self::Wide => (0..count).map(|_| normal(&mut random, dimension, 0.02)).collect(),
            Self::Clustered => {
                let mut fixed = Random::new(12);
                let centres: Vec<_> = (0..12).map(|_| normal(&mut fixed, dimension, 1.0)).collect();
                (0..count).map(|_| around(&centres[random.below(12)], &mut random, 0.1)).collect()
            }
            Self::OffsetMeans => (0..count).map(|_| around(&[100.0; 12], &mut random, 1.0)).collect(),
            Self::Duplicates => {
                let mut fixed = Random::new(25);
                let originals: Vec<_> = (0..25).map(|_| normal(&mut fixed, dimension, 1.0)).collect();
                (0..count).map(|_| originals[random.below(25)].clone()).collect()
            }
            Self::Collinear => {
                let mut fixed = Random::new(4);
                let directions: Vec<_> = (0..4).map(|_| normal(&mut fixed, dimension, 1.0)).collect();
                let lengths = |random: &mut Random| (0.5 + 10.0 * random.unit() as f32) * if random.below(2) == 0 { 1.0 } else { -1.0 };
                (0..count)
                    .map(|_| {
                        let (direction, length) = (&directions[random.below(4)], lengths(&mut random));
                        direction.iter().map(|x| x * length).collect()
                    })
                    .collect()
            }
            Self::Lattice => (0..count).map(|_| lattice(&mut random, dimension)).collect(),
        }
    }
}

fn normal(random: &mut Random, dimension: usize, scale: f32) -> Vec<f32> {
    (0..dimension).map(|_| random.normal() * scale).collect()
}

fn around(centre: &[f32], random: &mut Random, spread: f32) -> Vec<f32> {
    centre.iter().map(|x| x + random.normal() * spread).collect()
}

fn lattice(random: &mut Random, dimension: usize) -> Vec<f32> {
    let mut vector: Vec<f32> = (0..dimension).map(|_| random.below(4) as f32 - 1.0).collect();
    if vector.iter().all(|&x| x == 0.0) {
        vector[0] = 1.0;
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_usable_vectors() {
        for shape in Shape::ALL {
            let vectors = shape.vectors(50, 3);
            assert_eq!(vectors, shape.vectors(50, 3));
            assert_ne!(vectors, shape.vectors(50, 4));
            assert!(vectors.iter().all(|vector| vector.len() == shape.dimension() && vector.iter().any(|&x| x != 0.0)), "{shape:?}");
        }
    }
}
