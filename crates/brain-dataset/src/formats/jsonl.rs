//! JSON Lines: one sample a line.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use brain_core::{Error, ErrorKind, Result, Sample};

use super::document::{Dialect, JsonSample, read_sample};
use super::samples::{Fault, Samples};
use super::staging::StagedFile;
use super::{MAX_RECORD_BYTES, document};

/// Files up to this size have their lines counted for [`Samples::total`]; that takes a fraction of a second.
const COUNTED_BYTES: u64 = 1 << 30;

/// The samples of a JSON Lines file.
///
/// A line is `{"id"?: "24-hex", "filepath": "…", "tags"?: […], "field": value, …}`. A relative `filepath` is relative to the file's folder.
/// Label fields are FiftyOne-shaped; a bare `Detection` or `Polyline` is a list of one; an array of numbers is a vector; other objects and
/// lists are kept as they came. Blank lines, a byte order mark and Windows line ends are fine.
///
/// A line that is no sample is a bad record: `FILE:LINE:COLUMN: what is wrong`. Columns count bytes, from 1. A line over
/// [`MAX_RECORD_BYTES`] is one too, and is passed over without holding it.
///
/// # Errors
/// When the file cannot be opened. A failing disk ends the stream.
pub fn read_jsonl(path: &Path) -> Result<Samples> {
    let fault = |source| Error::io("read", path, source).with_operation("import JSON Lines");
    let file = File::open(path).map_err(fault)?;
    let metadata = file.metadata().map_err(fault)?;
    if metadata.is_dir() {
        return Err(Error::invalid(format!("{} is a folder, not a JSON Lines file", path.display())).with_hint("give the .jsonl file in it"));
    }
    let total = if metadata.is_file() && metadata.len() <= COUNTED_BYTES { count_lines(path).ok() } else { None };
    let absolute = std::path::absolute(path).map_err(fault)?;
    let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    let lines = Lines { reader: BufReader::with_capacity(1 << 16, file), path: path.to_owned(), folder, line: Vec::new(), number: 0 };
    Ok(Samples::new(lines, total))
}

struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    folder: PathBuf,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    /// Reads the next line into `self.line`, without its end; false after the last one.
    fn advance(&mut self) -> io::Result<Line> {
        self.line.clear();
        let limit = MAX_RECORD_BYTES as u64 + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(Line::None);
        }
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if read as u64 == limit {
            self.line = Vec::new();
            self.reader.skip_until(b'\n')?;
            return Ok(Line::TooLong);
        }
        if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
            self.line.drain(..3);
        }
        Ok(if self.line.trim_ascii().is_empty() { Line::Blank } else { Line::Text })
    }

    fn sample(&self) -> Result<Sample, document::Fault> {
        let text = std::str::from_utf8(&self.line).map_err(|error| document::Fault {
            offset: error.valid_up_to(),
            message: "the line is not UTF-8".to_owned(),
            hint: Some("save the file as UTF-8"),
        })?;
        let mut sample = read_sample(text, Dialect::JsonLines)?;
        let path = Path::new(&sample.filepath);
        if !path.is_absolute() {
            sample.filepath = absolute(&self.folder, path);
        }
        Ok(sample)
    }

    fn place(&self, offset: usize) -> String {
        format!("{}:{}:{}", self.path.display(), self.number, offset + 1)
    }
}

/// `path` under `folder`, both UTF-8 but for a folder that is not, whose name is then approximated.
fn absolute(folder: &Path, path: &Path) -> String {
    let joined = folder.join(path);
    // Takes `.` out; where that fails the joined path is as good.
    std::path::absolute(&joined).unwrap_or(joined).to_string_lossy().into_owned()
}

enum Line {
    Text,
    Blank,
    TooLong,
    None,
}

impl Iterator for Lines {
    type Item = Result<Sample, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            return match self.advance() {
                Ok(Line::None) => None,
                Ok(Line::Blank) => continue,
                Ok(Line::Text) => Some(self.sample().map_err(|fault| {
                    let place = self.place(fault.offset);
                    Fault::Record(fault.into_error(place))
                })),
                Ok(Line::TooLong) => {
                    Some(Err(Fault::Record(Error::invalid(format!("{}: the line is longer than {} MiB", self.place(0), MAX_RECORD_BYTES >> 20)))))
                }
                Err(source) => Some(Err(Fault::Fatal(Error::io("read", &self.path, source).with_context("line", self.number + 1)))),
            };
        }
    }
}

fn count_lines(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut chunk = vec![0; 1 << 18];
    let (mut lines, mut last) = (0, b'\n');
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(lines + u64::from(last != b'\n')),
            read => {
                lines += chunk[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
                last = chunk[read - 1];
            }
        }
    }
}

/// Writes samples to a new JSON Lines file at `path`; what [`read_jsonl`] reads back is equal, ids included, where every `filepath` is absolute.
///
/// Gives how many were written. The file appears under its name when it is complete, never before.
///
/// # Errors
/// [`AlreadyExists`](ErrorKind::AlreadyExists) when there is such a file; the first error among the samples; and
/// [`InvalidInput`](ErrorKind::InvalidInput) for a sample that JSON cannot say (a NaN).
pub fn write_jsonl(path: &Path, samples: impl IntoIterator<Item = Result<Sample>>) -> Result<u64> {
    if path.exists() {
        return Err(Error::new(ErrorKind::AlreadyExists, format!("{} exists already", path.display()))
            .with_hint("choose another name, or delete the file first"));
    }
    let staged = StagedFile::beside(path)?;
    let mut writer = BufWriter::new(staged.file());
    let count = write_lines(&mut writer, samples, path)?;
    writer.flush().map_err(|source| Error::io("write", path, source))?;
    drop(writer);
    staged.publish()?;
    Ok(count)
}

/// Writes samples as JSON Lines to `writer`, a pipe for instance; gives how many.
///
/// # Errors
/// As [`write_jsonl`], but for the file.
pub fn write_jsonl_to(writer: &mut dyn Write, samples: impl IntoIterator<Item = Result<Sample>>) -> Result<u64> {
    write_lines(writer, samples, Path::new("the output"))
}

fn write_lines(mut writer: &mut dyn Write, samples: impl IntoIterator<Item = Result<Sample>>, path: &Path) -> Result<u64> {
    let mut count = 0;
    for sample in samples {
        let sample = sample?;
        serde_json::to_writer(&mut writer, &JsonSample(&sample)).map_err(|error| super::samples::unwritable(&sample, path, error))?;
        writer.write_all(b"\n").map_err(|source| Error::io("write", path, source))?;
        count += 1;
    }
    Ok(count)
}
