//! Which runtime, on what.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

/// How graphs are run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeOptions {
    /// What runs them.
    pub runtime: Runtime,
    /// How many threads compute.
    pub threads: Threads,
}

/// How many threads compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// One a core.
    #[default]
    Cores,
    /// So many.
    Exactly(NonZeroUsize),
}

impl Threads {
    /// The number that is meant on this machine.
    pub(super) fn count(self) -> usize {
        match self {
            Self::Cores => thread::available_parallelism().map_or(1, usize::from),
            Self::Exactly(threads) => threads.get(),
        }
    }
}

/// What runs graphs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Runtime {
    /// `rten`, which is built in and needs nothing else.
    #[default]
    Rten,
    /// Microsoft's ONNX Runtime, a shared library that is found when it is first used. Needs the feature `onnxruntime`.
    OnnxRuntime(OnnxRuntime),
}

/// Which ONNX Runtime, and what it computes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnnxRuntime {
    /// The shared library, or a folder that holds one: that of the wheel, of a virtual environment, or of packages. Where nothing is said, the variable
    /// `ORT_DYLIB_PATH`, then the Python wheel of the active environment, of the `python3` on the path, of the user and of the system, then the
    /// system's own library.
    pub library: Option<PathBuf>,
    /// What it computes on.
    pub device: Device,
}

/// What a graph is computed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The cores.
    #[default]
    Cpu,
    /// A graphics card of NVIDIA's.
    Cuda {
        /// Which, counted from 0 as the driver counts.
        card: u32,
        /// What is done without it.
        on_missing: OnMissingDevice,
    },
}

/// What is done when a device cannot be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMissingDevice {
    /// An error says what is missing.
    #[default]
    Error,
    /// The cores compute instead, and the [name of the runtime](crate::zoo) in use says so.
    UseCpu,
}
