//! What is known of a model's files: their SHA-256, computed once and kept beside them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use brain_core::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The file that keeps the sums.
const SUMS_FILE: &str = "checksums.json";

/// Who says what a file's sum is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SumOrigin {
    /// The manifest.
    Manifest,
    /// The hub, when the file was fetched.
    Hub,
    /// Nobody: it is the sum of the file as it was first seen.
    Seen,
}

/// The sum of a file as it was at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Sum {
    pub(crate) sha256: String,
    pub(crate) origin: SumOrigin,
    bytes: u64,
    /// When the file was last written, in nanoseconds since 1970; with the size it says whether the sum still holds.
    written: u64,
}

/// The sums of a folder.
pub(crate) struct Sums {
    folder: PathBuf,
    /// Where they are kept.
    kept_in: PathBuf,
    known: BTreeMap<String, Sum>,
}

impl Sums {
    /// The sums of the files in `folder` that are kept in `kept_in`, as a rule the same folder.
    ///
    /// A file of sums that does not read is as good as none, for every sum can be made again.
    pub(crate) fn of(folder: &Path, kept_in: &Path) -> Self {
        let text = fs::read_to_string(kept_in.join(SUMS_FILE)).unwrap_or_default();
        Self { folder: folder.to_owned(), kept_in: kept_in.to_owned(), known: serde_json::from_str(&text).unwrap_or_default() }
    }

    /// What was kept of a file, whatever became of the file since.
    pub(crate) fn kept(&self, file: &str) -> Option<&Sum> {
        self.known.get(file)
    }

    /// The sum of a file: the one that was kept, where the file has not been written to since.
    pub(crate) fn sum(&mut self, file: &str) -> Result<String> {
        let path = self.folder.join(file);
        let (bytes, written) = stamp(&path)?;
        if let Some(sum) = self.known.get(file)
            && (sum.bytes, sum.written) == (bytes, written)
        {
            return Ok(sum.sha256.clone());
        }
        let sha256 = of_file(&path)?;
        let kept = self.known.get(file).map(|kept| (kept.origin, kept.sha256 == sha256));
        match kept {
            // What a file must be is not forgotten because it is something else now: a verification will say so.
            Some((SumOrigin::Hub | SumOrigin::Manifest, false)) => {}
            Some((origin, _)) => self.keep(file, sha256.clone(), origin)?,
            None => self.keep(file, sha256.clone(), SumOrigin::Seen)?,
        }
        Ok(sha256)
    }

    /// Keeps a sum, with the file as it is now.
    pub(crate) fn keep(&mut self, file: &str, sha256: String, origin: SumOrigin) -> Result<()> {
        let (bytes, written) = stamp(&self.folder.join(file))?;
        self.known.insert(file.to_owned(), Sum { sha256, origin, bytes, written });
        let text = serde_json::to_string_pretty(&self.known).unwrap_or_default();
        // A folder that cannot be written to costs time at every load, and nothing else.
        let _ = write_whole(&self.kept_in.join(SUMS_FILE), text.as_bytes());
        Ok(())
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let failed = |error| Error::io("read", path, error);
    let (mut file, mut hasher, mut buffer) = (File::open(path).map_err(failed)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// The SHA-256 of bytes, in hexadecimal.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Size, and the moment of the last write.
fn stamp(path: &Path) -> Result<(u64, u64)> {
    let failed = |error| Error::io("read", path, error);
    let metadata = fs::metadata(path).map_err(failed)?;
    let written = metadata.modified().map_err(failed)?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    Ok((metadata.len(), u64::try_from(written).unwrap_or(u64::MAX)))
}

/// Writes a file whole or not at all: a reader sees the old one or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error| Error::io("write", path, error);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(failed)?;
    fs::write(&part, bytes).and_then(|()| fs::rename(&part, path)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(folder: &Path) -> Sums {
        Sums::of(folder, folder)
    }

    #[test]
    fn a_sum_is_kept_until_the_file_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights");
        fs::write(&file, "abc").unwrap();
        // A test vector of FIPS 180-2.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sums(folder.path()).sum("weights").unwrap(), abc);
        assert_eq!(sums(folder.path()).kept("weights").unwrap().origin, SumOrigin::Seen);
        // What is kept is believed.
        let kept = fs::read_to_string(folder.path().join(SUMS_FILE)).unwrap();
        fs::write(folder.path().join(SUMS_FILE), kept.replace(abc, "kept")).unwrap();
        assert_eq!(sums(folder.path()).sum("weights").unwrap(), "kept");
        fs::write(&file, "abcd").unwrap();
        assert_eq!(sums(folder.path()).sum("weights").unwrap(), of_bytes(b"abcd"));
        // What the hub said stays said.
        sums(folder.path()).keep("weights", "of the hub".to_owned(), SumOrigin::Hub).unwrap();
        fs::write(&file, "abcde").unwrap();
        assert_eq!(sums(folder.path()).sum("weights").unwrap(), of_bytes(b"abcde"));
        assert_eq!(sums(folder.path()).kept("weights").unwrap().sha256, "of the hub");
        fs::write(&file, "abcd").unwrap();
        fs::write(folder.path().join(SUMS_FILE), "no JSON").unwrap();
        assert_eq!(sums(folder.path()).sum("weights").unwrap(), of_bytes(b"abcd"));
    }
}
