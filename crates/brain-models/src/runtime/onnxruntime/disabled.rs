//! What stands in for ONNX Runtime in a program that is built without it.

use std::sync::Arc;

use brain_core::{Error, Result};

use crate::runtime::graph::Graph;
use crate::runtime::{OnnxRuntime, Source, Threads};

/// Refuses, and says how to have it.
pub(in crate::runtime) fn load(name: &str, _: Source<'_>, _: Threads, _: &OnnxRuntime) -> Result<Arc<dyn Graph>> {
    Err(Error::unsupported(format!("the graph of {name} cannot be run by ONNX Runtime: this program is built without the feature onnxruntime"))
        .with_hint("build it with that feature, or use the runtime rten"))
}
