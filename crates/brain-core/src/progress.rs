//! How long work tells what it has done.

/// Receives what long work has done so far; a progress bar, a log, or nothing.
///
/// Calls come from whichever thread does the work, often: an implementation keeps them cheap.
pub trait Progress: Send + Sync {
    /// A new piece of work begins: what it is, and how many units it has where that is known.
    fn start(&self, what: &str, total: Option<u64>);
    /// `units` more are done.
    fn advance(&self, units: u64);
    /// The piece is finished.
    fn finish(&self);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn start(&self, _what: &str, _total: Option<u64>) {}
    fn advance(&self, _units: u64) {}
    fn finish(&self) {}
}
