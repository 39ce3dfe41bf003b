//! Counts to plan searches with.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Result, Scope};

/// How many counts are kept.
const KEPT: usize = 64;

/// What was counted: items or samples, in which scope.
type Counted = (bool, Option<(bool, u64, usize)>);

/// Counts of an index on a server, each of which serves for a while: a plan does not depend on the last row.
#[derive(Debug, Default)]
pub struct Estimates(Mutex<HashMap<Counted, Estimate>>);

#[derive(Clone, Copy, Debug)]
struct Estimate {
    count: u64,
    at: Instant,
    changes: u64,
}

impl Estimates {
    /// For how long a count serves.
    pub const SERVES: Duration = Duration::from_secs(10);

    /// The items in scope, or their samples: as they were counted a moment ago, or as `count` says. `changes` is how many changes this process has made, of
    /// which each makes new counts necessary.
    ///
    /// # Errors
    /// Those of `count`.
    pub async fn of(&self, samples: bool, scope: Scope<'_>, changes: u64, count: impl Future<Output = Result<u64>>) -> Result<u64> {
        let key = match scope {
            Scope::All => (samples, None),
            Scope::Items(set) => (samples, Some((false, set.digest(), set.len()))),
            Scope::Samples(set) => (samples, Some((true, set.digest(), set.len()))),
        };
        let is_good = |estimate: &Estimate| estimate.changes == changes && estimate.at.elapsed() < Self::SERVES;
        if let Some(known) = self.known().get(&key).filter(|estimate| is_good(estimate)) {
            return Ok(known.count);
        }
        let at = Instant::now();
        let count = count.await?;
        let mut known = self.known();
        if known.len() >= KEPT {
            known.retain(|_, estimate| is_good(estimate));
            if known.len() >= KEPT {
                known.clear();
            }
        }
        known.insert(key, Estimate { count, at, changes });
        Ok(count)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Counted, Estimate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::ItemSet;

    fn of(known: &Estimates, samples: bool, scope: Scope<'_>, changes: u64, count: u64) -> u64 {
        known.of(samples, scope, changes, async move { Ok(count) }).now_or_never().unwrap().unwrap()
    }

    #[test]
    fn a_count_serves_until_something_changes() {
        let (known, set) = (Estimates::default(), ItemSet::new(vec!["a".into()]));
        assert_eq!((of(&known, false, Scope::All, 0, 1), of(&known, false, Scope::All, 0, 2)), (1, 1));
        assert_eq!((of(&known, true, Scope::All, 0, 3), of(&known, false, Scope::Items(&set), 0, 4)), (3, 4));
        assert_eq!((of(&known, false, Scope::Samples(&set), 0, 5), of(&known, false, Scope::Items(&set), 0, 6)), (5, 4));
        assert_eq!((of(&known, false, Scope::All, 1, 7), of(&known, false, Scope::All, 1, 8)), (7, 7));
    }

    #[test]
    fn no_more_counts_are_kept_than_serve() {
        let known = Estimates::default();
        for number in 0..1_000 {
            let set = ItemSet::new(vec![number.to_string().as_str().into()]);
            of(&known, false, Scope::Items(&set), 1, number);
            assert!(known.known().len() <= KEPT);
        }
    }
}
