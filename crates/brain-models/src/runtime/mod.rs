//! What runs an ONNX graph: `rten` unless another is asked for, ONNX Runtime behind the feature `onnxruntime`.
//!
//! A [`Graph`] is a file of operators made ready. It says which [`Port`]s it has, so that whoever wired it wrong is told what is really there,
//! and maps [`Tensor`]s to [`Array`]s. The first dimension of everything that goes in and comes out is the batch; how a batch is spread
//! over the cores is each runtime's own affair ([`rten`](self::rten) says why).
//!
//! *Architecture invariant:* no other module of this crate names a runtime's crate. A runtime is one file with one `load`.

mod cubic;
mod graph;
mod onnxruntime;
mod options;
mod rten;

use std::path::Path;
use std::sync::Arc;

use brain_core::{Error, Result};

pub(crate) use graph::{Array, Dimension, Element, Graph, Port, Rows, Side, Tensor};
pub use options::{Device, OnMissingDevice, OnnxRuntime, RUNTIME_VARIABLE, Runtime, RuntimeOptions, Threads};

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
    let graph = match &options.runtime {
        Runtime::Rten => rten::load(name, source, options.threads),
        Runtime::OnnxRuntime(settings) => onnxruntime::load(name, source, options.threads, settings),
    }?;
    // Batches are as long as the pictures or prompts at hand.
    match graph.inputs().iter().find(|port| port.fixed_batch().is_some_and(|rows| rows != 1)) {
        Some(port) => Err(Error::unsupported(format!("the graph of {name} takes so many rows at a time and no other number: {port}"))
            .with_hint("export it with a free first dimension, or for one row at a time")),
        None => Ok(graph),
    }
}

#[cfg(test)]
mod tests;
