//! Progress bars on the standard error, only where somebody watches.

use std::io::{IsTerminal as _, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use brain::core::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Global;

/// How often a bar is drawn, in frames a second.
const FRAMES: u8 = 10;

/// Shows the piece of work that is going on; pieces that begin inside another stand above it until they end.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    bars: Mutex<Vec<ProgressBar>>,
}

/// What shows progress to this user: bars, or nothing for programs, for the quiet, and where no terminal is.
pub(crate) fn of(global: &Global) -> std::sync::Arc<dyn Progress> {
    if global.json || global.quiet || !stderr().is_terminal() {
        std::sync::Arc::new(brain::core::NoProgress)
    } else {
        std::sync::Arc::new(Bars::default())
    }
}

impl Progress for Bars {
    fn start(&self, what: &str, total: Option<u64>) {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(FRAMES));
        let template = match total {
            Some(_) => "{msg} {wide_bar} {human_pos}/{human_len}  {per_sec}  {eta} left",
            None => "{msg} {spinner} {human_pos}  {per_sec}  {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        self.lock().push(bar);
    }

    fn advance(&self, units: u64) {
        if let Some(bar) = self.lock().last() {
            bar.inc(units);
        }
    }

    fn finish(&self) {
        if let Some(bar) = self.lock().pop() {
            bar.finish_and_clear();
        }
    }
}

impl Bars {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<ProgressBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_work_may_begin_inside_one_another() {
        let bars = Bars::default();
        bars.start("outer", Some(2));
        bars.start("inner", None);
        bars.advance(1);
        bars.finish();
        bars.advance(2);
        assert_eq!(bars.lock().last().map(ProgressBar::position), Some(2));
        bars.finish();
        bars.finish();
        assert!(bars.lock().is_empty());
    }
}
