//! A folder per class.

use std::path::{Path, PathBuf};

use brain_core::{Error, FieldValue, Label, LabelClass, Labels, Result, Sample};

use super::LABEL_FIELD;
use super::samples::{Fault, Samples};
use super::walk::{self, Images};

/// The folder whose images have no class, as FiftyOne names it.
const UNLABELED: &str = "_unlabeled";

/// Every image in a folder per class: `folder/dog/7.jpg` becomes a sample whose [`LABEL_FIELD`] is the classification `dog`.
///
/// Images deeper inside a class folder belong to it too. Those of `_unlabeled` come without a label. Which files are images, their order, and
/// how links are treated is as in [`read_image_dir`](super::read_image_dir).
///
/// # Errors
/// When `folder` is not a readable folder. An image that lies beside the class folders is a bad record.
pub fn read_classification_dir(folder: &Path) -> Result<Samples> {
    let images = Images::under(folder)?;
    let root = std::path::absolute(folder).map_err(|source| Error::io("find", folder, source))?;
    let samples = images.map(move |path| path.and_then(|path| sample(&root, path)).map_err(Fault::Record));
    Ok(Samples::new(samples, Images::count(folder)))
}

fn sample(root: &Path, path: PathBuf) -> Result<Sample> {
    let mut below = path.strip_prefix(root).into_iter().flat_map(Path::components);
    let class = match (below.next(), below.next()) {
        (Some(class), Some(_)) => class.as_os_str().to_str().map(str::to_owned),
        _ => {
            return Err(Error::invalid(format!("{} lies in no class folder", path.display()))
                .with_hint("move it into the folder of its class, or import the folder with --format image-dir"));
        }
    };
    // A class that is not UTF-8 makes the whole path so, and that is what the error says.
    let filepath = walk::filepath(path)?;
    let fields = match class {
        Some(class) if class != UNLABELED => {
            let labels = vec![Label { label: Some(class), ..Label::default() }];
            vec![(LABEL_FIELD.to_owned(), FieldValue::Labels(Labels { class: LabelClass::Classification, labels }))]
        }
        _ => Vec::new(),
    };
    Ok(Sample { filepath, fields, ..Sample::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_folder_is_the_label() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["dog/2.jpg", "dog/deep/1.jpg", "cat/1.png", "_unlabeled/u.jpg", "stray.jpg"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let (good, bad): (Vec<_>, Vec<_>) = read_classification_dir(folder.path()).unwrap().partition(|item| item.is_ok());
        let labels: Vec<_> = good
            .into_iter()
            .map(|sample| match sample.unwrap().fields.as_slice() {
                [(name, FieldValue::Labels(labels))] if name == "ground_truth" => labels.labels[0].label.clone(),
                _ => None,
            })
            .collect();
        assert_eq!(labels, [None, Some("cat".into()), Some("dog".into()), Some("dog".into())]);
        let error = bad[0].as_ref().unwrap_err();
        assert!(error.message().ends_with("stray.jpg lies in no class folder"));
        assert!(error.hint().is_some());
    }
}
