//! Random histories, with the power lost at every instant of them: before each change to a file, what would then be on the medium is opened and compared
//! with what was acknowledged.
//!
//! The database is taken as it is at that instant: SQLite makes a transaction durable before it says that it is committed.

mod medium;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use brain_core::Metric;
use brain_testkit::random::Random;
use futures::executor::block_on;
use proptest::prelude::*;

use crate::model_tests::{Model, Step, TINY, apply, backend, compare, half, rows, spec, steps};
use medium::{Fate, Medium};

pub(crate) use medium::Event;

/// The homes that are watched.
static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

struct Watched {
    home: PathBuf,
    medium: Medium,
    moments: Vec<Moment>,
}

/// An instant at which the power may be lost.
struct Moment {
    medium: Medium,
    database: Vec<(PathBuf, Vec<u8>)>,
    /// What was about to happen.
    before: String,
}

/// Takes note of what is about to happen to a file, or was synced. Whoever tells holds the writer's lock, or is alone with the index: nothing is
/// published meanwhile.
pub(crate) fn tell(event: Event<'_>) {
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(watched) = watched.iter_mut().find(|watched| event.path().starts_with(&watched.home)) {
        watched.take(format!("{event:?}").chars().take(200).collect());
        watched.medium.apply(event);
    }
}

impl Watched {
    fn take(&mut self, before: String) {
        let files = ["brain.db", "brain.db-wal"].map(|name| self.home.join(name));
        let database = files.into_iter().filter_map(|path| Some((path.clone(), std::fs::read(path).ok()?))).collect();
        self.moments.push(Moment { medium: self.medium.clone(), database, before });
    }
}

/// Begins to watch a home.
fn watch(home: &Path) {
    let watched = Watched { home: home.to_owned(), medium: Medium::default(), moments: Vec::new() };
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
}

/// The moments since the last call, and this one.
fn moments(home: &Path) -> Vec<Moment> {
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    let watched = watched.iter_mut().find(|watched| watched.home == home).unwrap();
    watched.take("the next change".to_owned());
    std::mem::take(&mut watched.moments)
}

impl Moment {
    /// Lays what is left of `home` out in `to`.
    fn lay_out(&self, fate: Fate<'_>, home: &Path, to: &Path) {
        let left = self.medium.after_power_loss(fate);
        for (path, bytes) in left.iter().chain(&self.database) {
            let path = to.join(path.strip_prefix(home).unwrap());
            if path.extension().is_some() {
                std::fs::write(path, bytes).unwrap();
            } else {
                std::fs::create_dir(path).unwrap();
            }
        }
    }

    /// The index holds `older`, or `newer`; which one.
    fn check(&self, fate: Fate<'_>, home: &Path, [older, newer]: [&Model; 2], metric: Metric, goes_on: bool) -> Result<Found, TestCaseError> {
        let folder = tempfile::tempdir().unwrap();
        self.lay_out(fate, home, folder.path());
        let index = backend(folder.path()).find("tiny").map_err(|error| TestCaseError::fail(format!("before {}: {error:?}", self.before)))?;
        let found = match block_on(compare(&index, newer, metric)) {
            Ok(()) => Found::Newer,
            Err(_) => {
                block_on(compare(&index, older, metric)).map_err(|error| TestCaseError::fail(format!("before {}: {error}", self.before)))?;
                Found::Older
            }
        };
        if goes_on {
            let mut model = if found == Found::Newer { newer.clone() } else { older.clone() };
            block_on(apply(&index, &mut model, &rows(3..17)))?;
            block_on(compare(&index, &model, metric))?;
        }
        Ok(found)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Older,
    Newer,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    #[test]
    fn a_power_loss_at_any_instant_loses_nothing_that_was_acknowledged(steps in steps(), halved: bool, seed: u64) {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let mut random = Random::new(seed);
        watch(home);
        let metric = Metric::Euclidean;
        let mut current = backend(home);
        let mut index = current.make(&if halved { half(spec(metric)) } else { spec(metric) }, TINY).unwrap();
        let mut model = Model::new();
        for step in &steps {
            let before = model.clone();
            if matches!(step, Step::Reopen) {
                current = backend(home);
                index = current.find("tiny").unwrap();
            }
            block_on(apply(&index, &mut model, step))?;
            index.settle();
            let moments = moments(home);
            let last = moments.len() - 1;
            let mut found = Found::Older;
            for (number, moment) in moments.iter().enumerate() {
                // What was published once stays so; what was acknowledged was published.
                let least = if number == last { Found::Newer } else { found };
                found = moment.check(Fate::Lost, home, [&before, &model], metric, random.below(8) == 0)?;
                prop_assert!(found >= least, "{:?} after {:?}, before {}", found, least, moment.before);
                let kept = moment.check(Fate::Any(&mut random), home, [&before, &model], metric, false)?;
                prop_assert!(kept >= found, "{:?} where some was kept, {:?} where all was lost, before {}", kept, found, moment.before);
            }
        }
    }
}
