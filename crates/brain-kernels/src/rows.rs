//! Rows of numbers as they are stored.

use half::f16;

use crate::instructions::{Instructions, LANES};

/// Rows one after the other, in single or half precision. Half-precision numbers are widened as they are compared, which is exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rows<'a> {
    /// Four bytes a number.
    Single(&'a [f32]),
    /// Two bytes a number.
    Half(&'a [f16]),
}

impl Rows<'_> {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Single(numbers) => numbers.len(),
            Self::Half(numbers) => numbers.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the numbers in single precision to `out`.
    pub fn widen_into(&self, out: &mut Vec<f32>) {
        match self {
            Self::Single(numbers) => out.extend_from_slice(numbers),
            Self::Half(numbers) => out.extend(numbers.iter().map(|number| number.to_f32())),
        }
    }
}

impl<'a> From<&'a [f32]> for Rows<'a> {
    fn from(numbers: &'a [f32]) -> Self {
        Self::Single(numbers)
    }
}

impl<'a> From<&'a [f16]> for Rows<'a> {
    fn from(numbers: &'a [f16]) -> Self {
        Self::Half(numbers)
    }
}

/// A number as rows are stored in.
pub(crate) trait Stored: Copy + Default {
    /// Sixteen of them, in single precision.
    fn load<I: Instructions>(instructions: I, numbers: &[Self; LANES]) -> I::Floats;
    /// One of them, in single precision.
    fn widen(self) -> f32;
}

impl Stored for f32 {
    #[inline(always)]
    fn load<I: Instructions>(instructions: I, numbers: &[Self; LANES]) -> I::Floats {
        instructions.load(numbers)
    }

    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

impl Stored for f16 {
    #[inline(always)]
    fn load<I: Instructions>(instructions: I, numbers: &[Self; LANES]) -> I::Floats {
        instructions.load_half(numbers)
    }

    #[inline(always)]
    fn widen(self) -> f32 {
        self.to_f32()
    }
}
