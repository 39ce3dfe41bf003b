//! Whether a manifest can be meant, before any file is read.

use brain_core::{Error, Result};

use super::{ImageTower, Manifest, TextTower};
use crate::builtin;

/// The most pixels a side that a tower may look at.
const LARGEST_SIZE: u32 = 4096;

impl Manifest {
    pub(super) fn check(&self, place: &str) -> Result<()> {
        let wrong = |what: String| Err(Error::invalid(format!("{place}: {what}")).with_operation("read model manifest"));
        for name in std::iter::once(&self.name).chain(&self.aliases) {
            if !is_name(name) {
                return wrong(format!("{name:?} is no name of a model: letters, digits, '.', '-' and '_' are, beginning with a letter or digit"));
            }
        }
        if self.dimension == 0 {
            return wrong("the dimension is 0".to_owned());
        }
        if self.image.is_none() && self.text.is_none() {
            return wrong("it has neither \"image\" nor \"text\": a model embeds at least one of them".to_owned());
        }
        let problem = self.image.as_ref().and_then(|tower| image(tower, self.text.is_some())).or_else(|| self.text.as_ref().and_then(text));
        if let Some(problem) = problem {
            return wrong(problem);
        }
        for file in self.needed() {
            let known = file.strip_prefix(builtin::PREFIX).map_or_else(|| is_file_name(file), |name| builtin::bytes(name).is_some());
            if !known {
                return wrong(format!("{file:?} names no file inside the model's folder"));
            }
        }
        for (file, source) in self.files.iter().chain(self.variants.values().flatten()) {
            let came_from = match &source.package {
                Some(package) => self.packages.contains_key(package),
                None => self.hub.is_some(),
            };
            if !came_from {
                return wrong(format!("the file {file:?} comes from a hub or package that is not described"));
            }
            if source.sha256.as_ref().is_some_and(|digest| digest.len() != 64 || !digest.bytes().all(|digit| digit.is_ascii_hexdigit())) {
                return wrong(format!("the sha256 of {file:?} is not 64 hexadecimal digits"));
            }
        }
        Ok(())
    }
}

fn image(tower: &ImageTower, has_text: bool) -> Option<String> {
    if tower.size == 0 || tower.size > LARGEST_SIZE {
        return Some(format!("the size is {}, but 1 to {LARGEST_SIZE} pixels are possible", tower.size));
    }
    if !(tower.crop > 0.0 && tower.crop <= 1.0) {
        return Some(format!("the crop is {}, but it is a share above 0, at most 1", tower.crop));
    }
    if !(tower.range.is_finite() && tower.range > 0.0) || tower.mean.iter().any(|mean| !mean.is_finite()) {
        return Some("range and mean must be finite numbers, the range above 0".to_owned());
    }
    if tower.std.iter().any(|std| !std.is_finite() || *std == 0.0) {
        return Some("std must be finite numbers that are not 0".to_owned());
    }
    match &tower.classes {
        Some(_) if !has_text => Some("\"classes\" need a text tower, which says what they mean".to_owned()),
        Some(classes) if classes.top == 0 => Some("\"top\" is 0: at least one class must count".to_owned()),
        Some(classes) if !classes.sentence.contains("{lemmas}") => Some("the sentence of \"classes\" does not name {lemmas}".to_owned()),
        _ => None,
    }
}

fn text(tower: &TextTower) -> Option<String> {
    (tower.tokenizer.context < 2).then(|| format!("a context of {} tokens holds no sentence", tower.tokenizer.context))
}

/// Whether a model can be called that: its folder is.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    name.len() <= 128 && name.bytes().all(plain) && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

/// Whether it names a file inside the model's folder, whatever the system.
fn is_file_name(name: &str) -> bool {
    let inside = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0', ':']);
    name.split('/').all(inside)
}
