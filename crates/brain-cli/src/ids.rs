//! Ids as they are typed, and files of them.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use brain::core::{Error, ItemId, Result};

/// The ids of these words.
///
/// # Errors
/// [`InvalidInput`](brain::core::ErrorKind::InvalidInput) for an empty word.
pub(crate) fn parse(words: &[String]) -> Result<Vec<ItemId>> {
    words.iter().map(|word| word.parse()).collect()
}

/// The ids of a file, one a line; blank lines are passed over.
///
/// # Errors
/// Those of the file; [`InvalidInput`](brain::core::ErrorKind::InvalidInput) for a file without an id.
pub(crate) fn read(path: &Path) -> Result<Vec<ItemId>> {
    let fault = |source| Error::io("read the ids of", path, source);
    let mut ids = Vec::new();
    for line in BufReader::new(File::open(path).map_err(fault)?).lines() {
        let line = line.map_err(fault)?;
        if !line.trim().is_empty() {
            ids.push(line.trim().parse()?);
        }
    }
    if ids.is_empty() {
        return Err(Error::invalid(format!("{} holds no id", path.display())).with_hint("it holds one id a line"));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_one_id_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ids.txt");
        std::fs::write(&path, "6b01656cdf05e9355da64f3c\r\n\n  photo 7 \n").unwrap();
        assert_eq!(read(&path).unwrap(), ["6b01656cdf05e9355da64f3c".into(), "photo 7".into()]);
        std::fs::write(&path, "\n").unwrap();
        assert!(read(&path).unwrap_err().hint().is_some());
        assert!(read(&folder.path().join("gone")).unwrap_err().message().contains("gone"));
    }
}
