//! Trying again while a server comes back.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use crate::{Error, Result};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long something that may be done twice is tried again, and when next: soon at first, then ever later.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    until: Instant,
    pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { until: Instant::now() + Self::LASTS, pause: FIRST_PAUSE }
    }
}

impl Patience {
    /// For how long a server may be away: a restart takes seconds and reading its data back as many again, a failover half a minute.
    pub const LASTS: Duration = Duration::from_secs(30);

    /// How long to wait before the next try.
    ///
    /// # Errors
    /// The failure, where it is for good, or there have been tries enough.
    pub fn pause_after(&mut self, failure: Error) -> Result<Duration> {
        if !failure.is_retryable() || Instant::now() + self.pause > self.until {
            return Err(failure);
        }
        let pause = spread(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(pause)
    }
}

/// Between half of the pause and all of it, by chance: clients that were cut off together must not come back together.
fn spread(pause: Duration) -> Duration {
    let chance = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn what_passes_is_tried_again_ever_later_and_not_for_ever() {
        let passing = || Error::new(ErrorKind::Unavailable, "the connection broke").retryable();
        let mut patience = Patience::default();
        for longest in [50, 100, 200, 400, 800, 1_600, 2_000, 2_000] {
            let (pause, longest) = (patience.pause_after(passing()).unwrap(), Duration::from_millis(longest));
            assert!(longest / 2 <= pause && pause <= longest, "{pause:?} of {longest:?}");
        }
        assert!(patience.pause_after(Error::new(ErrorKind::Auth, "wrong password")).is_err());
        patience.until = Instant::now();
        assert_eq!(patience.pause_after(passing()).unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
