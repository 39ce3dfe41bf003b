//! What runs an ONNX graph: `rten` unless another is asked for, ONNX Runtime behind the feature `onnxruntime`.
//!
//! A [`Graph`] is a file of operators made ready. It says which [`Port`]s it has, so that whoever wired it wrong is told what is really there,
//! and maps [`Tensor`]s to [`Array`]s. The first dimension of everything that goes in and comes out is the batch; how a batch is spread
//! over the cores is each runtime's own affair ([`rten`](self::rten) says why).
//!
//! *Architecture invariant:* no other module of this crate names a runtime's crate. A runtime is one file with one `load`.

mod graph;
mod options;
mod rten;

#[cfg(not(feature = "onnxruntime"))]
#[path = "onnxruntime_disabled.rs"]
mod onnxruntime;
#[cfg(feature = "onnxruntime")]
mod onnxruntime;

use std::path::Path;
use std::sync::Arc;

use brain_core::Result;

pub(crate) use graph::{Array, Dimension, Element, Graph, Port, Rows, Side, Tensor};
pub use options::{Device, OnMissingDevice, OnnxRuntime, Runtime, RuntimeOptions, Threads};

/// Where the bytes of a graph are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// In an `.onnx` file; the files of external weights that it names lie beside it.
    File(&'a Path),
    /// In the program.
    Static(&'static [u8]),
}

/// Makes the graph called `name` in messages ready to run.
///
/// # Errors
/// [`NotFound`](brain_core::ErrorKind::NotFound) when there is no such file, [`Corrupt`](brain_core::ErrorKind::Corrupt) when it is no ONNX graph or one with
/// operators that the runtime lacks; [`Unsupported`](brain_core::ErrorKind::Unsupported) and [`Unavailable`](brain_core::ErrorKind::Unavailable) when the runtime
/// is not built in, or it or its device cannot be had, with what is missing.
pub(crate) fn load(name: &str, source: Source<'_>, options: &RuntimeOptions) -> Result<Arc<dyn Graph>> {
    match &options.runtime {
        Runtime::Rten => rten::load(name, source, options.threads),
        Runtime::OnnxRuntime(settings) => onnxruntime::load(name, source, options.threads, settings),
    }
}

#[cfg(test)]
mod tests;
