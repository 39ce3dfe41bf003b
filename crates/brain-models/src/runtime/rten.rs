//! Graphs run by `rten`, a runtime in Rust that is part of the program.
//!
//! A batch is spread over the cores row by row, each run single-threaded: on two cores this embeds a third more pictures a second than one run that
//! splits every operator, whatever the batch size, and it scales to many cores, where the operators of a small model are too small to split. A row
//! alone, a prompt or the picture of a query, is run on all cores. Either way a row's numbers do not depend on its batch, to the bit.

use std::fs::File;
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use brain_core::{Error, Result};
use rten::{DataType, LoadError, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView, ValueType, ValueView};
use rten_tensor::Layout;

use super::cubic::resizes_cubically;
use super::graph::{self, Array, Dimension, Element, Graph, Port, Rows, Tensor};
use super::{Source, Threads};

struct RtenGraph {
    name: String,
    model: Model,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    runtime: String,
    /// Pools of one thread each; as many rows are run at a time.
    lanes: Vec<Arc<ThreadPool>>,
    /// One pool of all threads, for a row alone.
    wide: Arc<ThreadPool>,
}

/// The graph called `name`, ready to run on so many threads.
pub(super) fn load(name: &str, source: Source<'_>, threads: Threads) -> Result<Arc<dyn Graph>> {
    let threads = threads.count();
    let mut options = ModelOptions::with_all_ops();
    options.prepack_weights(true);
    let (loaded, cubic) = match source {
        Source::File(path) => {
            // What is wrong with the file itself is better said by the system than by a loader.
            let file = File::open(path).map_err(|error| Error::io("read the graph", path, error))?;
            (options.load_file(path), resizes_cubically(file))
        }
        Source::Static(bytes) => (options.load_static_slice(bytes), resizes_cubically(Cursor::new(bytes))),
    };
    let model = loaded.map_err(|error| refused(name, source, error))?;
    // A file that was loaded was read to its end.
    if cubic.unwrap_or(false) {
        return Err(Error::unsupported(format!("the graph of {name} interpolates by cubics (its operator Resize), which rten would do wrong"))
            .with_hint("run it by ONNX Runtime (--runtime onnxruntime), or export the graph for pictures of one size"));
    }
    let ports = |ids: &[NodeId]| ids.iter().map(|&id| port(&model, id)).collect::<Vec<_>>();
    Ok(Arc::new(RtenGraph {
        name: name.to_owned(),
        inputs: ports(model.input_ids()),
        outputs: ports(model.output_ids()),
        model,
        runtime: format!("rten on {threads} {}", if threads == 1 { "thread" } else { "threads" }),
        lanes: (0..threads).map(|_| Arc::new(ThreadPool::with_num_threads(1))).collect(),
        wide: Arc::new(ThreadPool::with_num_threads(threads)),
    }))
}

fn refused(name: &str, source: Source<'_>, error: LoadError) -> Error {
    let place = match source {
        Source::File(path) => format!(" in {}", path.display()),
        Source::Static(_) => String::new(),
    };
    Error::corrupt(format!("the graph of {name}{place} cannot be loaded: {error}"))
        .with_hint("it must be an ONNX file of operators that rten knows; ONNX Runtime (--runtime onnxruntime) knows all")
        .with_source(error)
}

fn port(model: &Model, id: NodeId) -> Port {
    let node = model.node_info(id);
    let element = match node.as_ref().and_then(|node| node.dtype()) {
        Some(ValueType::Tensor(DataType::Float)) => Element::Float,
        Some(ValueType::Tensor(DataType::Int32)) => Element::Whole,
        Some(other) => Element::Other(other.to_string()),
        None => Element::Other("of unknown type".to_owned()),
    };
    let dimension = |dimension| match dimension {
        rten::Dimension::Fixed(length) => Dimension::Fixed(length),
        rten::Dimension::Symbolic(name) => Dimension::Symbolic(name),
    };
    Port {
        name: node.as_ref().and_then(|node| node.name()).unwrap_or_default().to_owned(),
        element,
        dimensions: node.and_then(|node| node.shape()).map(|shape| shape.into_iter().map(dimension).collect()),
    }
}

/// One row of an input.
fn row<'a>(tensor: &'a Tensor<'_>, row: usize) -> Result<ValueOrView<'a>, Box<dyn std::error::Error + Send + Sync>> {
    let shape: Vec<_> = std::iter::once(1).chain(tensor.row_shape.iter().copied()).collect();
    Ok(match &tensor.rows {
        Rows::F32(rows) => ValueView::from_shape(shape, rows[row])?.into(),
        Rows::I64(rows) => Value::from_shape(&shape, graph::narrowed(rows[row])?)?.into(),
    })
}

type Inputs<'a> = [(NodeId, &'a Tensor<'a>)];

impl RtenGraph {
    fn failed(&self, error: impl std::fmt::Display) -> Error {
        Error::unexpected(format!("the graph of {} failed: {error}", self.name))
    }

    fn node(&self, name: &str) -> Result<NodeId> {
        self.model.node_id(name).map_err(|error| self.failed(error))
    }

    /// Runs one row on the threads of `pool`.
    fn run_row(&self, inputs: &Inputs<'_>, outputs: &[NodeId], number: usize, pool: &Arc<ThreadPool>) -> Result<Vec<Array>> {
        let rows = inputs
            .iter()
            .map(|&(node, tensor)| Ok((node, row(tensor, number)?)))
            .collect::<Result<Vec<_>, Box<dyn std::error::Error + Send + Sync>>>();
        let rows = rows.map_err(|error| self.failed(error))?;
        let options = RunOptions::default().with_thread_pool(Some(pool.clone()));
        // Inside the pool, the run starts without a hop between threads.
        let values = pool.run(|| self.model.run(rows, outputs, Some(options))).map_err(|error| self.failed(error))?;
        values.into_iter().map(|value| self.array(value)).collect()
    }

    fn array(&self, value: Value) -> Result<Array> {
        let tensor = value.into_tensor::<f32>().ok_or_else(|| self.failed("an output is not of f32"))?;
        let array = Array { shape: tensor.shape().to_vec(), data: tensor.into_data() };
        match array.shape.first() {
            Some(1) => Ok(array),
            _ => Err(self.failed(format_args!("an output has the shape {:?} for a batch of 1", array.shape))),
        }
    }

    /// Runs all rows, as many at a time as there are lanes.
    fn run_rows(&self, inputs: &Inputs<'_>, outputs: &[NodeId], rows: usize) -> Result<Vec<Vec<Array>>> {
        let results = Mutex::new(vec![Vec::new(); rows]);
        let next = Mutex::new(0..rows);
        let next = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = |lane: &Arc<ThreadPool>| {
            while let Some(row) = next() {
                let arrays = self.run_row(inputs, outputs, row, lane)?;
                results.lock().unwrap_or_else(PoisonError::into_inner)[row] = arrays;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let lanes: Vec<_> = self.lanes.iter().take(rows).map(|lane| scope.spawn(move || work(lane))).collect();
            lanes.into_iter().try_for_each(|lane| lane.join().unwrap_or_else(|_| Err(self.failed("it crashed"))))
        })?;
        Ok(results.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Graph for RtenGraph {
    fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    fn runtime(&self) -> &str {
        &self.runtime
    }

    fn run(&self, inputs: &[(&str, Tensor<'_>)], outputs: &[&str]) -> Result<Vec<Array>> {
        let rows = graph::check(self, inputs, outputs)?;
        let nodes = outputs.iter().map(|name| self.node(name)).collect::<Result<Vec<_>>>()?;
        let inputs = inputs.iter().map(|(name, tensor)| Ok((self.node(name)?, tensor))).collect::<Result<Vec<_>>>()?;
        let parts = match rows {
            1 => vec![self.run_row(&inputs, &nodes, 0, &self.wide)?],
            _ => self.run_rows(&inputs, &nodes, rows)?,
        };
        graph::concatenate(parts, outputs.len())
    }
}
