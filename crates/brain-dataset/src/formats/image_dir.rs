//! A folder of images.

use std::path::Path;

use brain_core::{Result, Sample};

use super::samples::{Fault, Samples};
use super::walk::{self, Images};

/// Every image under `folder`, at any depth, in the order of its path; the sample holds its absolute path and nothing else.
///
/// Images are known by their ending (jpg, jpeg, png, bmp, gif, tif, tiff, webp, in any case); they are not opened. Hidden files and folders are
/// passed over. Links are followed, loops are not.
///
/// # Errors
/// When `folder` is not a readable folder. A folder below it that cannot be read, a link to nothing, and a path that is not UTF-8 are bad records.
pub fn read_image_dir(folder: &Path) -> Result<Samples> {
    let images = Images::under(folder)?;
    let samples = images.map(|path| {
        let filepath = path.and_then(walk::filepath).map_err(Fault::Record)?;
        Ok(Sample { filepath, ..Sample::default() })
    });
    Ok(Samples::new(samples, Images::count(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn relative(root: &Path, samples: Samples) -> Vec<String> {
        samples.map(|sample| sample.unwrap().filepath[root.to_str().unwrap().len() + 1..].to_owned()).collect()
    }

    #[test]
    fn images_come_sorted_by_path_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/2.PNG", "b/10.jpeg", "a.tiff", "a-b/x.webp", "a/z.jpg", "notes.txt", ".hidden/h.jpg", "a/._z.jpg", "jpg"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let samples = read_image_dir(folder.path()).unwrap();
        assert_eq!(samples.total(), Some(5));
        let paths: Vec<_> = relative(folder.path(), samples);
        assert_eq!(paths, ["a/z.jpg", "a-b/x.webp", "a.tiff", "b/10.jpeg", "b/2.PNG"]);
        assert!(paths.iter().map(Path::new).is_sorted());
    }

    #[test]
    #[cfg(unix)]
    fn links_are_followed_and_loops_end() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("a")).unwrap();
        fs::create_dir_all(root.join("b")).unwrap();
        fs::write(root.join("a/1.jpg"), "").unwrap();
        symlink(root, root.join("a/up")).unwrap();
        symlink(root.join("b"), root.join("a/over")).unwrap();
        symlink(root.join("a"), root.join("b/back")).unwrap();
        symlink(root.join("a/1.jpg"), root.join("c.jpg")).unwrap();
        symlink(root.join("gone.jpg"), root.join("d.jpg")).unwrap();
        let (good, bad): (Vec<_>, Vec<_>) = read_image_dir(root).unwrap().partition(|item| item.is_ok());
        let good: Vec<_> = good.into_iter().map(|sample| sample.unwrap().filepath[root.to_str().unwrap().len() + 1..].to_owned()).collect();
        assert_eq!(good, ["a/1.jpg", "b/back/1.jpg", "c.jpg"]);
        assert_eq!(bad.len(), 1);
        assert!(bad[0].as_ref().unwrap_err().message().contains("d.jpg is a link to a file that does not exist"));
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = read_image_dir(&folder.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), brain_core::ErrorKind::NotFound);
        let file = folder.path().join("a.jpg");
        fs::write(&file, "").unwrap();
        assert!(read_image_dir(&file).unwrap_err().message().ends_with("a.jpg is not a folder"));
    }
}
