//! Whether a model is what it must be, and runs.

use std::fs;
use std::time::Instant;

use brain_core::{Embedder, Error, Result, RgbImage};

use super::{Found, load};
use crate::builtin;
use crate::runtime::RuntimeOptions;
use crate::sums::{SumOrigin, of_bytes, of_file};

/// What a verification found to be right.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verified {
    /// The files.
    pub files: Vec<VerifiedFile>,
    /// The model's fingerprint.
    pub fingerprint: String,
    /// What ran it.
    pub runtime: String,
    /// How long one picture took, in milliseconds; `None` for a model of sentences only.
    pub image_ms: Option<f64>,
    /// How long one sentence took, in milliseconds; `None` for a model of pictures only.
    pub text_ms: Option<f64>,
}

/// One file that is what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedFile {
    /// Its name in the model's folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// Who says what it must be; [`SumOrigin::Seen`] where it can only be compared with how it was first seen.
    pub checked: SumOrigin,
}

pub(super) fn verify(found: &Found, options: &RuntimeOptions) -> Result<Verified> {
    let files = files(found).map_err(|error| error.with_operation("verify model"))?;
    let model = load::load(found, options)?;
    let mut verified = Verified {
        files,
        fingerprint: model.fingerprint.clone(),
        runtime: model.runtime().unwrap_or_default().to_owned(),
        image_ms: None,
        text_ms: None,
    };
    if model.modalities().images {
        let grey = RgbImage { width: 8, height: 8, pixels: vec![127; 8 * 8 * 3] };
        let prepared = [model.prepare(&grey)?];
        let (vector, ms) = timed(|| model.embed_images(&prepared))?;
        usable(&found.manifest.name, "a picture", &vector)?;
        verified.image_ms = Some(ms);
    }
    if model.modalities().text {
        let prompt = ["a photo of a dog".to_owned()];
        let (vector, ms) = timed(|| model.embed_text(&prompt))?;
        usable(&found.manifest.name, "a sentence", &vector)?;
        verified.text_ms = Some(ms);
    }
    Ok(verified)
}

fn files(found: &Found) -> Result<Vec<VerifiedFile>> {
    let mut sums = found.sums();
    let mut verified = Vec::new();
    for name in found.manifest.needed() {
        if let Some(bytes) = name.strip_prefix(builtin::PREFIX).and_then(builtin::bytes) {
            let (bytes, sha256) = (bytes.len() as u64, of_bytes(bytes));
            verified.push(VerifiedFile { name: name.to_owned(), bytes, sha256, checked: SumOrigin::Manifest });
            continue;
        }
        let (Some(folder), Some(sums)) = (&found.folder, &mut sums) else { continue };
        let path = folder.join(name);
        let bytes = fs::metadata(&path).map_err(|error| Error::io("read", &path, error))?.len();
        let sha256 = of_file(&path)?;
        let described = found.manifest.files.get(name).and_then(|source| source.sha256.clone());
        let expected = match (described, sums.kept(name)) {
            (Some(sum), _) => Some((sum, SumOrigin::Manifest)),
            (None, Some(kept)) => Some((kept.sha256.clone(), kept.origin)),
            (None, None) => None,
        };
        let checked = expected.as_ref().map_or(SumOrigin::Seen, |(_, origin)| *origin);
        if let Some((expected, _)) = expected.filter(|(expected, _)| !expected.eq_ignore_ascii_case(&sha256)) {
            return Err(Error::corrupt(format!("{} is not what it must be: its SHA-256 is {sha256}, expected {expected}", path.display()))
                .with_hint(match found.added {
                    true => format!("put the right file there, or `brain models remove {}` and add it again", found.manifest.name),
                    false => format!("fetch it again: `brain models remove {0}`, then `brain models pull {0}`", found.manifest.name),
                }));
        }
        sums.keep(name, sha256.clone(), checked)?;
        verified.push(VerifiedFile { name: name.to_owned(), bytes, sha256, checked });
    }
    Ok(verified)
}

fn timed(run: impl Fn() -> Result<Vec<f32>>) -> Result<(Vec<f32>, f64)> {
    // The first run also warms up.
    run()?;
    let started = Instant::now();
    let vector = run()?;
    Ok((vector, started.elapsed().as_secs_f64() * 1e3))
}

/// A vector that is all zeros or not finite is of no use, whatever made it so.
fn usable(model: &str, what: &str, vector: &[f32]) -> Result<()> {
    if vector.iter().all(|value| value.is_finite()) && vector.iter().any(|value| *value != 0.0) {
        return Ok(());
    }
    Err(Error::corrupt(format!("the model {model} makes a vector of {what} that is all zeros or not finite")).with_hint("export it again"))
}
