//! The stream of samples that every reader gives.

use std::fmt;
use std::path::Path;

use brain_core::{Error, Result, Sample};

/// Why a source has no sample to give.
pub(super) enum Fault {
    /// This record is bad; the next one may be good.
    Record(Error),
    /// Nothing more can be read.
    Fatal(Error),
}

/// What a reader implements: samples and faults, one at a time.
pub(super) type Source = Box<dyn Iterator<Item = Result<Sample, Fault>> + Send>;

/// The samples of a file or a folder, one at a time, in the order of the source.
///
/// An `Err` is one bad record, named by file and place; iteration goes on after it. When the source itself fails, its error is the last item
/// and [`broke_off`](Self::broke_off) is true from then on: whoever skips bad records must look at it, or a cut-off file passes for a whole one.
pub struct Samples {
    source: Option<Source>,
    total: Option<u64>,
    broke_off: bool,
}

impl Samples {
    pub(super) fn new(source: impl Iterator<Item = Result<Sample, Fault>> + Send + 'static, total: Option<u64>) -> Self {
        Self { source: Some(Box::new(source)), total, broke_off: false }
    }

    /// How many records the source has, bad ones included, for a progress bar; `None` where counting would cost as much as reading.
    ///
    /// A JSON Lines file is counted by its line ends, so that blank lines count too.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether the last error ended the stream before its source was read to the end.
    pub fn broke_off(&self) -> bool {
        self.broke_off
    }
}

impl Iterator for Samples {
    type Item = Result<Sample>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.source.as_mut()?.next() {
            Some(Ok(sample)) => Some(Ok(sample)),
            Some(Err(Fault::Record(error))) => Some(Err(error)),
            Some(Err(Fault::Fatal(error))) => {
                self.source = None;
                self.broke_off = true;
                Some(Err(error))
            }
            None => {
                self.source = None;
                None
            }
        }
    }
}

impl std::iter::FusedIterator for Samples {}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Samples").field("total", &self.total).field("broke_off", &self.broke_off).finish_non_exhaustive()
    }
}

/// The error of a sample that could not be written to `path`: the disk's, or what JSON cannot say of it.
pub(super) fn unwritable(sample: &Sample, path: &Path, error: serde_json::Error) -> Error {
    if error.is_io() {
        return Error::io("write", path, error.into());
    }
    let name = sample.id.as_ref().map_or_else(|| sample.filepath.clone(), ToString::to_string);
    Error::invalid(format!("sample {name} cannot be exported: {error}")).with_operation("export")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fatal_error_is_the_last_item_and_is_told_apart() {
        let source =
            vec![Ok(Sample::default()), Err(Fault::Record(Error::invalid("one"))), Err(Fault::Fatal(Error::corrupt("two"))), Ok(Sample::default())];
        let mut samples = Samples::new(source.into_iter(), Some(4));
        assert!(samples.next().is_some_and(|item| item.is_ok()));
        assert!(samples.next().is_some_and(|item| item.is_err()));
        assert!(!samples.broke_off());
        assert!(samples.next().is_some_and(|item| item.is_err()));
        assert!(samples.next().is_none() && samples.broke_off());
    }
}
