//! The shared library: found, opened once, and kept for the life of the process.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use brain_core::{Error, ErrorKind, Result};
use ort::environment::Environment;

/// The variable that names the library, or a folder that holds it.
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// The oldest that is understood.
const OLDEST: &str = "1.17";

/// The library that was opened.
#[derive(Clone)]
pub(super) struct Library {
    pub(super) environment: Environment,
    /// As far as it is known: `1.32`.
    pub(super) version: String,
    pub(super) path: PathBuf,
}

/// A process can hold one ONNX Runtime: its C interface hands out one table of functions, and one environment.
static OPENED: Mutex<Option<Library>> = Mutex::new(None);

/// Opens the library that `wanted` names, or the one that is found where nothing is said; once it is open, that one.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when there is none, with where it was looked for and how to have one; [`Unavailable`](ErrorKind::Unavailable) when it cannot be
/// opened or is too old; [`Conflict`](ErrorKind::Conflict) when another one is open already.
pub(super) fn open(wanted: Option<&Path>) -> Result<Library> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = &*opened {
        let Some(wanted) = wanted else { return Ok(library.clone()) };
        let path = named(wanted)?;
        if path != library.path {
            let (path, open) = (path.display(), library.path.display());
            return Err(Error::new(ErrorKind::Conflict, format!("ONNX Runtime cannot be taken from {path}: this process has opened {open}"))
                .with_hint("name the same library everywhere in one process"));
        }
        return Ok(library.clone());
    }
    let path = match (wanted, env::var_os(VARIABLE).filter(|value| !value.is_empty())) {
        (Some(path), _) => named(path)?,
        (None, Some(path)) => named(Path::new(&path)).map_err(|error| error.with_context("variable", VARIABLE))?,
        (None, None) => find(&places(|name| env::var_os(name))),
    };
    let library = load(path)?;
    *opened = Some(library.clone());
    Ok(library)
}

fn load(path: PathBuf) -> Result<Library> {
    let failed = |reason: String| {
        let message = format!("ONNX Runtime cannot be opened from {}: {reason}", path.display());
        Error::new(ErrorKind::Unavailable, message).with_hint(format!(
            "version {OLDEST} or later is needed: `pip install onnxruntime` in the active Python environment, or name the library with {VARIABLE}"
        ))
    };
    let builder = ort::init_from(&path).map_err(|error| failed(error.to_string()))?;
    let environment = builder.with_telemetry(false).build().map_err(|error| failed(error.to_string()))?;
    // Messages of the library would be written over a progress bar; what fails comes back as an error.
    environment.set_log_level(ort::logging::LogLevel::Fatal);
    let version = ort::util::probe(&path).map_or_else(|| "1.x".to_owned(), |minor| format!("1.{minor}"));
    Ok(Library { environment, version, path })
}

/// The library that somebody named: the file, or the one in the folder.
fn named(path: &Path) -> Result<PathBuf> {
    let found = match path.is_dir() {
        true => folders(path).find_map(|folder| in_folder(&folder)),
        false => path.is_file().then(|| path.to_owned()),
    };
    let found = found.ok_or_else(|| {
        Error::not_found(format!("there is no ONNX Runtime at {}", path.display())).with_hint(format!(
            "name the file {}, or a folder that holds it, such as that of a Python environment with the wheel onnxruntime",
            file_name()
        ))
    })?;
    // The loader would take a path from here for one beside the program.
    std::path::absolute(&found).map_err(|error| Error::io("find", &found, error))
}

/// The first library in `places`, or the name that the system's loader looks for.
fn find(places: &[PathBuf]) -> PathBuf {
    places.iter().find_map(|place| folders(place).find_map(|folder| in_folder(&folder))).unwrap_or_else(|| PathBuf::from(file_name()))
}

/// Where wheels are installed: the active environments, that of the `python3` on the path, the user's, and the system's.
fn places(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let mut places: Vec<_> = ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().filter_map(|name| variable(name)).map(PathBuf::from).collect();
    let path = variable("PATH").unwrap_or_default();
    let pythons = env::split_paths(&path).map(|folder| folder.join("python3")).filter(|python| python.is_file());
    for python in pythons {
        // `bin` as it is called first: an environment's python3 is a link to the system's.
        let real = python.canonicalize().ok();
        places.extend([Some(python), real].into_iter().flatten().filter_map(|python| Some(python.parent()?.parent()?.to_owned())));
    }
    places.extend(variable("HOME").map(|home| Path::new(&home).join(".local")));
    places.extend(["/usr/local", "/usr"].map(PathBuf::from));
    places
}

/// The folders under `place` that may hold the library: itself, the wheel in it, and the wheel among the packages of an environment.
fn folders(place: &Path) -> impl Iterator<Item = PathBuf> {
    let wheel = |packages: PathBuf| packages.join("onnxruntime").join("capi");
    let pythons = sorted(&place.join("lib"), |name| name.starts_with("python"));
    let packages = pythons.into_iter().flat_map(|python| ["site-packages", "dist-packages"].map(|packages| python.join(packages)));
    [place.to_owned(), place.join("capi"), wheel(place.to_owned()), wheel(place.join("Lib").join("site-packages"))]
        .into_iter()
        .chain(packages.map(wheel))
}

/// The library in `folder`, the newest where there are several.
fn in_folder(folder: &Path) -> Option<PathBuf> {
    let stem = file_name();
    // `libonnxruntime.so.1.32.0` beside `libonnxruntime_providers_shared.so`; on a Mac `libonnxruntime.1.32.0.dylib`.
    let matches = |name: &str| match env::consts::DLL_EXTENSION {
        "dylib" => name.starts_with("libonnxruntime.") && name.ends_with(".dylib"),
        _ => name == stem || name.strip_prefix(&stem).is_some_and(|rest| rest.starts_with('.')),
    };
    sorted(folder, matches).pop()
}

/// The entries of `folder` whose names match, by name; none where it cannot be read.
fn sorted(folder: &Path, matches: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.filter(|entry| entry.file_name().to_str().is_some_and(&matches)).map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn file_name() -> String {
    format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)
}

#[cfg(test)]
#[path = "library_tests.rs"]
mod tests;
