//! The readers: one job after another from file to prepared pictures.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{Embedder, Error, PreparedImage, Result, RgbImage};

use super::Order;
use super::turns::Turns;
use crate::crop::{PatchShape, crop};
use crate::decode::read_image_in;
use crate::job::Target;

/// One reader's share of the pipeline.
pub(super) struct Reader {
    pub(super) orders: Arc<Mutex<Receiver<Order>>>,
    pub(super) embedder: Arc<dyn Embedder>,
    pub(super) patch_shape: PatchShape,
    pub(super) turns: Arc<Turns>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Reader {
    /// Works until there are no more orders or the stream was dropped.
    pub(super) fn run(&self) {
        while let Some(order) = self.next_order() {
            self.read(&order);
        }
    }

    fn next_order(&self) -> Option<Order> {
        // One reader waits for the next order, the others wait for the lock.
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }

    /// Sends, for each target, one prepared picture a region, or an error in place of the first that failed and those after it.
    fn read(&self, order: &Order) {
        if self.stop.load(Ordering::Relaxed) || order.job.targets.is_empty() {
            return;
        }
        let image = read_image_in(&order.job.filepath, || self.turns.reading()).map_err(Arc::new);
        for target in &order.job.targets {
            for picture in self.pictures(&image, target) {
                if self.stop.load(Ordering::Relaxed) || order.pictures.send(picture).is_err() {
                    return;
                }
            }
        }
    }

    /// The prepared pictures of one target, made as they are taken; an error is the last.
    fn pictures<'a>(
        &'a self,
        image: &'a Result<RgbImage, Arc<Error>>,
        target: &'a Target,
    ) -> impl Iterator<Item = Result<PreparedImage, Arc<Error>>> + 'a {
        let whole = target.regions.is_empty().then_some(None);
        let mut failed = false;
        whole.into_iter().chain(target.regions.iter().map(Some)).map_while(move |region| {
            if failed {
                return None;
            }
            let picture = image.as_ref().map_err(Arc::clone).and_then(|image| self.prepare(image, region).map_err(Arc::new));
            failed = picture.is_err();
            Some(picture)
        })
    }

    fn prepare(&self, image: &RgbImage, region: Option<&[f64; 4]>) -> Result<PreparedImage> {
        let _turn = self.turns.reading();
        match region {
            None => self.embedder.prepare(image),
            Some(region) => self.embedder.prepare(&crop(image, *region, self.patch_shape)?),
        }
    }
}
