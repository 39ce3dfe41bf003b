//! Whether a graph enlarges or shrinks by cubic interpolation.
//!
//! `rten` does that by linear interpolation instead and says nothing: a DINOv2 as it is usually exported, whose positions are brought to the size of the picture
//! at hand, is wrong in the second digit. So the operators of a file are looked at before it is trusted to that runtime.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// The numbers of the fields of `onnx.proto` on the way to an attribute, and of those of an attribute.
mod field {
    pub(super) const MODEL_GRAPH: u64 = 7;
    pub(super) const GRAPH_NODE: u64 = 1;
    pub(super) const NODE_OPERATOR: u64 = 4;
    pub(super) const NODE_ATTRIBUTE: u64 = 5;
    pub(super) const ATTRIBUTE_NAME: u64 = 1;
    pub(super) const ATTRIBUTE_TEXT: u64 = 4;
    pub(super) const ATTRIBUTE_GRAPH: u64 = 6;
}

/// How deep graphs lie in attributes of graphs, at most.
const DEEPEST: usize = 8;

/// Whether one of the nodes of an ONNX file is a cubic `Resize`. Weights are passed over, not read.
///
/// # Errors
/// Those of reading, and [`InvalidData`](io::ErrorKind::InvalidData) where the file is no ONNX file.
pub(super) fn resizes_cubically(file: impl Read + Seek) -> io::Result<bool> {
    let mut file = BufReader::new(file);
    let end = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut found = false;
    each_field(&mut file, end, |file, number, end| {
        found |= number == field::MODEL_GRAPH && graph(file, end, 0)?;
        Ok(())
    })?;
    Ok(found)
}

fn graph<R: Read + Seek>(file: &mut BufReader<R>, end: u64, depth: usize) -> io::Result<bool> {
    let mut found = false;
    each_field(file, end, |file, number, end| {
        found |= number == field::GRAPH_NODE && node(file, end, depth)?;
        Ok(())
    })?;
    Ok(found)
}

fn node<R: Read + Seek>(file: &mut BufReader<R>, end: u64, depth: usize) -> io::Result<bool> {
    let (mut resizes, mut cubic, mut inside) = (false, false, false);
    each_field(file, end, |file, number, end| {
        match number {
            field::NODE_OPERATOR => resizes = text(file, end)? == b"Resize",
            field::NODE_ATTRIBUTE => {
                let (mut mode, mut value) = (false, Vec::new());
                each_field(file, end, |file, number, end| {
                    match number {
                        field::ATTRIBUTE_NAME => mode = text(file, end)? == b"mode",
                        field::ATTRIBUTE_TEXT => value = text(file, end)?,
                        field::ATTRIBUTE_GRAPH if depth < DEEPEST => inside |= graph(file, end, depth + 1)?,
                        _ => {}
                    }
                    Ok(())
                })?;
                cubic |= mode && value == b"cubic";
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(inside || (resizes && cubic))
}

/// Shows each field of a message that has a length to `look`, with its number and where it ends, and moves behind it; others are passed over.
fn each_field<R: Read + Seek>(
    file: &mut BufReader<R>,
    end: u64,
    mut look: impl FnMut(&mut BufReader<R>, u64, u64) -> io::Result<()>,
) -> io::Result<()> {
    while file.stream_position()? < end {
        let key = varint(file)?;
        let length = match key & 7 {
            0 => {
                varint(file)?;
                continue;
            }
            1 => 8,
            2 => varint(file)?,
            5 => 4,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let start = file.stream_position()?;
        let field_end = start.checked_add(length).filter(|&field_end| field_end <= end).ok_or(io::ErrorKind::InvalidData)?;
        if key & 7 == 2 {
            look(file, key >> 3, field_end)?;
        }
        // What lies in the buffer is kept: most fields are short.
        let behind = field_end as i64 - file.stream_position()? as i64;
        file.seek_relative(behind)?;
    }
    Ok(())
}

/// The bytes up to `end`, where they may be a name that is looked for.
fn text<R: Read + Seek>(file: &mut BufReader<R>, end: u64) -> io::Result<Vec<u8>> {
    const LONGEST: u64 = 16;
    let length = end - file.stream_position()?;
    let mut bytes = vec![0; length.min(LONGEST) as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn varint(file: &mut impl Read) -> io::Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7F) << shift;
        if byte[0] < 0x80 {
            return Ok(value);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}
