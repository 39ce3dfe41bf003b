//! Graphs as sessions of ONNX Runtime.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{Error, ErrorKind, Result};
use ort::ep;
use ort::session::builder::SessionBuilder;
use ort::session::{OutputSelector, RunOptions, Session, SessionInputValue, SessionOutputs};
use ort::value::{Outlet, Tensor as OrtTensor, TensorElementType, TensorRef, ValueType};

use super::device::{self, Target};
use super::library::{self, Library};
use crate::runtime::graph::{self, Array, Dimension, Element, Graph, Port, Rows, Tensor};
use crate::runtime::{OnnxRuntime, Source, Threads};

/// On the cores, so many pictures a thread are computed fastest at a time: what lies between two operators is still in their caches, and the weights are read
/// once for several of them. (Measured with a convolutional network and a transformer: 3 to 9 % over twice as many.)
const AT_ONCE_A_THREAD: usize = 8;

struct OnnxGraph {
    name: String,
    session: Mutex<Session>,
    inputs: Vec<Port>,
    /// The names of the inputs that want `i32` where they are given `i64`.
    narrow: Vec<String>,
    outputs: Vec<Port>,
    runtime: String,
    /// How many rows are computed at a time, at most.
    at_once: usize,
    takes_all_cores: bool,
}

/// The graph called `name`, ready to run on so many threads or on the device that `settings` name.
pub(in crate::runtime) fn load(name: &str, source: Source<'_>, threads: Threads, settings: &OnnxRuntime) -> Result<Arc<dyn Graph>> {
    let library = library::open(settings.library.as_deref())?;
    let threads = threads.count();
    let failed = |error: &dyn std::fmt::Display| Error::unexpected(format!("ONNX Runtime cannot make ready for the graph of {name}: {error}"));
    let builder = || {
        let builder = Session::builder(&library.environment).map_err(|error| failed(&error))?;
        let builder = builder.with_intra_threads(threads).map_err(|error| failed(&error))?;
        // Threads that wait for each other in a loop lose no time between two operators; when a batch is done, they leave the cores to others at once.
        builder.with_config_entry("session.force_spinning_stop", "1").map_err(|error| failed(&error))
    };
    if let Source::File(path) = source {
        // What is wrong with the file itself is better said by the system than by a loader.
        std::fs::File::open(path).map_err(|error| Error::io("read the graph", path, error))?;
    }
    let commit = |mut builder: SessionBuilder| match source {
        Source::File(path) => builder.commit_from_file(path),
        Source::Static(bytes) => builder.commit_from_memory(bytes),
    };
    let load = |target| match target {
        Target::Cores => commit(builder()?).map_err(|error| {
            let place = if let Source::File(path) = source { format!(" in {}", path.display()) } else { String::new() };
            Error::corrupt(format!("the graph of {name}{place} cannot be loaded: {error}"))
                .with_hint("it must be an ONNX file, with its weights beside it")
        }),
        Target::Card(card) => {
            let alone = builder()?.with_disable_cpu_fallback().map_err(|error| failed(&error))?;
            commit(with_card(alone, card, &library)?).map_err(|error| without_card(card, &library, &error))
        }
        Target::CardAndCores(card) => commit(with_card(builder()?, card, &library)?).map_err(|error| without_card(card, &library, &error)),
    };
    let (session, place) = device::place(settings.device, threads, load)?;
    let narrow = session.inputs().iter().filter(|input| element(input) == Some(TensorElementType::Int32)).map(|input| input.name().to_owned());
    Ok(Arc::new(OnnxGraph {
        name: name.to_owned(),
        narrow: narrow.collect(),
        inputs: session.inputs().iter().map(port).collect(),
        outputs: session.outputs().iter().map(port).collect(),
        session: Mutex::new(session),
        at_once: if place.target == Target::Cores { threads * AT_ONCE_A_THREAD } else { usize::MAX },
        runtime: format!("ONNX Runtime {} on {place}", library.version),
        takes_all_cores: place.target == Target::Cores && threads >= Threads::Cores.count(),
    }))
}

/// A builder of sessions on a graphics card.
fn with_card(builder: SessionBuilder, card: u32, library: &Library) -> Result<SessionBuilder> {
    preload(&library.path);
    // The driver counts in an i32; no machine has so many. Left to itself, the provider rounds what it multiplies to ten bits (TF32), and the vectors would
    // no longer be those of other devices to 1e-4.
    let cuda = ep::CUDA::default().with_device_id(card as i32).with_tf32(false).build().error_on_failure();
    builder.with_execution_providers([cuda]).map_err(|error| without_card(card, library, &error))
}

fn without_card(card: u32, library: &Library, error: &dyn std::fmt::Display) -> Error {
    let message = format!("ONNX Runtime at {} cannot compute on CUDA card {card} (its CUDAExecutionProvider): {error}", library.path.display());
    Error::new(ErrorKind::Unavailable, message).with_hint(
        "it takes NVIDIA's driver and a build with CUDA, such as the wheel `onnxruntime-gpu[cuda,cudnn]`; or compute on the cores (onnxruntime), or where \
         there is no card (onnxruntime:cuda-or-cpu)",
    )
}

/// Opens the CUDA libraries that wheels of NVIDIA's installed beside that of ONNX Runtime: the system's loader does not look there.
fn preload(library: &Path) {
    // Each needs those before it.
    const STEMS: [&str; 7] = ["libcudart.so", "libnvrtc.so", "libcublasLt.so", "libcublas.so", "libcurand.so", "libcufft.so", "libcudnn"];
    let Some(packages) = library.ancestors().nth(3) else { return };
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    let mut files: Vec<_> = entries(&packages.join("nvidia")).iter().flat_map(|package| entries(&package.join("lib"))).collect();
    files.sort();
    for stem in STEMS {
        for file in files.iter().filter(|file| file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(stem))) {
            // One that cannot be opened is named by the error of the device, if it is needed.
            let _ = ort::util::preload_dylib(file);
        }
    }
}

fn element(outlet: &Outlet) -> Option<TensorElementType> {
    match outlet.dtype() {
        ValueType::Tensor { ty, .. } => Some(*ty),
        _ => None,
    }
}

fn port(outlet: &Outlet) -> Port {
    let name = outlet.name().to_owned();
    let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
        return Port { name, element: Element::Other("not a tensor".to_owned()), dimensions: None };
    };
    let element = match ty {
        TensorElementType::Float32 => Element::Float,
        TensorElementType::Int64 | TensorElementType::Int32 => Element::Whole,
        other => Element::Other(other.to_string()),
    };
    let dimension =
        |(length, symbol): (&i64, &String)| usize::try_from(*length).map_or_else(|_| Dimension::Symbolic(symbol.clone()), Dimension::Fixed);
    Port { name, element, dimensions: Some(shape.iter().zip(dimension_symbols.iter()).map(dimension).collect()) }
}

impl OnnxGraph {
    fn failed(&self, error: impl std::fmt::Display) -> Error {
        Error::unexpected(format!("the graph of {} failed: {error}", self.name))
    }

    /// The rows `from..to` of an input, one after another.
    fn value<'a>(&self, name: &str, tensor: &Tensor<'a>, from: usize, to: usize) -> Result<SessionInputValue<'a>> {
        let shape: Vec<_> = std::iter::once(to - from).chain(tensor.row_shape.iter().copied()).collect();
        let value = match &tensor.rows {
            // A row alone is where it should be.
            Rows::F32(rows) if to - from == 1 => TensorRef::from_array_view((shape, rows[from])).map(SessionInputValue::from),
            Rows::F32(rows) => OrtTensor::from_array((shape, rows[from..to].concat())).map(SessionInputValue::from),
            Rows::I64(rows) if self.narrow.iter().any(|narrow| narrow == name) => {
                OrtTensor::from_array((shape, graph::narrowed(&rows[from..to].concat())?)).map(SessionInputValue::from)
            }
            Rows::I64(rows) => OrtTensor::from_array((shape, rows[from..to].concat())).map(SessionInputValue::from),
        };
        value.map_err(|error| self.failed(error))
    }

    /// Runs the rows `from..to`.
    fn run_rows(&self, inputs: &[(&str, Tensor<'_>)], outputs: &[&str], from: usize, to: usize) -> Result<Vec<Array>> {
        let values = inputs.iter().map(|(name, tensor)| Ok((Cow::from(*name), self.value(name, tensor, from, to)?))).collect::<Result<Vec<_>>>()?;
        let wanted = outputs.iter().fold(OutputSelector::no_default(), |wanted, name| wanted.with(*name));
        let options = RunOptions::new().map_err(|error| self.failed(error))?.with_outputs(wanted);
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let computed = session.run_with_options(values, &options).map_err(|error| self.failed(error))?;
        outputs.iter().map(|name| self.array(&computed, name, to - from)).collect()
    }

    fn array(&self, computed: &SessionOutputs<'_>, name: &str, rows: usize) -> Result<Array> {
        let value = computed.get(name).ok_or_else(|| self.failed(format_args!("it gave no {name}")))?;
        let (shape, data) = value.try_extract_tensor::<f32>().map_err(|error| self.failed(error))?;
        // Lengths of arrays that exist.
        let shape: Vec<_> = shape.iter().map(|&length| length as usize).collect();
        match shape.first() == Some(&rows) {
            true => Ok(Array { shape, data: data.to_vec() }),
            false => Err(self.failed(format_args!("the output {name} has the shape {shape:?} for a batch of {rows}"))),
        }
    }
}

impl Graph for OnnxGraph {
    fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    fn runtime(&self) -> &str {
        &self.runtime
    }

    fn takes_all_cores(&self) -> bool {
        self.takes_all_cores
    }

    fn run(&self, inputs: &[(&str, Tensor<'_>)], outputs: &[&str]) -> Result<Vec<Array>> {
        let rows = graph::check(self, inputs, outputs)?;
        let one_at_a_time = self.inputs.iter().any(|port| port.fixed_batch().is_some());
        let step = if one_at_a_time { 1 } else { rows.clamp(1, self.at_once) };
        let part = |from: usize| self.run_rows(inputs, outputs, from, rows.min(from + step));
        let parts = (0..rows).step_by(step).map(part).collect::<Result<Vec<_>>>()?;
        graph::concatenate(parts, outputs.len())
    }
}
