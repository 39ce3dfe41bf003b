//! Vision models in ONNX form, run by `rten` on all cores.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use brain_core::{Embedder, Error, Modalities, PreparedImage, Result, RgbImage, no_text};
use rten::{Model, NodeId, RunOptions, ThreadPool, ValueOrView, ValueView};

use crate::preprocess::Preprocessing;

/// A convolutional or transformer model with one picture as input and one vector as output.
///
/// A batch is spread over the cores picture by picture, each run single-threaded: on two cores this embeds a third more pictures
/// a second than one run that splits every operator, whatever the batch size, and it scales to many cores, where the operators of
/// a small model are too small to split. It also makes a picture's vector independent of its batch, to the bit.
pub(crate) struct OnnxEmbedder {
    name: &'static str,
    fingerprint: String,
    dimension: usize,
    preprocessing: Preprocessing,
    model: Model,
    input: NodeId,
    output: NodeId,
    /// Pools of one thread each; as many pictures are embedded at a time.
    lanes: Vec<Arc<ThreadPool>>,
}

/// What [`OnnxEmbedder`] needs to know beside the model itself.
pub(crate) struct OnnxSpec {
    pub(crate) name: &'static str,
    pub(crate) fingerprint: String,
    pub(crate) dimension: usize,
    pub(crate) preprocessing: Preprocessing,
    /// The name of the input node, `[1, 3, size, size]`.
    pub(crate) input: &'static str,
    /// The name of the output node, `[1, dimension]`.
    pub(crate) output: &'static str,
}

impl OnnxEmbedder {
    /// Finds the ends of a loaded model and starts a thread for each core.
    pub(crate) fn new(model: Model, spec: OnnxSpec) -> Result<Self> {
        let node = |name: &str| model.find_node(name).ok_or_else(|| Error::corrupt(format!("the model {} has no node called {name}", spec.name)));
        let (input, output) = (node(spec.input)?, node(spec.output)?);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            name: spec.name,
            fingerprint: spec.fingerprint,
            dimension: spec.dimension,
            preprocessing: spec.preprocessing,
            model,
            input,
            output,
            lanes: (0..cores).map(|_| Arc::new(ThreadPool::with_num_threads(1))).collect(),
        })
    }

    /// Embeds one picture into `row`, on the thread of `lane`.
    fn embed_one(&self, image: &PreparedImage, row: &mut [f32], lane: &Arc<ThreadPool>) -> Result<()> {
        let size = self.preprocessing.size as usize;
        let input = ValueView::from_shape([1, 3, size, size], &image.0).map_err(|_| {
            Error::invalid(format!("a prepared picture for {} has {} numbers instead of 3 x {size} x {size}", self.name, image.0.len()))
        })?;
        let options = RunOptions::default().with_thread_pool(Some(lane.clone()));
        let failed = |error: &dyn std::fmt::Display| Error::unexpected(format!("the model {} failed: {error}", self.name));
        let [output] =
            self.model.run_n(vec![(self.input, ValueOrView::from(input))], [self.output], Some(options)).map_err(|error| failed(&error))?;
        let (_, vector) = output.into_shape_vec::<f32, 2>().map_err(|error| failed(&error))?;
        if vector.len() != row.len() {
            return Err(failed(&format_args!("it gave {} numbers instead of {}", vector.len(), row.len())));
        }
        row.copy_from_slice(&vector);
        Ok(())
    }
}

impl Embedder for OnnxEmbedder {
    fn name(&self) -> &str {
        self.name
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn modalities(&self) -> Modalities {
        Modalities { images: true, text: false }
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn prepare(&self, image: &RgbImage) -> Result<PreparedImage> {
        self.preprocessing.apply(image)
    }

    fn embed_images(&self, batch: &[PreparedImage]) -> Result<Vec<f32>> {
        let mut vectors = vec![0.0; batch.len() * self.dimension];
        let work = Mutex::new(batch.iter().zip(vectors.chunks_exact_mut(self.dimension)));
        let next = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
        let run = |lane: &Arc<ThreadPool>| {
            // Inside its own pool, each run starts without a hop between threads.
            lane.run(|| {
                while let Some((image, row)) = next() {
                    self.embed_one(image, row, lane)?;
                }
                Ok(())
            })
        };
        thread::scope(|scope| {
            let threads: Vec<_> = self.lanes.iter().take(batch.len()).map(|lane| scope.spawn(move || run(lane))).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(Error::unexpected(format!("the model {} crashed", self.name)))))
        })?;
        Ok(vectors)
    }

    fn embed_text(&self, _prompts: &[String]) -> Result<Vec<f32>> {
        Err(no_text(self.name))
    }
}
