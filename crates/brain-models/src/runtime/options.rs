//! Which runtime, on what.

use std::env::VarError;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread;

use brain_core::{Error, Result};

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
    /// A graphics card of NVIDIA's, in whole `f32` arithmetic: TF32, which rounds what is multiplied to ten bits, is off, so that the vectors are those of
    /// the cores to 1e-4. What the card has no operators for is computed on the cores.
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
    /// The cores compute instead, and [`Embedder::runtime`](brain_core::Embedder::runtime) says so.
    UseCpu,
}

/// The variable that chooses how models are run.
pub const RUNTIME_VARIABLE: &str = "FIFTYONE_BRAIN_RUNTIME";

impl RuntimeOptions {
    /// As the variable `FIFTYONE_BRAIN_RUNTIME` says, in the words that [`Runtime`] is written in; the default where it says nothing.
    ///
    /// # Errors
    /// [`Config`](brain_core::ErrorKind::Config) when it says something else.
    pub fn of_environment() -> Result<Self> {
        match std::env::var(RUNTIME_VARIABLE) {
            Ok(words) if !words.is_empty() => Ok(Self { runtime: words.parse().map_err(|error: Error| from_variable(&error))?, ..Self::default() }),
            Ok(_) | Err(VarError::NotPresent) => Ok(Self::default()),
            Err(error @ VarError::NotUnicode(_)) => Err(from_variable(&error)),
        }
    }
}

fn from_variable(error: &dyn fmt::Display) -> Error {
    Error::config(format!("the variable {RUNTIME_VARIABLE} names no runtime: {error}")).with_hint(WORDS)
}

impl fmt::Display for Runtime {
    /// In the words that it is read from; a library of one's own is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let device = match self {
            Self::Rten => return f.write_str("rten"),
            Self::OnnxRuntime(OnnxRuntime { device, .. }) => device,
        };
        f.write_str("onnxruntime")?;
        let Device::Cuda { card, on_missing } = device else { return Ok(()) };
        f.write_str(":cuda")?;
        if *card != 0 {
            write!(f, ":{card}")?;
        }
        f.write_str(if *on_missing == OnMissingDevice::UseCpu { "-or-cpu" } else { "" })
    }
}

const WORDS: &str = "rten, onnxruntime, onnxruntime:cuda, onnxruntime:cuda:CARD, and either of the last with -or-cpu behind it can be chosen";

impl FromStr for Runtime {
    type Err = Error;

    /// `rten`, `onnxruntime`, `onnxruntime:cuda` and `onnxruntime:cuda:1`, the last two perhaps with `-or-cpu` behind them.
    ///
    /// ```
    /// use brain_models::{Device, OnMissingDevice, OnnxRuntime, Runtime};
    ///
    /// assert_eq!("rten".parse::<Runtime>()?, Runtime::Rten);
    /// let device = Device::Cuda { card: 1, on_missing: OnMissingDevice::UseCpu };
    /// assert_eq!("onnxruntime:cuda:1-or-cpu".parse::<Runtime>()?, Runtime::OnnxRuntime(OnnxRuntime { device, library: None }));
    /// assert!("tensorflow".parse::<Runtime>().is_err());
    /// # Ok::<(), brain_core::Error>(())
    /// ```
    fn from_str(words: &str) -> Result<Self> {
        let refused = || Error::invalid(format!("there is no runtime {words:?}")).with_hint(WORDS);
        let (name, device) = words.split_once(':').map_or((words, None), |(name, device)| (name, Some(device)));
        let device = match (name, device) {
            ("rten", None) => return Ok(Self::Rten),
            ("onnxruntime", None) => Device::Cpu,
            ("onnxruntime", Some(device)) => {
                let (device, on_missing) = match device.strip_suffix("-or-cpu") {
                    Some(device) => (device, OnMissingDevice::UseCpu),
                    None => (device, OnMissingDevice::Error),
                };
                let card = match device.strip_prefix("cuda").ok_or_else(refused)? {
                    "" => 0,
                    card => card.strip_prefix(':').and_then(|card| card.parse().ok()).ok_or_else(refused)?,
                };
                Device::Cuda { card, on_missing }
            }
            _ => return Err(refused()),
        };
        Ok(Self::OnnxRuntime(OnnxRuntime { library: None, device }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_are_written_in_words() {
        let cuda = |card, on_missing| Runtime::OnnxRuntime(OnnxRuntime { library: None, device: Device::Cuda { card, on_missing } });
        for (words, runtime) in [
            ("rten", Runtime::Rten),
            ("onnxruntime", Runtime::OnnxRuntime(OnnxRuntime::default())),
            ("onnxruntime:cuda", cuda(0, OnMissingDevice::Error)),
            ("onnxruntime:cuda:3", cuda(3, OnMissingDevice::Error)),
            ("onnxruntime:cuda-or-cpu", cuda(0, OnMissingDevice::UseCpu)),
            ("onnxruntime:cuda:3-or-cpu", cuda(3, OnMissingDevice::UseCpu)),
        ] {
            assert_eq!(words.parse::<Runtime>().unwrap(), runtime);
            assert_eq!(runtime.to_string(), words);
        }
        for wrong in
            ["", "RTEN", "rten:cuda", "onnxruntime:", "onnxruntime:cuda:", "onnxruntime:cuda:-1", "onnxruntime:tpu", "onnxruntime:cpu-or-cuda"]
        {
            let error = wrong.parse::<Runtime>().unwrap_err();
            assert!(error.message().contains(wrong) && error.hint() == Some(WORDS), "{wrong}");
        }
    }
}
